//===- GpuPlan.h - Launches for qk-gpu-run ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKBENCH_GPUPLAN_H
#define QK_TOOLS_QKBENCH_GPUPLAN_H

#include "GpuCases.h"
#include "GpuCompile.h"

namespace qk::bench {

/// An entry of cases.json, which tools/qk-gpu-run/Plan.cpp reads: the launch of
/// `kernel`, which is in `file` of the same folder, for `each`.
llvm::json::Object describeCase(const GpuCase &each,
                                const CompiledKernel &kernel,
                                llvm::StringRef file);

} // namespace qk::bench

#endif // QK_TOOLS_QKBENCH_GPUPLAN_H
