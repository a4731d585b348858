//===- GpuCard.h - What a chip's card can do, by data sheet -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKBENCH_GPUCARD_H
#define QK_TOOLS_QKBENCH_GPUCARD_H

namespace qk::bench {

/// The card that a chip's limits are taken from where none is measured: data
/// sheets.
struct Card {
  const char *chip, *name;
  int multiprocessors;
  double gigahertz, terabytes, teraflops;
};
inline constexpr Card kCards[] = {
    {"sm_75", "T4", 40, 1.59, .32, 65},
    {"sm_80", "A100 80GB", 108, 1.41, 2.039, 312},
    {"sm_86", "A10", 72, 1.70, .60, 125},
    {"sm_89", "L40S", 142, 2.52, .864, 362},
    {"sm_90", "H100 SXM", 132, 1.83, 3.35, 989},
    {"sm_90a", "H100 SXM", 132, 1.83, 3.35, 989},
    {"sm_100a", "B200", 148, 1.85, 8.0, 2250},
    {"sm_120", "RTX 5090", 170, 2.41, 1.79, 210},
};

} // namespace qk::bench

#endif // QK_TOOLS_QKBENCH_GPUCARD_H
