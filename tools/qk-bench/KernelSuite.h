//===- KernelSuite.h - The kernels' goals, measured -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKBENCH_KERNELSUITE_H
#define QK_TOOLS_QKBENCH_KERNELSUITE_H

/// Measures the table of cases and prints, for each, the ratio to its limit
/// beside its goal. Gives the exit status: a missed goal is not an error.
int benchSuite(int argc, char **argv);

#endif // QK_TOOLS_QKBENCH_KERNELSUITE_H
