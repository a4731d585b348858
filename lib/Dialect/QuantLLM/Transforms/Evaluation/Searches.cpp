//===- Searches.cpp - Factors and clipping of a recipe --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RecipeEvaluator.h"

#include "qk/Numerics/Clip.h"
#include "qk/Numerics/Elementwise.h"
#include "qk/Numerics/SaliencyFactors.h"
#include "qk/Numerics/SmoothingFactors.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

FailureOr<RecipeEvaluator::Group>
RecipeEvaluator::evaluateGroup(OperandRange weights, StringRef layer) {
  Group group;
  for (Value weight : weights) {
    FailureOr<RecipeElements> values = evaluate(weight, layer);
    if (failed(values))
      return failure();
    // Moving the outer vector leaves the elements where they are.
    group.values.push_back(std::move(*values));
    group.views.push_back(
        {group.values.back().data(),
         cast<RankedTensorType>(weight.getType()).getDimSize(0)});
  }
  return group;
}

/// The op's attribute `shared` for the numerical core.
static std::vector<numerics::SharedDigit>
getShared(std::optional<ArrayRef<int64_t>> shared) {
  std::vector<numerics::SharedDigit> digits;
  if (shared)
    for (size_t i = 0; i + 1 < shared->size(); i += 2)
      digits.push_back({(*shared)[i], (*shared)[i + 1]});
  return digits;
}

FailureOr<std::vector<float>> RecipeEvaluator::evaluateFactors(
    Operation *op, StringRef layer, Value magnitudes, Value hessian,
    OperandRange weights,
    function_ref<numerics::Result<Floats>(const SearchInputs &)> search) {
  Value result = op->getResult(0);
  if (identityHessian)
    return Floats(cast<RankedTensorType>(result.getType()).getDimSize(0), 1.0f);
  auto known = factors.find(result);
  if (known != factors.end())
    return known->second;
  FailureOr<RecipeElements> sizes = evaluate(magnitudes, layer);
  if (failed(sizes))
    return failure();
  std::optional<RecipeElements> moments;
  if (hessian) {
    FailureOr<RecipeElements> elements = evaluate(hessian, layer);
    if (failed(elements))
      return failure();
    moments.emplace(std::move(*elements));
  }
  FailureOr<Group> group = evaluateGroup(weights, layer);
  if (failed(group))
    return failure();
  numerics::Result<Floats> found =
      search({std::move(*sizes), std::move(moments), std::move(*group)});
  if (!found)
    return emitLayerError(op, layer, found.error());
  return factors[result] = std::move(*found);
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateSmoothing(SmoothingFactorsOp op, StringRef layer) {
  return evaluateFactors(op, layer, op.getAbsmax(), Value(), op.getWeights(),
                         [&](const SearchInputs &inputs) {
                           return numerics::smoothingFactors(
                               inputs.magnitudes.data(),
                               inputs.magnitudes.size(), inputs.group.views,
                               op.getAlpha().convertToDouble(),
                               getShared(op.getShared()));
                         });
}

/// The factors of a search that gives more.
template <typename T>
static numerics::Result<std::vector<float>>
factorsOf(numerics::Result<T> result) {
  if (!result)
    return result.error();
  return std::move(result->factors);
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateSmoothingSearch(SearchSmoothingFactorsOp op,
                                         StringRef layer) {
  numerics::SmoothingSearchOptions search;
  search.quantizer.scheme = op.getScheme().getScheme();
  search.quantizer.symmetric = op.getSymmetric();
  search.quantizer.perTensor = op.getPerTensor();
  search.maxCode = op.getXScheme().getMaxCode();
  search.floatActivations = op.getXScheme().getIsFloat();
  search.perToken = op.getXScheme().getGranularity() == Granularity::PerToken;
  search.grid = op.getGrid();
  search.shared = getShared(op.getShared());
  return evaluateFactors(op, layer, op.getAbsmax(), op.getHessian(),
                         op.getWeights(), [&](const SearchInputs &inputs) {
                           return factorsOf(numerics::searchSmoothingFactors(
                               inputs.magnitudes.data(), inputs.hessian->data(),
                               inputs.magnitudes.size(), inputs.group.views,
                               search));
                         });
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateSaliency(SaliencyFactorsOp op, StringRef layer) {
  numerics::SaliencyOptions search;
  search.quantizer.scheme = op.getScheme().getScheme();
  search.quantizer.symmetric = op.getSymmetric();
  search.grid = op.getGrid();
  search.duo = op.getDuo();
  search.shared = getShared(op.getShared());
  return evaluateFactors(op, layer, op.getAbsmean(), op.getHessian(),
                         op.getWeights(), [&](const SearchInputs &inputs) {
                           return factorsOf(numerics::saliencyFactors(
                               inputs.magnitudes.data(), inputs.hessian->data(),
                               inputs.magnitudes.size(), inputs.group.views,
                               search));
                         });
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateGather(GatherFactorsOp op, StringRef layer) {
  FailureOr<RecipeElements> from = evaluate(op.getFactors(), layer);
  if (failed(from))
    return failure();
  std::vector<numerics::FactorDigit> digits;
  for (auto [i, size] : llvm::enumerate(op.getSizes())) {
    numerics::FactorDigit digit{size, op.getStrides()[i], 0, size};
    if (op.getFirst()) {
      digit.first = (*op.getFirst())[i];
      digit.count = (*op.getCount())[i];
    }
    digits.push_back(digit);
  }
  return numerics::gatherFactors(from->data(), digits);
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateActivationScale(ActivationScaleOp op,
                                         StringRef layer) {
  FailureOr<RecipeElements> absmax = evaluate(op.getAbsmax(), layer);
  if (failed(absmax))
    return failure();
  return Floats{numerics::activationScale(absmax->data(), absmax->size(),
                                          op.getScheme().getMaxCode())};
}

FailureOr<std::vector<float>> RecipeEvaluator::evaluateClip(ClipOp op,
                                                            StringRef layer) {
  FailureOr<RecipeElements> weight = evaluate(op.getWeight(), layer);
  if (failed(weight))
    return failure();
  FailureOr<RecipeElements> hessian = evaluate(op.getHessian(), layer);
  if (failed(hessian))
    return failure();
  auto type = cast<RankedTensorType>(op.getWeight().getType());
  numerics::ClipOptions search;
  search.quantizer.scheme = op.getScheme().getScheme();
  search.quantizer.symmetric = op.getSymmetric();
  search.grid = op.getGrid();
  search.sweeps = op.getSweeps();
  auto result = numerics::clip(weight->data(), type.getDimSize(0),
                               type.getDimSize(1), hessian->data(), search);
  if (!result)
    return emitLayerError(op, layer, result.error());
  roundToElementType(*result, type.getElementType());
  return *result;
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateSalientColumns(SalientColumnsOp op, StringRef layer) {
  FailureOr<RecipeElements> weight = evaluate(op.getWeight(), layer);
  if (failed(weight))
    return failure();
  int64_t k = cast<RankedTensorType>(op.getWeight().getType()).getDimSize(1);
  // Without statistics no channel is more salient than another.
  std::vector<bool> salient(k);
  if (!identityHessian) {
    FailureOr<RecipeElements> absmean = evaluate(op.getAbsmean(), layer);
    if (failed(absmean))
      return failure();
    auto found = numerics::salientChannels(absmean->data(), k, op.getCount());
    if (!found)
      return emitLayerError(op, layer, found.error());
    salient = std::move(*found);
  }
  Floats result(weight->get());
  for (size_t i = 0; i < result.size(); ++i)
    if (salient[i % k] == op.getRest())
      result[i] = 0;
  return result;
}
