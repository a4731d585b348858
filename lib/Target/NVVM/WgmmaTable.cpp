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
  // Beside products and sums of a group, sums of x have no registers.
  return problem.packing == Layout::Mma || !problem.hasZeroPoints ||
         problem.mmaLayout().groups() == 1;
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

/// Rows of the table: add(last M, configuration, reason).
template <typename Add>
static void addInt8Kernels(const MatmulProblem &problem, Add add) {
  if (problem.mmaLayout().groups() > 1 || problem.hasZeroPoints) {
    add(-1,
        {.tokens = 64,
         .rowTiles = 1,
         .panels = 1,
         .stages = 8,
         .lag = 0,
         .maxSplit = 4,
         .band = 8},
        "M > 32 on sm_90a: wgmma; scales of groups, or zero points, take the "
        "registers of as many tokens");
    return;
  }
  add(64,
      {.tokens = 64,
       .rowTiles = 1,
       .panels = 1,
       .stages = 8,
       .lag = 0,
       .maxSplit = 4},
      "M > 32 on sm_90a: wgmma; 128 channels a block, blocks split K");
  add(256,
      {.tokens = 128,
       .rowTiles = 1,
       .panels = 1,
       .stages = 6,
       .lag = 0,
       .maxSplit = 4,
       .band = 8},
      "M up to 256: 128 channels by 128 tokens, blocks split K");
  add(-1,
      {.tokens = 128,
       .rowTiles = 2,
       .panels = 1,
       .stages = 4,
       .lag = 0,
       .maxSplit = 4,
       .band = 8},
      "M > 256 is bound by tensor cores: 256 channels by 128 tokens a block");
}

std::vector<KernelChoice> chooseWgmmaKernels(const Chip &chip,
                                             const MatmulProblem &problem) {
  std::vector<KernelChoice> choices;
  auto add = [&](int64_t mTo, WgmmaConfig config, const char *reason) {
    KernelChoice choice;
    choice.family = KernelFamily::Wgmma;
    choice.problem = problem;
    choice.wgmma = fitWgmma(chip, problem, config);
    choice.mFrom = choices.empty() ? kWgmmaFrom : choices.back().mTo + 1;
    choice.mTo = mTo;
    choice.reason = reason;
    choices.push_back(choice);
  };
  if (problem.int8Activations) {
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
         .maxSplit = 4,
         .band = 8},
        "M > 32 on sm_90a: wgmma; many scales or zero points leave registers "
        "for few tokens");
    return choices;
  }
  add(64, {.tokens = 64, .rowTiles = 1, .stages = 8, .maxSplit = 4},
      "M > 32 on sm_90a: wgmma; 128 channels a block, blocks split K");
  add(1024,
      {.tokens = 128, .rowTiles = 1, .stages = 5, .maxSplit = 4, .band = 8},
      "M up to 1024: 128 channels by 128 tokens give every multiprocessor a "
      "block");
  add(-1, {.tokens = 96, .rowTiles = 2, .stages = 5, .maxSplit = 4, .band = 8},
      "M > 1024 is bound by tensor cores: 256 channels by 96 tokens a block "
      "unpack a code and read x seldom, and two warpgroups do it in turns");
  return choices;
}

} // namespace qk::nvvm
