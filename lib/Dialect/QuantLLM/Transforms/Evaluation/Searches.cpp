//===- Searches.cpp - Factors and clipping of a recipe --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RecipeEvaluator.h"

#include "qk/Numerics/Clip.h"
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

/// No scaling, for a model without statistics.
static std::vector<float> ones(Value factors) {
  return std::vector<float>(
      cast<RankedTensorType>(factors.getType()).getDimSize(0), 1.0f);
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateSmoothing(SmoothingFactorsOp op, StringRef layer) {
  if (identityHessian)
    return ones(op.getFactors());
  auto known = factors.find(op.getFactors());
  if (known != factors.end())
    return known->second;
  FailureOr<RecipeElements> absmax = evaluate(op.getAbsmax(), layer);
  if (failed(absmax))
    return failure();
  FailureOr<Group> group = evaluateGroup(op.getWeights(), layer);
  if (failed(group))
    return failure();
  auto result = numerics::smoothingFactors(
      absmax->data(), absmax->size(), group->views,
      op.getAlpha().convertToDouble(), getShared(op.getShared()));
  if (!result)
    return emitLayerError(op, layer, result.error());
  return factors[op.getFactors()] = *result;
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateSmoothingSearch(SearchSmoothingFactorsOp op,
                                         StringRef layer) {
  if (identityHessian)
    return ones(op.getFactors());
  auto known = factors.find(op.getFactors());
  if (known != factors.end())
    return known->second;
  FailureOr<RecipeElements> absmax = evaluate(op.getAbsmax(), layer);
  if (failed(absmax))
    return failure();
  FailureOr<RecipeElements> hessian = evaluate(op.getHessian(), layer);
  if (failed(hessian))
    return failure();
  FailureOr<Group> group = evaluateGroup(op.getWeights(), layer);
  if (failed(group))
    return failure();
  numerics::SmoothingSearchOptions search;
  search.quantizer.scheme = op.getScheme().getScheme();
  search.quantizer.symmetric = op.getSymmetric();
  search.quantizer.perTensor = op.getPerTensor();
  search.maxCode = op.getXScheme().getMaxCode();
  search.perToken = op.getXScheme().getGranularity() == Granularity::PerToken;
  search.grid = op.getGrid();
  search.shared = getShared(op.getShared());
  auto result = numerics::searchSmoothingFactors(
      absmax->data(), hessian->data(), absmax->size(), group->views, search);
  if (!result)
    return emitLayerError(op, layer, result.error());
  return factors[op.getFactors()] = result->factors;
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateGather(GatherFactorsOp op, StringRef layer) {
  FailureOr<RecipeElements> from = evaluate(op.getFactors(), layer);
  if (failed(from))
    return failure();
  // Index 0 of no digits; each digit multiplies the indices.
  std::vector<int64_t> indices{0};
  for (auto [size, stride] : llvm::zip(op.getSizes(), op.getStrides())) {
    std::vector<int64_t> longer;
    for (int64_t index : indices)
      for (int64_t i = 0; i < size; ++i)
        longer.push_back(index + i * stride);
    indices = std::move(longer);
  }
  Floats result;
  for (int64_t index : indices)
    result.push_back(from->get()[index]);
  return result;
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateActivationScale(ActivationScaleOp op,
                                         StringRef layer) {
  FailureOr<RecipeElements> absmax = evaluate(op.getAbsmax(), layer);
  if (failed(absmax))
    return failure();
  float largest = llvm::max_element(absmax->get())[0];
  return Floats{largest > 0 ? largest / op.getScheme().getMaxCode() : 1.0f};
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateSaliency(SaliencyFactorsOp op, StringRef layer) {
  if (identityHessian)
    return ones(op.getFactors());
  auto known = factors.find(op.getFactors());
  if (known != factors.end())
    return known->second;
  FailureOr<RecipeElements> absmean = evaluate(op.getAbsmean(), layer);
  if (failed(absmean))
    return failure();
  FailureOr<RecipeElements> hessian = evaluate(op.getHessian(), layer);
  if (failed(hessian))
    return failure();
  FailureOr<Group> group = evaluateGroup(op.getWeights(), layer);
  if (failed(group))
    return failure();
  numerics::SaliencyOptions search;
  search.quantizer.scheme = op.getScheme().getScheme();
  search.quantizer.symmetric = op.getSymmetric();
  search.grid = op.getGrid();
  search.duo = op.getDuo();
  search.shared = getShared(op.getShared());
  auto result = numerics::saliencyFactors(
      absmean->data(), hessian->data(), absmean->size(), group->views, search);
  if (!result)
    return emitLayerError(op, layer, result.error());
  return factors[op.getFactors()] = result->factors;
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
  auto result = numerics::clip(weight->data(), type.getDimSize(0),
                               type.getDimSize(1), hessian->data(), search);
  if (!result)
    return emitLayerError(op, layer, result.error());
  roundToElementType(*result, type.getElementType());
  return *result;
}
