//===- Passes.h - Passes on the quant_llm dialect ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_TRANSFORMS_PASSES_H
#define QK_DIALECT_QUANTLLM_TRANSFORMS_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

#include <memory>
#include <string>

namespace qk::quant_llm {

#define GEN_PASS_DECL
#include "qk/Dialect/QuantLLM/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "qk/Dialect/QuantLLM/Transforms/Passes.h.inc"

/// What `quant-llm-bind-parameters` does. `weights` may be empty.
::mlir::LogicalResult bindParameters(::mlir::ModuleOp module,
                                     ::llvm::StringRef weights);

} // namespace qk::quant_llm

#endif // QK_DIALECT_QUANTLLM_TRANSFORMS_PASSES_H
