//===- MmaTable.cpp - Kernels on mma.sync by M ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MmaTable.h"

#include <algorithm>

namespace qk::nvvm {

/// Sums of products of two bytes fit in 32 bits up to here, and of x times a
/// code less its zero point, which has a bit more.
constexpr int64_t kMaxInt8Group = 131072;
constexpr int64_t kMaxInt8GroupWithZero = kMaxInt8Group / 2;
/// The first chip with the shapes of mma.sync and cp.async.
constexpr int kFirstCapability = 80;
/// The first chip that multiplies e4m3.
constexpr int kFirstFloat8Capability = 89;
/// What the system takes of a multiprocessor's shared memory for a block.
constexpr int64_t kReservedShared = 1 << 10;
constexpr int64_t kRegisters = 65536;
constexpr int64_t kThreads = 1536;

Layout preferredLayout(const Chip &chip, const MatmulProblem &problem,
                       std::string *why) {
  auto answer = [&](Layout layout, const char *reason) {
    if (why)
      *why = reason;
    return layout;
  };
  if (problem.int8Activations)
    return answer(
        Layout::MmaS8,
        problem.scheme.isFloat() ? "activations of e4m3: mma.sync of e4m3"
        : problem.scheme.bits() < 8
            ? "activations of 8 bits: mma.sync of s8, codes at the top of bytes"
            : "activations of 8 bits: mma.sync of s8");
  if (chip.capability < kFirstCapability)
    return answer(Layout::Simt, "no mma.sync of this shape before sm_80");
  if (problem.type == ElementType::F32)
    return answer(Layout::Simt,
                  "activations of f32, which tensor cores would round");
  if (problem.scheme.bits() == 8 && problem.hasZeroPoints)
    return answer(Layout::Simt, "8-bit codes less a zero point have more bits "
                                "than a 16-bit float holds");
  return answer(Layout::Mma, "16-bit activations: mma.sync");
}

std::string unsupported(const Chip &chip, const MatmulProblem &problem) {
  if (problem.scheme.isFloat()) {
    if (!problem.int8Activations)
      return "codes of e4m3 need activations of e4m3, got floats; quantise x "
             "with the same format, per token";
    if (chip.capability < kFirstFloat8Capability)
      return "codes of e4m3 need sm_89 or later, got " +
             std::string(chip.name) + "; quantise with format=int8";
  }
  if (problem.packing == Layout::Simt) {
    if (problem.int8Activations)
      return "layout nvvm-simt takes no activations of 8 bits";
    return "";
  }
  if (chip.capability < kFirstCapability)
    return "layout " + std::string(layoutName(problem.packing)) +
           " needs mma.sync as sm_80 and later have it, got " +
           std::string(chip.name);
  if ((problem.packing == Layout::MmaS8) != problem.int8Activations)
    return "layout " + std::string(layoutName(problem.packing)) +
           (problem.int8Activations ? " takes no activations of 8 bits"
                                    : " takes activations of 8 bits only");
  if (problem.int8Activations) {
    int64_t length = problem.scheme.groupLength(problem.k);
    int64_t longest =
        problem.hasZeroPoints ? kMaxInt8GroupWithZero : kMaxInt8Group;
    if (!problem.scheme.isFloat() && length > longest)
      return "expected at most " + std::to_string(longest) +
             " input channels with one scale for activations of 8 bits, got " +
             std::to_string(length);
    return "";
  }
  MatmulProblem other = problem;
  if (std::string why; preferredLayout(chip, other, &why) != Layout::Mma)
    return "layout nvvm-mma does not take this: " + why;
  return "";
}

/// Blocks of `choice` that a multiprocessor runs at once.
static int64_t blocksAtOnce(const Chip &chip, const KernelChoice &choice) {
  int64_t shared = (chip.blockSharedBytes + kReservedShared) /
                   (choice.sharedBytes() + kReservedShared);
  int64_t registers = kRegisters / (choice.mma.maxRegisters * choice.threads());
  return std::max<int64_t>(
      1, std::min({shared, registers, kThreads / choice.threads()}));
}

MmaConfig fitMma(const Chip &chip, const MatmulProblem &problem,
                 MmaConfig wanted) {
  KernelChoice choice;
  choice.family = KernelFamily::Decode;
  choice.problem = problem;
  choice.mma = wanted;
  MmaConfig &config = choice.mma;
  MmaLayout layout = problem.mmaLayout();
  // No warp without work, but two of them at least.
  int minWarps = config.warpsN * config.warpsM > 1 ? 1 : 2;
  while ((config.warpsK > minWarps || config.units > 1) &&
         (config.warpsK - 1) * config.units >= layout.units()) {
    if (config.units > 1)
      config.units /= 2;
    else
      config.warpsK /= 2;
  }
  while (choice.sharedBytes() > chip.blockSharedBytes) {
    if (config.stages > 3)
      --config.stages;
    else if (config.units > 1)
      config.units /= 2;
    else if (config.stages > 2)
      --config.stages;
    else if (config.warpsK > minWarps)
      config.warpsK /= 2;
    else
      config.tokens /= 2;
  }
  config.maxSplit =
      int(std::clamp<int64_t>(choice.mmaSlices() / 2, 1, config.maxSplit));
  config.wave = int(chip.multiprocessors * blocksAtOnce(chip, choice));
  return config;
}

/// Units of a warp in a slice: `vectors` 16-byte loads a lane and tile.
static int unitsOf(const MatmulProblem &problem, int64_t vectors) {
  return int(std::max<int64_t>(1, vectors / problem.mmaLayout().unitVectors()));
}

std::vector<KernelChoice> chooseMmaKernels(const Chip &chip,
                                           const MatmulProblem &problem) {
  std::vector<KernelChoice> choices;
  auto add = [&](KernelFamily family, int64_t mTo, MmaConfig config,
                 const char *reason, int64_t roundCost = 0) {
    KernelChoice choice;
    choice.family = family;
    choice.problem = problem;
    choice.mma = fitMma(chip, problem, config);
    // A row that is cut so much that it is the one before.
    if (!choices.empty() && choices.back().family == family &&
        choices.back().mma == choice.mma) {
      choices.back().mTo = mTo;
      return;
    }
    choice.mFrom = choices.empty() ? 1 : choices.back().mTo + 1;
    choice.mTo = mTo;
    choice.roundCost = roundCost;
    choice.reason = reason;
    choices.push_back(choice);
  };
  int64_t atoms = problem.mmaLayout().unitAtoms();
  auto unitsOfAtoms = [&](int64_t wanted) {
    return int(std::max<int64_t>(1, wanted / atoms));
  };
  // Products of a group of e4m3 are floats beside their sums, of which ptxas
  // spills a few bytes with two tiles a warp.
  bool manyFloats =
      problem.scheme.isFloat() && problem.scheme.groups(problem.k) > 1;
  // On sm_90 and sm_100a ptxas makes mma.sync of e4m3 out of conversions and
  // products of f16, which takes registers.
  bool isMadeUp = problem.scheme.isFloat() &&
                  (chip.capability == 90 || chip.capability == 100);
  // What a lane holds besides codes and sums: little where a scale is a half
  // and lasts for a unit or more.
  bool isLean = !manyFloats && !isMadeUp && problem.scheme.bits() != 3 &&
                !problem.hasZeroPoints &&
                (problem.int8Activations || problem.type == ElementType::F16) &&
                problem.scheme.scaleType != numerics::ScaleType::F32 &&
                problem.mmaLayout().segmentAtoms() == atoms;
  int decodeRegisters = isLean ? 128 : 168;
  // The other end: a unit of 3-bit codes has up to eight scales and zero
  // points, which leave registers for one tile, or for no codes. One block runs
  // at once with 168 registers, too.
  bool isCrowded = problem.scheme.bits() == 3 && problem.hasZeroPoints &&
                   problem.mmaLayout().segmentAtoms() < atoms;
  // For activations of 8 bits a unit of 2 or 3-bit codes with several scales is
  // half as many loads, or one tile.
  bool manyScales =
      isCrowded || (problem.int8Activations && problem.scheme.bits() < 4 &&
                    problem.mmaLayout().segmentAtoms() < atoms);
  int decodeUnits = unitsOf(problem, manyScales ? 2 : 4);
  // Measured on an H200 (README.md): four blocks a multiprocessor with half
  // the codes under way each are better than two.
  add(KernelFamily::Decode, 1,
      {.tokens = 1,
       .warpsK = 8,
       .units = decodeUnits,
       .maxRegisters = isLean && problem.scheme.bits() == 4 ? 64 : 128},
      "M = 1 is bound by reading weights: 16 channels a block, eight warps "
      "split K, each has 2 KiB of codes under way");
  add(KernelFamily::Decode, 8,
      {.tokens = 8,
       .rowTiles = 2,
       .warpsK = 8,
       .units = decodeUnits,
       .maxRegisters = decodeRegisters},
      "M up to 8 is one column block of mma.sync; 32 channels a block read x "
      "half as often, eight warps split K");
  add(KernelFamily::Decode, 16,
      {.tokens = 16,
       .rowTiles = manyScales ? 1 : 2,
       .warpsK = 8,
       .units = unitsOf(problem, 2),
       .maxRegisters = manyScales ? 255 : decodeRegisters},
      "M up to 16: two column blocks for each unpacked weight");
  bool hasGroups = problem.scheme.groups(problem.k) > 1;
  // Codes that become bytes: a zero point is subtracted for 64 tokens by two
  // instructions for four codes, in place of a product for each 8 tokens.
  bool fewBits = problem.int8Activations && problem.scheme.bits() < 8;
  bool subtractZeros = fewBits && problem.hasZeroPoints;
  // A slice of 128 codes; 256 where they are bytes.
  int units = unitsOfAtoms(fewBits ? 2 : 4);
  // Where sm_80 would convert a sum for each four products. Sums of x are not
  // bounded enough.
  constexpr int64_t largestProduct = 128 * 128, largestSum = 1 << 22;
  bool floatSums =
      chip.capability == 80 && problem.mmaLayout().hasIntegerSums() &&
      hasGroups && (!problem.hasZeroPoints || subtractZeros) &&
      problem.mmaLayout().groupLength() * largestProduct < largestSum;
  // The sums of x, and products apart from sums beside twice as many codes,
  // take the registers of as many tokens.
  bool manySums = problem.int8Activations && !fewBits &&
                  (problem.hasZeroPoints || hasGroups);
  int tokens = manySums || isMadeUp ? 32 : 64;
  // Codes of 2 bits are twice as many a load: with two tiles a warp a few bytes
  // of them would spill.
  if (!isLean || problem.scheme.bits() == 2) {
    // Several scales a slice, or many codes: fewer tokens leave room for them.
    bool isHeavy =
        hasGroups && (problem.scheme.bits() == 3 ||
                      problem.mmaLayout().atomsPerGroup() < units * atoms);
    if (isHeavy)
      tokens = 32;
    // The sums of x of a group beside products of a group.
    if (manySums && problem.hasZeroPoints && hasGroups)
      tokens = 16;
    add(KernelFamily::Prefill, 32,
        {.tokens = 32,
         .warpsN = 4,
         .warpsK = 2,
         .units = units,
         .stages = 3,
         .codesInRing = isCrowded,
         .maxSplit = 4,
         .subtractZeros = subtractZeros,
         .floatSums = floatSums,
         .maxRegisters = 255},
        "M up to 32: 64 channels a block, two warps split K, and blocks do "
        "where they are few; one tile a warp leaves registers for scales");
    add(KernelFamily::Prefill, -1,
        {.tokens = tokens,
         .warpsN = 8,
         .warpsK = 1,
         .units = units,
         .stages = 3,
         .codesInRing = problem.scheme.bits() == 3,
         .maxSplit = 4,
         .band = 8,
         .subtractZeros = subtractZeros,
         .floatSums = floatSums,
         .maxRegisters = 255},
        "M > 32: 128 channels a block, one tile a warp leaves registers for "
        "scales; blocks split K where they are few");
    return choices;
  }
  // Two scales a slice and tile leave registers for half as many sums.
  if (fewBits && hasGroups &&
      problem.mmaLayout().atomsPerGroup() < units * atoms)
    tokens = 32;
  add(KernelFamily::Prefill, 32,
      {.tokens = 32,
       .rowTiles = 2,
       .warpsN = 2,
       .warpsK = 4,
       .units = units,
       .stages = 3,
       .maxSplit = 4,
       .subtractZeros = subtractZeros,
       .floatSums = floatSums,
       .maxRegisters = 255},
      "M up to 32: 64 channels a block, four warps split K, and blocks do "
      "where they are few",
      /*roundCost=*/175);
  // Two scales a slice and tile spill beside two tiles' sums: half a slice has
  // one, or leaves room for 32 tokens' sums.
  const int64_t atomsPerGroup = problem.mmaLayout().atomsPerGroup();
  bool halfSlices =
      hasGroups && !fewBits && units > 1 && atomsPerGroup < units * atoms;
  if (halfSlices) {
    units /= 2;
    if (atomsPerGroup < units * atoms)
      tokens = 32;
  }
  // ptxas for sm_100a spills two registers of the loop where it is twice as
  // long.
  int middleUnits =
      chip.capability == 100 && !halfSlices ? std::max(units / 2, 1) : units;
  add(KernelFamily::Prefill, 256,
      {.tokens = tokens,
       .rowTiles = 2,
       .warpsN = 4,
       .warpsK = 2,
       .units = middleUnits,
       .stages = 3,
       .maxSplit = 4,
       .subtractZeros = subtractZeros,
       .floatSums = floatSums,
       .maxRegisters = 255},
      "M up to 256: 128 channels a block read x seldom, two warps split K, and "
      "blocks do where they are few");
  add(KernelFamily::Prefill, -1,
      {.tokens = tokens,
       .rowTiles = 2,
       .warpsN = 8,
       .warpsK = 1,
       .units = units,
       .stages = halfSlices ? 3 : 2,
       .band = 8,
       .subtractZeros = subtractZeros,
       .floatSums = floatSums,
       .maxRegisters = 255},
      "M > 256 is bound by tensor cores: 256 channels a block unpack a weight "
      "once for 64 tokens, which all warps share");
  return choices;
}

} // namespace qk::nvvm
