//===- LowerToReference.h - quant_llm to linalg -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_LOWERTOREFERENCE_H
#define QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_LOWERTOREFERENCE_H

#include "mlir/IR/BuiltinOps.h"

namespace qk {

/// What `quant-llm-to-reference` does to the module. `keepsGlobals`: tensors of
/// 2 and 4 bits that IREE's `util.global.load` gives stay as they are, with
/// what reads them.
mlir::LogicalResult lowerToReference(mlir::ModuleOp module,
                                     bool keepsGlobals = false);

} // namespace qk

#endif // QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_LOWERTOREFERENCE_H
