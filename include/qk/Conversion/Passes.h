//===- Passes.h - Conversions out of the dialects ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_PASSES_H
#define QK_CONVERSION_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace qk {

#define GEN_PASS_DECL
#include "qk/Conversion/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "qk/Conversion/Passes.h.inc"

} // namespace qk

#endif // QK_CONVERSION_PASSES_H
