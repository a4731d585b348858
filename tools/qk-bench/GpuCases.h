//===- GpuCases.h - What the GPU kernels are measured on --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKBENCH_GPUCASES_H
#define QK_TOOLS_QKBENCH_GPUCASES_H

#include "qk/Target/NVVM/KernelTable.h"

namespace qk::bench {

/// A launch of a kernel: a shape, and the kernel that the table gives for it or
/// one with other parameters.
struct GpuCase {
  /// "u4 g128 f16 m=1 8192x8192", and what is other than in the table.
  std::string name, variant;
  bool timed = false;
  nvvm::KernelChoice choice;
  int64_t m = 0, n = 0;
  uint64_t seed = 1;
};

/// The shapes that are timed, each with its kernel from the table.
std::vector<GpuCase> timedCases(const nvvm::Chip &chip);

/// `count` odd shapes of all schemes, drawn from `seed`, to be checked.
std::vector<GpuCase> sweepCases(const nvvm::Chip &chip, int count,
                                uint64_t seed);

/// A kernel with other parameters: "FAMILY[@M[+M…]]:KEY=VALUE[,KEY=VALUE…]".
/// Without `@M` it is for the shapes that get FAMILY from the table; with it,
/// for those M, whatever they get.
struct GpuVariant {
  std::string text, family;
  std::vector<int64_t> tokens;
  std::vector<std::pair<std::string, int64_t>> values;
};

/// Reads a variant. Empty, or what is wrong with it.
std::string parseVariant(const std::string &text, GpuVariant &variant);

/// `of` with the variant's kernel, in `result`, where the variant is for it.
/// Empty, or why there is no such kernel.
std::string applyVariant(const nvvm::Chip &chip, const GpuCase &of,
                         const GpuVariant &variant,
                         std::optional<GpuCase> &result);

} // namespace qk::bench

#endif // QK_TOOLS_QKBENCH_GPUCASES_H
