//===- KernelTable.cpp - Which GPU kernel for which matmul ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/NVVM/KernelTable.h"

#include "MmaTable.h"
#include "WgmmaTable.h"

#include <algorithm>
#include <numeric>

namespace qk::nvvm {

using numerics::CodeType;
using numerics::ScaleType;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

//===----------------------------------------------------------------------===//
// Chips
//===----------------------------------------------------------------------===//

const std::vector<Chip> &allChips() {
  // CUDA 13's ptxas knows nothing older than sm_75. Hints of loads need
  // PTX 7.4.
  static const std::vector<Chip> chips = {
      {"sm_75", 75, false, 40, 64 << 10, "+ptx63"},
      {"sm_80", 80, false, 108, 163 << 10, "+ptx74"},
      {"sm_86", 86, false, 84, 99 << 10, "+ptx74"},
      {"sm_89", 89, false, 142, 99 << 10, "+ptx78"},
      {"sm_90", 90, false, 132, 227 << 10, "+ptx78"},
      {"sm_90a", 90, true, 132, 227 << 10, "+ptx80"},
      {"sm_100a", 100, true, 148, 227 << 10, "+ptx86"},
      {"sm_120", 120, false, 188, 99 << 10, "+ptx87"},
  };
  return chips;
}

const Chip *findChip(std::string_view name) {
  for (const Chip &chip : allChips())
    if (chip.name == name)
      return &chip;
  return nullptr;
}

std::string knownChips() {
  std::string names;
  for (const Chip &chip : allChips())
    names += (names.empty() ? "" : ", ") + std::string(chip.name);
  return names;
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

std::string_view elementTypeName(ElementType type) {
  switch (type) {
  case ElementType::F16:
    return "f16";
  case ElementType::BF16:
    return "bf16";
  case ElementType::F32:
    return "f32";
  }
  return "";
}

int64_t elementTypeBytes(ElementType type) {
  return type == ElementType::F32 ? 4 : 2;
}

std::string_view kernelFamilyName(KernelFamily family) {
  switch (family) {
  case KernelFamily::Simt:
    return "simt";
  case KernelFamily::Decode:
    return "decode";
  case KernelFamily::Prefill:
    return "prefill";
  case KernelFamily::Wgmma:
    return "wgmma";
  }
  return "";
}

static std::string_view scaleTypeName(ScaleType type) {
  switch (type) {
  case ScaleType::F16:
    return "f16";
  case ScaleType::BF16:
    return "bf16";
  case ScaleType::F32:
    return "f32";
  }
  return "";
}

std::string problemName(const MatmulProblem &problem) {
  std::string name = "qk_matmul_";
  name += numerics::codeTypeName(problem.scheme.codeType);
  name += "_k" + std::to_string(problem.k);
  // A group as long as the row is the whole row, however it was written.
  if (problem.scheme.groups(problem.k) > 1)
    name += "_g" + std::to_string(problem.scheme.groupLength(problem.k));
  name += "_s";
  name += scaleTypeName(problem.scheme.scaleType);
  if (problem.hasZeroPoints)
    name += "_zero";
  if (problem.hasPermutation)
    name += "_perm";
  if (problem.bias) {
    name += "_b";
    name += elementTypeName(*problem.bias);
  }
  name += "_x";
  if (problem.int8Activations) {
    name += problem.scheme.isFloat() ? "e4m3" : "s8";
    name += problem.hasTensorScale ? "t_y" : "_y";
  }
  name += elementTypeName(problem.type);
  if (problem.packing != Layout::Simt)
    name += "_mma";
  return name;
}

std::string KernelChoice::name() const {
  std::string name = problemName(problem) + "_";
  name += kernelFamilyName(family);
  name += "_" + std::to_string(blockTokens()) + "x" +
          std::to_string(blockChannels());
  return name;
}

//===----------------------------------------------------------------------===//
// Launch shapes
//===----------------------------------------------------------------------===//

int64_t KernelChoice::blockTokens() const {
  return usesWgmma() ? wgmma.tokens : usesMma() ? mma.tokens : simt.tokens;
}

int64_t KernelChoice::threads() const {
  if (usesWgmma())
    return 128 * (wgmma.consumers() + 1);
  return 32 * (usesMma() ? mma.warps() : simt.warps);
}

int64_t KernelChoice::maxSplit() const {
  return usesWgmma() ? wgmma.maxSplit : usesMma() ? mma.maxSplit : 1;
}

int64_t KernelChoice::splitWave() const {
  return usesWgmma() ? wgmma.wave : usesMma() ? mma.wave : 1;
}

int64_t KernelChoice::wgmmaUnits() const {
  return 2 * wgmma.panels / problem.mmaLayout().unitAtoms();
}

int64_t KernelChoice::wgmmaSlices() const {
  return ceilDiv(problem.mmaLayout().units(), wgmmaUnits());
}

int64_t KernelChoice::wgmmaCodesBytes() const {
  return blockChannels() / MmaLayout::kTileChannels * wgmmaUnits() *
         problem.mmaLayout().unitVectors() * MmaLayout::kLanes *
         MmaLayout::kVector;
}

int64_t KernelChoice::wgmmaScalePieces() const {
  MmaLayout layout = problem.mmaLayout();
  int64_t atoms = wgmmaUnits() * layout.unitAtoms();
  return layout.groups() == 1 ? 1
                              : atoms / std::gcd(atoms, layout.atomsPerGroup());
}

int64_t KernelChoice::wgmmaScaleBytes() const {
  MmaLayout layout = problem.mmaLayout();
  if (!wgmma.scalesInRing || layout.groups() == 1)
    return 0;
  return MmaLayout::kTileChannels *
         (layout.scaleBytes() +
          (layout.hasZeroPoints ? layout.zeroBytes() : 0));
}

int64_t KernelChoice::wgmmaSlotBytes() const {
  int64_t scales = blockChannels() / MmaLayout::kTileChannels *
                   wgmmaScalePieces() * wgmmaScaleBytes();
  // Where a row's chunks are depends on the address, by 1024 bytes.
  return ceilDiv(wgmmaXBytes() + wgmmaCodesBytes() + scales, 1024) * 1024;
}

int64_t KernelChoice::wgmmaExchangeBytes() const {
  int64_t blocks = std::min(wgmma.cluster, wgmma.maxSplit);
  if (blocks == 1)
    return 0;
  // [pieces of a block's share][source][thread][16 bytes], for any number of
  // blocks: the last round of pieces need not be whole.
  return (wgmmaPieces() + blocks - 1) * 128 * wgmma.consumers() * 16;
}

int64_t KernelChoice::wgmmaBarrierOffset() const {
  return std::max({wgmma.stages * wgmmaSlotBytes(),
                   4 * wgmma.groupsK * wgmma.tokens * mmaSumChannels(),
                   wgmmaExchangeBytes()});
}

int64_t KernelChoice::blockChannels() const {
  if (usesWgmma())
    return int64_t(64) * wgmma.rowTiles * wgmma.groupsN;
  if (usesMma())
    return MmaLayout::kTileChannels * mma.rowTiles * mma.warpsN;
  return SimtLayout::kLanes * simt.rowBlocks;
}

int64_t KernelChoice::mmaSlices() const {
  return ceilDiv(problem.mmaLayout().units(), int64_t(mma.warpsK) * mma.units);
}

int64_t KernelChoice::mmaPieceAtoms() const {
  MmaLayout layout = problem.mmaLayout();
  int64_t atoms = mma.units * layout.unitAtoms();
  // Whole units to a group, or whole groups to a unit.
  return layout.groups() == 1 ? atoms : std::gcd(atoms, layout.atomsPerGroup());
}

int64_t KernelChoice::mmaRowBytes() const {
  return int64_t(mma.warpsK) * mma.units * problem.mmaLayout().unitAtoms() *
         MmaLayout::kAtomBytes;
}

int64_t KernelChoice::mmaCodesBytes() const {
  if (!mma.codesInRing)
    return 0;
  return int64_t(mma.warps()) * mma.units * mma.rowTiles *
         problem.mmaLayout().unitVectors() * MmaLayout::kLanes *
         MmaLayout::kVector;
}

int64_t KernelChoice::mmaSlotBytes() const {
  int64_t bytes = mmaXBytes() + mmaCodesBytes();
  MmaLayout layout = problem.mmaLayout();
  if (!mma.codesInRing || layout.groups() == 1)
    return bytes;
  int64_t pieces = mma.units * layout.unitAtoms() / mmaPieceAtoms();
  int64_t words = layout.scaleBytes() / 2 + layout.hasZeroPoints;
  return bytes + int64_t(mma.warps()) * pieces * mma.rowTiles * words * 4 *
                     MmaLayout::kLanes;
}

int64_t KernelChoice::mmaFlagOffset() const {
  return std::max(mma.stages * mmaSlotBytes(),
                  4 * mma.warpsK * mma.tokens * mmaSumChannels());
}

int64_t KernelChoice::sharedBytes() const {
  if (usesWgmma())
    return wgmmaBarrierOffset() + 16 * wgmma.stages + 16;
  if (usesMma())
    return mmaFlagOffset() + (mma.maxSplit > 1 ? 16 : 0);
  // The staged slice of x, then (in the same place) the warps' sums.
  int64_t staged = simt.tokens * simt.warps * simt.units *
                   problem.layout().unitAtoms() * SimtLayout::kAtom;
  int64_t sums =
      int64_t(simt.warps) * simt.tokens * simt.rowBlocks * SimtLayout::kLanes;
  return 4 * std::max(staged, sums);
}

int64_t KernelChoice::splits(int64_t tiles) const {
  return std::clamp<int64_t>(splitWave() / std::max<int64_t>(tiles, 1), 1,
                             maxSplit());
}

int64_t KernelChoice::rounds(int64_t m, int64_t n) const {
  return ceilDiv(ceilDiv(m, blockTokens()) * ceilDiv(n, blockChannels()),
                 splitWave());
}

int64_t KernelChoice::mmaCounterBytes() const {
  return ceilDiv(4 * splitWave(), 128) * 128;
}

int64_t KernelChoice::workspaceBytes() const {
  if (maxSplit() <= maxCluster())
    return 0;
  // A launch that splits K has no more blocks than run at once.
  return mmaCounterBytes() + 4 * splitWave() * blockTokens() * blockChannels();
}

int64_t KernelChoice::maxRegisters() const {
  // What all threads start with: warpgroups give and take later.
  if (usesWgmma())
    return 65536 / threads() / 8 * 8;
  if (usesMma())
    return mma.maxRegisters;
  // What the largest variant needs without a spill (test/Target/NVVM); at 168
  // three blocks of four warps fit on a multiprocessor, at 96 two of eight.
  if (simt.tokens == 1)
    return 96;
  return problem.scheme.codeType == CodeType::U3 ? 200 : 168;
}

LaunchShape KernelChoice::launchShape(int64_t m, int64_t n) const {
  LaunchShape shape;
  shape.grid[0] = ceilDiv(m, blockTokens());
  shape.grid[1] = ceilDiv(n, blockChannels());
  shape.grid[2] = splits(shape.grid[0] * shape.grid[1]);
  shape.block[0] = threads();
  shape.sharedBytes = dynamicSharedBytes();
  shape.cluster = shape.grid[2] <= maxCluster() ? shape.grid[2] : 1;
  return shape;
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

/// Warps and units for `tokens` rows: 128 codes a lane in a stage, half of it
/// for bytes, and no warp without work. Two warps even for a short row: the
/// sums then go through shared memory, which keeps LLVM from sinking the
/// computation into the guarded stores.
static SimtConfig simtConfig(const MatmulProblem &problem, int tokens,
                             int rowBlocks, int maxWarps) {
  SimtLayout layout = problem.layout();
  int64_t atomsInFlight = problem.scheme.bits() == 8 ? 2 : 4;
  int64_t units = std::clamp<int64_t>(atomsInFlight / layout.unitAtoms(), 1,
                                      layout.units());
  int64_t warps =
      std::clamp<int64_t>(ceilDiv(layout.units(), units), 2, maxWarps);
  return {tokens, rowBlocks, int(warps), int(units)};
}

/// Costs stay where there is something to compare them with.
static std::vector<KernelChoice>
withoutLoneCosts(std::vector<KernelChoice> choices) {
  for (KernelChoice &choice : choices)
    if (std::count_if(choices.begin(), choices.end(),
                      [&](const KernelChoice &other) {
                        return other.mFrom == choice.mFrom;
                      }) == 1)
      choice.roundCost = 0;
  return choices;
}

std::vector<KernelChoice> chooseKernels(const Chip &chip,
                                        const MatmulProblem &problem) {
  if (problem.packing != Layout::Simt) {
    std::vector<KernelChoice> choices = chooseMmaKernels(chip, problem);
    if (!hasWgmma(chip, problem))
      return withoutLoneCosts(std::move(choices));
    int64_t first = firstWgmmaRow(problem);
    std::erase_if(choices, [&](const KernelChoice &choice) {
      return choice.mFrom >= first;
    });
    choices.back().mTo = first - 1;
    for (KernelChoice &choice : chooseWgmmaKernels(chip, problem))
      choices.push_back(std::move(choice));
    return withoutLoneCosts(std::move(choices));
  }
  // The same on every chip so far: SIMT uses nothing newer than sm_75.
  KernelChoice one;
  one.problem = problem;
  one.simt = simtConfig(problem, /*tokens=*/1, /*rowBlocks=*/1, /*maxWarps=*/8);
  one.mFrom = one.mTo = 1;
  one.reason = "M = 1 is bound by reading weights: a lane a channel, the warps "
               "of a block split K";

  KernelChoice many;
  many.problem = problem;
  // A unit of u3 is 12 registers: two row blocks of it do not fit.
  int rowBlocks = problem.scheme.codeType == CodeType::U3 ? 1 : 2;
  many.simt = simtConfig(problem, /*tokens=*/8, rowBlocks, /*maxWarps=*/4);
  many.mFrom = 2;
  many.reason = "M > 1: a code is unpacked once for 8 tokens, a value of x is "
                "read once for a lane's " +
                std::to_string(rowBlocks) + " channels";
  return {one, many};
}

/// "2 rounds of 64 x 128 blocks, 39.4 us each at K = 8192".
static std::string describeRounds(const KernelChoice &choice, int64_t m,
                                  int64_t n) {
  int64_t rounds = choice.rounds(m, n);
  return std::to_string(rounds) + (rounds == 1 ? " round of " : " rounds of ") +
         std::to_string(choice.blockTokens()) + "x" +
         std::to_string(choice.blockChannels()) + " blocks (" +
         std::to_string(choice.roundCost / 10) + "." +
         std::to_string(choice.roundCost % 10) + " us each at K = 8192)";
}

KernelChoice chooseKernel(const Chip &chip, const MatmulProblem &problem,
                          int64_t m, int64_t n) {
  std::vector<KernelChoice> choices = chooseKernels(chip, problem);
  const KernelChoice *best = nullptr;
  std::string others;
  for (const KernelChoice &choice : choices) {
    if (m < choice.mFrom || (choice.mTo >= 0 && m > choice.mTo))
      continue;
    const KernelChoice *worse = best;
    if (!best || choice.cost(m, n) < best->cost(m, n))
      best = &choice;
    else
      worse = &choice;
    if (worse)
      others += " against " + describeRounds(*worse, m, n);
  }
  KernelChoice result = *best;
  if (!others.empty())
    result.reason += "; N = " + std::to_string(n) + " is " +
                     describeRounds(result, m, n) + others + ", on " +
                     std::to_string(chip.multiprocessors) + " multiprocessors";
  return result;
}

} // namespace qk::nvvm
