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

/// What `quant-llm-bind-parameters` binds to; see Passes.td.
struct BindOptions {
  /// A safetensors file, an index of shards, or a folder with either.
  std::string weights;
  /// A JSON file.
  std::string weightNames;
};

/// What `quant-llm-bind-parameters` does.
::mlir::LogicalResult bindParameters(::mlir::ModuleOp module,
                                     const BindOptions &options);

} // namespace qk::quant_llm

#endif // QK_DIALECT_QUANTLLM_TRANSFORMS_PASSES_H
