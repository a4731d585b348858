//===- SpecializeCPULevel.h - No code for other machines --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_EXECUTION_SPECIALIZECPULEVEL_H
#define QK_LIB_EXECUTION_SPECIALIZECPULEVEL_H

#include <cstdint>

namespace llvm {
class Module;
} // namespace llvm

namespace qk {

/// Takes `level` for the result of every call of `qk_cpu_level` and removes the
/// kernels of other levels: code compiled in memory runs on this machine only,
/// and three of four levels would be compiled for nothing.
void specializeCPULevel(llvm::Module &module, int32_t level);

} // namespace qk

#endif // QK_LIB_EXECUTION_SPECIALIZECPULEVEL_H
