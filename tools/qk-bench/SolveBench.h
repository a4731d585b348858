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
/// papers' operation count, 2k³/3 + n·k², at that rate.
void benchSolve(int64_t n, int64_t k);

#endif // QK_TOOLS_QK_BENCH_SOLVEBENCH_H
