//===- EffectiveWeight.cpp - What a rounded layer computes with -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EffectiveWeight.h"

#include "../Recipe.h"

#include "qk/Numerics/Elementwise.h"
#include "qk/Numerics/RoundToNearest.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

FailureOr<std::vector<float>>
qk::quant_llm::computeEffectiveWeight(Operation *rounding, StringRef layer,
                                      const numerics::QuantizedWeight &rounded,
                                      RecipeEvaluator &evaluator) {
  std::vector<float> weight = numerics::dequantize(rounded);
  // From the last op of the recipe to the parameter. What changes the weight
  // otherwise (clipping, another target) is what it was rounded for.
  Value value = rounding->getOperand(0);
  while (!isParameterView(value)) {
    Operation *op = value.getDefiningOp();
    numerics::Status status;
    if (auto columns = dyn_cast<ScaleColumnsOp>(op)) {
      FailureOr<std::vector<float>> factors =
          evaluator.compute(columns.getFactors(), layer);
      if (failed(factors))
        return failure();
      status = numerics::scaleColumns(weight.data(), rounded.n, rounded.k,
                                      factors->data(), !columns.getInverse(),
                                      weight.data(),
                                      columns.getOffset().convertToDouble());
    } else if (auto rows = dyn_cast<ScaleRowsOp>(op)) {
      FailureOr<std::vector<float>> factors =
          evaluator.compute(rows.getFactors(), layer);
      if (failed(factors))
        return failure();
      status = numerics::scaleRows(weight.data(), rounded.n, rounded.k,
                                   factors->data(), !rows.getInverse(),
                                   weight.data());
    } else if (auto part = dyn_cast<SalientColumnsOp>(op)) {
      // The other columns are a float layer beside, f32 ones in f16.
      FailureOr<std::vector<float>> whole =
          evaluator.compute(part.getWeight(), layer);
      FailureOr<std::vector<float>> rest =
          evaluator.compute(part.getResult(), layer);
      if (failed(whole) || failed(rest))
        return failure();
      for (size_t i = 0; i < weight.size(); ++i)
        (*whole)[i] -= (*rest)[i];
      if (part.getType().getElementType().isF32())
        roundToElementType(*whole, Float16Type::get(op->getContext()));
      for (size_t i = 0; i < weight.size(); ++i)
        weight[i] += (*whole)[i];
    } else if (isa<TransposeOp>(op)) {
      return op->emitError()
             << "layer '" << layer
             << "': expected a recipe that scales the weight as the layer "
                "reads "
                "it, [N,K], to calibrate block by block, got one that "
                "transposes it after that; leave out sequential";
    }
    if (!status)
      return emitLayerError(op, layer, status.error());
    value = op->getOperand(0);
  }
  return weight;
}
