//===- Passes.h - Calibration and evaluation --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CALIBRATION_PASSES_H
#define QK_CALIBRATION_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

#include <memory>
#include <string>

namespace qk::calibration {

#define GEN_PASS_DECL
#include "qk/Calibration/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "qk/Calibration/Passes.h.inc"

} // namespace qk::calibration

#endif // QK_CALIBRATION_PASSES_H
