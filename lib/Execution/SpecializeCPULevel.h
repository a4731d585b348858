//===- SpecializeCPULevel.h - No code for other machines --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_EXECUTION_SPECIALIZECPULEVEL_H
#define QK_LIB_EXECUTION_SPECIALIZECPULEVEL_H

#include "llvm/ADT/STLFunctionalExtras.h"

#include <cstdint>

namespace llvm {
class Module;
} // namespace llvm

namespace qk {

/// Takes best(levels) for the result of every call of `qk_choose_cpu_level`
/// (where it is not negative) and removes the kernels of other levels: code
/// compiled in memory runs on this machine only, and three of four levels would
/// be compiled for nothing.
void specializeCPULevel(llvm::Module &module,
                        llvm::function_ref<int32_t(int32_t levels)> best);

} // namespace qk

#endif // QK_LIB_EXECUTION_SPECIALIZECPULEVEL_H
