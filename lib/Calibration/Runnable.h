//===- Runnable.h - Whether a model can be run here -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CALIBRATION_RUNNABLE_H
#define QK_LIB_CALIBRATION_RUNNABLE_H

#include "mlir/IR/BuiltinOps.h"

namespace qk::calibration {

/// Fails where `module` has an op of a dialect that is not linked: nothing here
/// compiles it. The error, at the op, says how to get statistics all the same.
mlir::LogicalResult checkRunnable(mlir::ModuleOp module);

} // namespace qk::calibration

#endif // QK_LIB_CALIBRATION_RUNNABLE_H
