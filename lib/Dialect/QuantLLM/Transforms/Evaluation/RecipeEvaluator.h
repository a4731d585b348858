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
#include "qk/Numerics/WeightView.h"

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

/// Emits what the numerical core says of a layer.
mlir::InFlightDiagnostic emitLayerError(mlir::Operation *op,
                                        llvm::StringRef layer,
                                        const numerics::Error &error);

/// Rounds values to what a tensor of `element` (f32, f16, bf16) can hold.
void roundToElementType(std::vector<float> &values, mlir::Type element);

/// The elements of a value of the recipe: computed, or a view of statistics
/// that their source keeps until they are released.
class RecipeElements {
public:
  RecipeElements(std::vector<float> computed)
      : owned(std::move(computed)), elements(owned) {}
  RecipeElements(RecipeElements &&other)
      : owned(std::move(other.owned)), elements(other.elements) {}
  static RecipeElements viewOf(llvm::ArrayRef<float> elements) {
    RecipeElements view{std::vector<float>()};
    view.elements = elements;
    return view;
  }

  llvm::ArrayRef<float> get() const { return elements; }
  const float *data() const { return elements.data(); }
  size_t size() const { return elements.size(); }

  /// An array of this size to write a result to, which becomes the caller's:
  /// the elements themselves where they were computed, so that the result is
  /// made in place; else a new one. data() can still be read.
  std::vector<float> takeStorage() {
    if (owned.empty())
      return std::vector<float>(size());
    return std::move(owned);
  }

private:
  std::vector<float> owned;
  llvm::ArrayRef<float> elements;
};

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

  /// Computes a tensor that isn't a rounding's; `layer` is for messages.
  mlir::FailureOr<std::vector<float>> compute(mlir::Value value,
                                              llvm::StringRef layer);

private:
  using Floats = std::vector<float>;
  mlir::FailureOr<RecipeElements> evaluate(mlir::Value value,
                                           llvm::StringRef layer);
  mlir::FailureOr<RecipeElements> evaluateStatistic(StatisticOp op);
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
  mlir::FailureOr<Floats> evaluateSmoothingSearch(SearchSmoothingFactorsOp op,
                                                  llvm::StringRef layer);
  mlir::FailureOr<Floats> evaluateScaleRows(ScaleRowsOp op,
                                            llvm::StringRef layer);
  mlir::FailureOr<Floats> evaluateGather(GatherFactorsOp op,
                                         llvm::StringRef layer);
  mlir::FailureOr<Floats> evaluateActivationScale(ActivationScaleOp op,
                                                  llvm::StringRef layer);
  /// The output error of a rounding whose recipe scaled or clipped the weight.
  mlir::FailureOr<std::optional<double>>
  measureError(mlir::Value weight, const numerics::QuantizedWeight &rounded,
               llvm::StringRef layer);
  mlir::FailureOr<Floats> evaluateClip(ClipOp op, llvm::StringRef layer);
  mlir::FailureOr<Floats> evaluateSalientColumns(SalientColumnsOp op,
                                                 llvm::StringRef layer);
  /// Weights that read one input.
  struct Group {
    std::vector<RecipeElements> values;
    std::vector<numerics::WeightView> views;
  };
  mlir::FailureOr<Group> evaluateGroup(mlir::OperandRange weights,
                                       llvm::StringRef layer);
  /// What factors of a group are made from; `hessian` is null where not needed.
  struct SearchInputs {
    RecipeElements magnitudes;
    std::optional<RecipeElements> hessian;
    Group group;
  };
  /// The factors of `op`, by `search` on what it reads; made once for all
  /// layers of a group, 1 where there are no statistics.
  mlir::FailureOr<Floats> evaluateFactors(
      mlir::Operation *op, llvm::StringRef layer, mlir::Value magnitudes,
      mlir::Value hessian, mlir::OperandRange weights,
      llvm::function_ref<numerics::Result<Floats>(const SearchInputs &)>
          search);
  mlir::FailureOr<RoundedWeight> roundToNearest(RoundToNearestOp op,
                                                llvm::StringRef layer);
  mlir::FailureOr<RoundedWeight> roundCompensated(RoundCompensatedOp op,
                                                  llvm::StringRef layer);
  /// Rounds to nearest what can't be rounded with compensation, with a warning.
  mlir::FailureOr<RoundedWeight> fallBack(RoundCompensatedOp op,
                                          llvm::StringRef layer,
                                          const std::string &reason);
  mlir::FailureOr<RecipeElements> evaluateRetarget(RetargetOp op,
                                                   llvm::StringRef layer);
  /// Whether an optional op is left out for want of the cross moment; a remark
  /// says so once.
  mlir::FailureOr<bool> lacksCross(RetargetOp op);
  /// A Hessian and what tells it from others: the statistics it is, or the
  /// value of the recipe that was computed.
  struct HessianOf {
    llvm::ArrayRef<float> elements;
    uint64_t id = 0;
    mlir::Value value;
  };
  /// The Hessian of a rounding; `reason` says why there is none.
  mlir::FailureOr<HessianOf> evaluateHessian(mlir::Value value,
                                             llvm::StringRef layer,
                                             std::string &reason);
  bool isFactored(const HessianOf &hessian, double damping) const;
  /// Factors in any order.
  mlir::FailureOr<const numerics::PreparedHessian *>
  factor(const HessianOf &hessian, int64_t k, double damping,
         std::string &reason);
  /// Orders and factors, reusing the last one for layers that share an input.
  mlir::FailureOr<const numerics::PreparedHessian *>
  prepare(const HessianOf &hessian, int64_t k,
          const numerics::GptqOptions &gptqOptions, std::string &reason);

  StatisticsSource *source;
  const EvaluateOptions &options;
  bool identityHessian;
  bool saidCrossIsMissing = false;

  /// The last factorisation and what it was made from.
  struct Cached {
    mlir::Value value;
    uint64_t id;
    int64_t groupLength;
    numerics::ColumnOrder order;
    double damping;
    numerics::PreparedHessian prepared;
  };
  std::optional<Cached> cache;
  /// The last Hessian that was computed: a group's layers share it.
  std::optional<std::pair<mlir::Value, RecipeElements>> scaledHessian;
  /// Factors that several layers of a group use.
  llvm::DenseMap<mlir::Value, Floats> factors;
};

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_RECIPEEVALUATOR_H
