//===- WgmmaTable.cpp - Kernels on wgmma by M -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WgmmaTable.h"

#include <algorithm>

namespace qk::nvvm {

bool hasWgmma(const Chip &chip, const MatmulProblem &problem) {
  // The instructions are this very target's.
  if (chip.name != "sm_90a" || problem.packing == Layout::Simt)
    return false;
  // Beside products and sums of a group, sums of x have no registers. Codes of
  // fewer bits than x need none: zero points are subtracted from them.
  return problem.packing == Layout::Mma || !problem.hasZeroPoints ||
         problem.scheme.bits() < 8 || problem.mmaLayout().groups() == 1;
}

WgmmaConfig fitWgmma(const Chip &chip, const MatmulProblem &problem,
                     WgmmaConfig wanted) {
  KernelChoice choice;
  choice.family = KernelFamily::Wgmma;
  choice.problem = problem;
  choice.wgmma = wanted;
  WgmmaConfig &config = choice.wgmma;
  // Two atoms are a panel.
  config.panels = int(
      std::max<int64_t>(config.panels, problem.mmaLayout().unitAtoms() / 2));
  // A slot is given back only once the warpgroup's next one is there.
  if (problem.int8Activations)
    config.stages = std::max(config.stages, 2 * config.groupsK);
  while (choice.sharedBytes() > chip.blockSharedBytes) {
    if (config.stages > 2 * config.groupsK)
      config.stages -= config.groupsK;
    else
      config.tokens /= 2;
  }
  config.lag = std::min(config.lag, config.stages - 1);
  config.maxSplit = int(std::clamp<int64_t>(
      choice.wgmmaSlices() / (2 * config.groupsK), 1, config.maxSplit));
  config.wave = chip.multiprocessors;
  config.cluster = std::min(config.cluster, config.maxSplit);
  return config;
}

/// Whether a slice of 128 codes has one scale a channel, and few registers hold
/// it: then a consumer has room for many sums without a spill
/// (test/Target/NVVM/ptxas-mma.test).
static bool hasRoom(const MatmulProblem &problem) {
  MmaLayout layout = problem.mmaLayout();
  constexpr int64_t sliceAtoms = 4;
  bool oneScale =
      layout.groups() == 1 || layout.atomsPerGroup() % sliceAtoms == 0;
  bool manyWords = problem.hasZeroPoints &&
                   problem.scheme.scaleType == numerics::ScaleType::F32;
  return oneScale && !manyWords && problem.scheme.bits() >= 4;
}

/// Whether 256 channels a block are worth a thought where a weight has many of
/// them: what they were measured with (README.md, Few tokens).
static bool hasWideKernels(const MatmulProblem &problem) {
  return hasRoom(problem) && problem.scheme.bits() == 4 &&
         problem.type == ElementType::F16 && !problem.hasZeroPoints &&
         problem.scheme.scaleType != numerics::ScaleType::F32;
}

/// Sums in i32 that scales multiply once, at the end.
static bool isPlainInt8(const MatmulProblem &problem) {
  return problem.int8Activations && problem.scheme.bits() == 8 &&
         !problem.hasZeroPoints && problem.mmaLayout().groups() == 1;
}

int64_t firstWgmmaRow(const MatmulProblem &problem) {
  return isPlainInt8(problem) ? 9 : 33;
}

/// Rows of the table for activations of 8 bits and codes of fewer: as W4A16's,
/// whose codes' bytes these are; products of a group beside sums leave
/// registers for 128 by 128, and for two scales a slice.
template <typename Add>
static void addFewBitKernels(const MatmulProblem &problem, Add add) {
  MmaLayout layout = problem.mmaLayout();
  constexpr int panelAtoms = 2;
  bool manyScales = layout.groups() > 1 && layout.atomsPerGroup() < panelAtoms;
  bool fitsHalfSlice = layout.unitAtoms() <= panelAtoms;
  int panels = manyScales && fitsHalfSlice ? 1 : 2;
  auto kernel = [&](int tokens) {
    return WgmmaConfig{.tokens = tokens,
                       .rowTiles = 1,
                       .panels = panels,
                       .stages = (tokens > 64 ? 8 : 16) / panels,
                       .lag = 0,
                       .cluster = 2,
                       .maxSplit = 4};
  };
  if (manyScales && !fitsHalfSlice) {
    WgmmaConfig config = kernel(64);
    config.band = 8;
    add(-1, config,
        "M > 32 on sm_90a: wgmma of bytes; many scales a slice leave registers "
        "for few tokens");
    return;
  }
  add(64, kernel(64),
      "M > 32 on sm_90a: wgmma of bytes; 128 channels a block, blocks split K");
  WgmmaConfig config = kernel(128);
  config.band = 8;
  add(-1, config,
      "M > 64: 128 channels by 128 tokens a block; codes become bytes once for "
      "all of them");
}

/// Rows of the table for activations of 8 bits: add(last M, configuration,
/// reason). All of them have as many slices under way as slots.
template <typename Add>
static void addInt8Kernels(const MatmulProblem &problem, Add add) {
  // Measured on an H200 (README.md): up to 128 tokens, 64 channels a block give
  // every multiprocessor one at 8192 channels, with no sums to add up between
  // blocks; the two warpgroups split K.
  auto few = [](int tokens) {
    return WgmmaConfig{.tokens = tokens,
                       .rowTiles = 1,
                       .groupsN = 1,
                       .groupsK = 2,
                       .panels = 1,
                       .stages = tokens > 16 ? 8 : 16,
                       .lag = 0,
                       .maxSplit = 4};
  };
  if (isPlainInt8(problem)) {
    add(16, few(16),
        "M up to 16 on sm_90a: wgmma; 64 channels a block, two warpgroups "
        "split K, many slices under way");
    add(32, few(32), "M up to 32: the same for 32 tokens");
  }
  add(64, few(64),
      "M up to 64 on sm_90a: wgmma; 64 channels by 64 tokens a block, two "
      "warpgroups split K");
  add(128, few(128), "M up to 128: the same for 128 tokens");
  if (problem.mmaLayout().groups() > 1)
    add(-1,
        {.tokens = 128,
         .rowTiles = 1,
         .panels = 1,
         .stages = 6,
         .lag = 0,
         .maxSplit = 4,
         .band = 16},
        "M > 128: 128 channels by 128 tokens a block; products of a group "
        "beside sums leave no registers for more");
  else if (problem.hasZeroPoints)
    add(-1,
        {.tokens = 96,
         .rowTiles = 2,
         .panels = 1,
         .stages = 5,
         .lag = 0,
         .maxSplit = 4,
         .band = 8},
        "M > 128: 256 channels by 96 tokens a block; of three products one is "
        "the sums of x, for zero points");
  else
    add(-1,
        {.tokens = 256,
         .rowTiles = 1,
         .panels = 1,
         .stages = 4,
         .lag = 0,
         .maxSplit = 4,
         .band = 16},
        "M > 128 is bound by tensor cores: 128 channels by 256 tokens a block "
        "read shared memory least");
}

std::vector<KernelChoice> chooseWgmmaKernels(const Chip &chip,
                                             const MatmulProblem &problem) {
  std::vector<KernelChoice> choices;
  int64_t first = firstWgmmaRow(problem);
  auto addBetween = [&](int64_t mFrom, int64_t mTo, int64_t roundCost,
                        WgmmaConfig config, const char *reason) {
    KernelChoice choice;
    choice.family = KernelFamily::Wgmma;
    choice.problem = problem;
    choice.wgmma = fitWgmma(chip, problem, config);
    choice.mFrom = mFrom;
    choice.mTo = mTo;
    choice.roundCost = roundCost;
    choice.reason = reason;
    choices.push_back(choice);
  };
  auto add = [&](int64_t mTo, WgmmaConfig config, const char *reason) {
    addBetween(choices.empty() ? first : choices.back().mTo + 1, mTo,
               /*roundCost=*/0, config, reason);
  };
  if (problem.int8Activations) {
    if (problem.scheme.bits() < 8)
      addFewBitKernels(problem, add);
    else
      addInt8Kernels(problem, add);
    return choices;
  }
  if (!hasRoom(problem)) {
    // Codes of 3 bits come 256 at a time, with as many as eight scales.
    int tokens = problem.scheme.bits() == 3 ? 32 : 64;
    add(-1,
        {.tokens = tokens,
         .rowTiles = 1,
         .stages = 8,
         .cluster = 2,
         .maxSplit = 4,
         .band = 8},
        "M > 32 on sm_90a: wgmma; many scales or zero points leave registers "
        "for few tokens");
    return choices;
  }
  // Blocks of 256 channels read x half as often and wait for scales once for
  // twice the work, but they are half as many: they are chosen by N, where they
  // fill the chip's multiprocessors so well that rounds are saved. They split
  // no K: where they could, the smaller ones were better (4096 and 8192
  // channels).
  bool isWide = hasWideKernels(problem);
  if (isWide)
    // Beside mma.sync's.
    addBetween(17, first - 1, /*roundCost=*/432,
               {.tokens = 32,
                .rowTiles = 1,
                .groupsN = 4,
                .panels = 4,
                .stages = 4,
                .lag = 2},
               "M up to 32 and many channels on sm_90a: wgmma; 256 channels a "
               "block wait for scales once for 256 codes of each");
  // Two blocks are a cluster, of which as many run at once as blocks alone; of
  // clusters of four only 30 do (measured on an H200).
  add(64,
      {.tokens = 64, .rowTiles = 1, .stages = 8, .cluster = 2, .maxSplit = 4},
      "M > 32 on sm_90a: wgmma; 128 channels a block, blocks split K");
  if (isWide) {
    choices.back().roundCost = 394;
    addBetween(first, 64, /*roundCost=*/699,
               {.tokens = 64, .rowTiles = 2, .stages = 6, .lag = 2},
               "M up to 64 and many channels on sm_90a: wgmma; 256 channels a "
               "block read x half as often");
  }
  add(1024,
      {.tokens = 128,
       .rowTiles = 1,
       .stages = 5,
       .cluster = 2,
       .maxSplit = 4,
       .band = 8},
      "M up to 1024: 128 channels by 128 tokens give every multiprocessor a "
      "block");
  add(-1, {.tokens = 96, .rowTiles = 2, .stages = 5, .maxSplit = 4, .band = 8},
      "M > 1024 is bound by tensor cores: 256 channels by 96 tokens a block "
      "unpack a code and read x seldom, and two warpgroups do it in turns");
  return choices;
}

} // namespace qk::nvvm
