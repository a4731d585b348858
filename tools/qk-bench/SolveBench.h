//===- SolveBench.h - Time of the numerical core ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QK_BENCH_SOLVEBENCH_H
#define QK_TOOLS_QK_BENCH_SOLVEBENCH_H

#include <cstdint>

/// Prints the time of statistics, round-to-nearest and GPTQ on a made-up layer
/// W[n,k], beside the rate of sgemm in the same process: a solve's floor is the
/// papers' operation count, 2k³/3 + n·k², at that rate. All take turns,
/// `rounds` times; medians are printed, of CPU time on one thread, of wall time
/// on more.
void benchSolve(int64_t n, int64_t k, int rounds);

#endif // QK_TOOLS_QK_BENCH_SOLVEBENCH_H
