//===- RecipeEvaluator.h - One recipe's values ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_RECIPEEVALUATOR_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_RECIPEEVALUATOR_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Dialect/QuantLLM/Transforms/Evaluate.h"
#include "qk/Numerics/Gptq.h"

#include "llvm/ADT/DenseMap.h"

#include <optional>
#include <vector>

namespace qk::quant_llm {

/// What one rounding gave.
struct RoundedWeight {
  numerics::QuantizedWeight weight;
  std::string method;
  /// Relative output error on the statistics, where there are any.
  std::optional<double> error;
  double damping = 0;
  int64_t deadColumns = 0;
  /// Round-to-nearest in place of what was asked for.
  bool fellBack = false;
};

/// Rounds values to what a tensor of `element` (f32, f16, bf16) can hold.
void roundToElementType(std::vector<float> &values, mlir::Type element);

/// Computes recipe values with the numerical core. Errors are emitted at the
/// op and name the layer.
class RecipeEvaluator {
public:
  /// `identityHessian`: no layer has statistics, the user was warned.
  RecipeEvaluator(StatisticsSource *source, const EvaluateOptions &options,
                  bool identityHessian)
      : source(source), options(options), identityHessian(identityHessian) {}

  /// Computes a `round_to_nearest` or `round_compensated` of `layer`.
  mlir::FailureOr<RoundedWeight> round(mlir::Operation *rounding,
                                       llvm::StringRef layer);

private:
  using Floats = std::vector<float>;
  mlir::FailureOr<Floats> evaluate(mlir::Value value, llvm::StringRef layer);
  mlir::FailureOr<Floats> evaluateStatistic(StatisticOp op);
  mlir::FailureOr<Floats> evaluateTranspose(TransposeOp op,
                                            llvm::StringRef layer);
  mlir::FailureOr<Floats> evaluateScaleColumns(ScaleColumnsOp op,
                                               llvm::StringRef layer);
  mlir::FailureOr<Floats> evaluateScaleStatistic(ScaleStatisticOp op,
                                                 llvm::StringRef layer);
  mlir::FailureOr<Floats> evaluateSmoothing(SmoothingFactorsOp op,
                                            llvm::StringRef layer);
  mlir::FailureOr<Floats> evaluateSaliency(SaliencyFactorsOp op,
                                           llvm::StringRef layer);
  mlir::FailureOr<Floats> evaluateClip(ClipOp op, llvm::StringRef layer);
  mlir::FailureOr<RoundedWeight> roundToNearest(RoundToNearestOp op,
                                                llvm::StringRef layer);
  mlir::FailureOr<RoundedWeight> roundCompensated(RoundCompensatedOp op,
                                                  llvm::StringRef layer);
  /// Orders and factors, reusing the last one for layers that share an input.
  mlir::FailureOr<const numerics::PreparedHessian *>
  prepare(RoundCompensatedOp op, llvm::ArrayRef<float> hessian, int64_t k,
          const numerics::GptqOptions &gptqOptions, std::string &failure);

  StatisticsSource *source;
  const EvaluateOptions &options;
  bool identityHessian;

  /// The last factorisation and what it was made from.
  struct Cached {
    const float *hessian = nullptr;
    int64_t k = 0;
    numerics::ColumnOrder order{};
    double damping = 0;
    numerics::PreparedHessian prepared;
  };
  std::optional<Cached> cache;
  /// Factors that several layers of a group use.
  llvm::DenseMap<mlir::Value, Floats> factors;
};

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_RECIPEEVALUATOR_H
