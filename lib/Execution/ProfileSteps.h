//===- ProfileSteps.h - Time each step of a forward -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_EXECUTION_PROFILESTEPS_H
#define QK_LIB_EXECUTION_PROFILESTEPS_H

#include "mlir/IR/BuiltinOps.h"
#include "qk/Execution/Executable.h"

namespace qk {

/// The function that instrumented code calls after a step: adds what passed
/// since `begin` (qk_profile_begin) to `step`. To be bound to
/// profileEndSymbol.
void endProfileStep(double begin, ProfileStep *step);
inline constexpr llvm::StringLiteral profileEndSymbol = "qk_profile_end_step";

/// Puts a clock around every call of a step of `module` (LLVM dialect): of
/// kernels, of outlined loops, of the runtime's products, of allocation and
/// copies. Returns a counter for each kind; the code holds their addresses.
std::vector<std::unique_ptr<ProfileStep>>
instrumentSteps(mlir::ModuleOp module);

} // namespace qk

#endif // QK_LIB_EXECUTION_PROFILESTEPS_H
