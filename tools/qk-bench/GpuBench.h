//===- GpuBench.h - GPU kernels against the card's limits -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKBENCH_GPUBENCH_H
#define QK_TOOLS_QKBENCH_GPUBENCH_H

/// `qk-bench --gpu`: lists kernels, writes them as files for qk-gpu-run, or
/// runs that on this machine's GPU. Gives the exit status.
int benchGpu(int argc, char **argv);

#endif // QK_TOOLS_QKBENCH_GPUBENCH_H
