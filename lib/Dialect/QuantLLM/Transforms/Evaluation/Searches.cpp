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

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateSmoothing(SmoothingFactorsOp op, StringRef layer) {
  auto known = factors.find(op.getFactors());
  if (known != factors.end())
    return known->second;
  FailureOr<RecipeElements> absmax = evaluate(op.getAbsmax(), layer);
  if (failed(absmax))
    return failure();
  FailureOr<Group> group = evaluateGroup(op.getWeights(), layer);
  if (failed(group))
    return failure();
  auto result =
      numerics::smoothingFactors(absmax->data(), absmax->size(), group->views,
                                 op.getAlpha().convertToDouble());
  if (!result)
    return emitLayerError(op, layer, result.error());
  return factors[op.getFactors()] = *result;
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateSaliency(SaliencyFactorsOp op, StringRef layer) {
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
