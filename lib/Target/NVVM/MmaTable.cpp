//===- MmaTable.cpp - Kernels on mma.sync by M ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MmaTable.h"

#include <algorithm>

namespace qk::nvvm {

/// Sums of products of two bytes fit in 32 bits up to here.
constexpr int64_t kMaxInt8Row = 131072;
/// The first chip with the shapes of mma.sync and cp.async.
constexpr int kFirstCapability = 80;
constexpr int64_t kMaxShared = 48 << 10;

Layout preferredLayout(const Chip &chip, const MatmulProblem &problem,
                       std::string *why) {
  auto answer = [&](Layout layout, const char *reason) {
    if (why)
      *why = reason;
    return layout;
  };
  if (problem.int8Activations)
    return answer(Layout::MmaS8, "activations of 8 bits: mma.sync of s8");
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
    if (problem.scheme.bits() != 8)
      return "activations of 8 bits need codes of 8 bits, got " +
             std::to_string(problem.scheme.bits());
    if (problem.k > kMaxInt8Row)
      return "expected at most " + std::to_string(kMaxInt8Row) +
             " input channels for activations of 8 bits, got " +
             std::to_string(problem.k);
    return "";
  }
  MatmulProblem other = problem;
  if (std::string why; preferredLayout(chip, other, &why) != Layout::Mma)
    return "layout nvvm-mma does not take this: " + why;
  return "";
}

int64_t mmaMaxRegisters(const MmaConfig &config) {
  // What the largest variants need without a spill (test/Target/NVVM): two
  // blocks of eight warps fit on a multiprocessor, or two of four.
  return config.warpsN * config.warpsK > 4 ? 128 : 200;
}

/// Fits `config` to the row and to shared memory.
static MmaConfig fit(KernelChoice choice) {
  MmaConfig &config = choice.mma;
  MmaLayout layout = choice.problem.mmaLayout();
  // Two atoms to four: 128 to 256 bytes of codes a lane under way at four bits.
  config.units = int(std::max<int64_t>(1, 4 / layout.unitAtoms()));
  if (config.tokens == 1)
    config.units *= 2;
  // No warp without work, but two of them at least.
  int minWarps = config.warpsN > 1 ? 1 : 2;
  while (config.warpsK > minWarps &&
         (config.warpsK - 1) * config.units >= layout.units())
    config.units > 1 ? config.units /= 2 : config.warpsK /= 2;
  while (choice.sharedBytes() > kMaxShared) {
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
  return config;
}

std::vector<KernelChoice> chooseMmaKernels(const Chip &,
                                           const MatmulProblem &problem) {
  std::vector<KernelChoice> choices;
  auto add = [&](KernelFamily family, int64_t mTo, MmaConfig config,
                 const char *reason) {
    KernelChoice choice;
    choice.family = family;
    choice.problem = problem;
    choice.mma = config;
    choice.mma = fit(choice);
    // A row that is cut so much that its tokens are those of the one before.
    if (!choices.empty() &&
        choices.back().blockTokens() >= choice.blockTokens()) {
      choices.back().mTo = mTo;
      return;
    }
    choice.mFrom = choices.empty() ? 1 : choices.back().mTo + 1;
    choice.mTo = mTo;
    choice.reason = reason;
    choices.push_back(choice);
  };
  add(KernelFamily::Decode, 1, {1, 1, 1, 8, 1, 2},
      "M = 1 is bound by reading weights: 16 channels a block, eight warps "
      "split K");
  add(KernelFamily::Decode, 8, {8, 2, 1, 8, 1, 2},
      "M up to 8 is one column block of mma.sync; 32 channels a block read x "
      "half as often, eight warps split K");
  add(KernelFamily::Decode, 16, {16, 2, 1, 8, 1, 2},
      "M up to 16: two column blocks for each unpacked weight");
  add(KernelFamily::Prefill, 32, {32, 1, 4, 2, 1, 2},
      "M up to 32: two warps split K, four have channels of their own");
  // The sums of x take the registers of as many tokens.
  bool manySums = problem.int8Activations && problem.hasZeroPoints &&
                  problem.scheme.groups(problem.k) > 1;
  add(KernelFamily::Prefill, -1, {manySums ? 32 : 64, 1, 4, 1, 1, 4},
      "M > 32 is bound by tensor cores: a weight is unpacked once for 64 "
      "tokens, x comes through a ring of slices that all warps share");
  return choices;
}

} // namespace qk::nvvm
