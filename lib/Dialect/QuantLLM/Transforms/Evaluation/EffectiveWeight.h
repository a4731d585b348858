//===- EffectiveWeight.h - What a rounded layer computes with ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_EFFECTIVEWEIGHT_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_EFFECTIVEWEIGHT_H

#include "RecipeEvaluator.h"

namespace qk::quant_llm {

/// The weight [N,K] with which the model without the recipe's scales computes
/// what the quantised one does: `rounded` dequantised, and what the recipe
/// multiplied rows and columns by divided out again (and the other way round).
/// A layer whose input is divided by s and whose columns were multiplied by it
/// is the same as one with neither.
mlir::FailureOr<std::vector<float>>
computeEffectiveWeight(mlir::Operation *rounding, llvm::StringRef layer,
                       const numerics::QuantizedWeight &rounded,
                       RecipeEvaluator &evaluator);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_EFFECTIVEWEIGHT_H
