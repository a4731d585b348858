//===- HostDialect.h - What dialect a module is written in ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_TRANSFORMS_HOSTDIALECT_H
#define QK_DIALECT_QUANTLLM_TRANSFORMS_HOSTDIALECT_H

#include "mlir/IR/BuiltinOps.h"

namespace qk::quant_llm {

/// Module attribute: the dialect that raised layers were written in, where what
/// takes their place in a module that stays must be of that dialect too
/// ("stablehlo").
inline constexpr llvm::StringLiteral kHostDialectAttr =
    "quant_llm.host_dialect";

/// Whether `module` is written in StableHLO: raising said so, or it computes in
/// it (a lone `stablehlo.constant` is also left in TOSA by TFLite's converter).
bool isStableHLO(mlir::ModuleOp module);

} // namespace qk::quant_llm

#endif // QK_DIALECT_QUANTLLM_TRANSFORMS_HOSTDIALECT_H
