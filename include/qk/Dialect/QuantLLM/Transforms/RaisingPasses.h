//===- RaisingPasses.h - What other tools quantised -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_TRANSFORMS_RAISINGPASSES_H
#define QK_DIALECT_QUANTLLM_TRANSFORMS_RAISINGPASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace qk::quant_llm {

#define GEN_PASS_DECL
#include "qk/Dialect/QuantLLM/Transforms/RaisingPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "qk/Dialect/QuantLLM/Transforms/RaisingPasses.h.inc"

} // namespace qk::quant_llm

#endif // QK_DIALECT_QUANTLLM_TRANSFORMS_RAISINGPASSES_H
