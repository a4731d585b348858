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

/// The values of a group's weights and views of them.
struct GroupWeights {
  std::vector<std::vector<float>> values;
  std::vector<numerics::WeightView> views;

  void add(std::vector<float> weight, Value value) {
    values.push_back(std::move(weight));
    // Moving the outer vector leaves the elements where they are.
    views.push_back({values.back().data(),
                     cast<RankedTensorType>(value.getType()).getDimSize(0)});
  }
};

static InFlightDiagnostic fail(Operation *op, StringRef layer,
                               const numerics::Error &error) {
  return op->emitError() << "layer '" << layer << "': " << error.message;
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateSmoothing(SmoothingFactorsOp op, StringRef layer) {
  auto known = factors.find(op.getFactors());
  if (known != factors.end())
    return known->second;
  FailureOr<Floats> absmax = evaluate(op.getAbsmax(), layer);
  if (failed(absmax))
    return failure();
  GroupWeights group;
  for (Value weight : op.getWeights()) {
    FailureOr<Floats> values = evaluate(weight, layer);
    if (failed(values))
      return failure();
    group.add(std::move(*values), weight);
  }
  auto result =
      numerics::smoothingFactors(absmax->data(), absmax->size(), group.views,
                                 op.getAlpha().convertToDouble());
  if (!result)
    return fail(op, layer, result.error());
  return factors[op.getFactors()] = *result;
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateSaliency(SaliencyFactorsOp op, StringRef layer) {
  auto known = factors.find(op.getFactors());
  if (known != factors.end())
    return known->second;
  FailureOr<Floats> absmean = evaluate(op.getAbsmean(), layer);
  if (failed(absmean))
    return failure();
  FailureOr<Floats> hessian = evaluate(op.getHessian(), layer);
  if (failed(hessian))
    return failure();
  GroupWeights group;
  for (Value weight : op.getWeights()) {
    FailureOr<Floats> values = evaluate(weight, layer);
    if (failed(values))
      return failure();
    group.add(std::move(*values), weight);
  }
  numerics::SaliencyOptions search;
  search.quantizer.scheme = op.getScheme().getScheme();
  search.quantizer.symmetric = op.getSymmetric();
  search.grid = op.getGrid();
  search.duo = op.getDuo();
  auto result = numerics::saliencyFactors(absmean->data(), hessian->data(),
                                          absmean->size(), group.views, search);
  if (!result)
    return fail(op, layer, result.error());
  return factors[op.getFactors()] = result->factors;
}

FailureOr<std::vector<float>> RecipeEvaluator::evaluateClip(ClipOp op,
                                                            StringRef layer) {
  FailureOr<Floats> weight = evaluate(op.getWeight(), layer);
  if (failed(weight))
    return failure();
  FailureOr<Floats> hessian = evaluate(op.getHessian(), layer);
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
    return fail(op, layer, result.error());
  roundToElementType(*result, type.getElementType());
  return *result;
}
