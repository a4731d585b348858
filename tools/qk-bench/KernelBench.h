//===- KernelBench.h - Kernels against the machine's limits -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKBENCH_KERNELBENCH_H
#define QK_TOOLS_QKBENCH_KERNELBENCH_H

/// Compiles one generated CPU kernel, checks it and times it beside the
/// machine's limits, as the command line says. Gives the exit status.
int benchKernel(int argc, char **argv);

#endif // QK_TOOLS_QKBENCH_KERNELBENCH_H
