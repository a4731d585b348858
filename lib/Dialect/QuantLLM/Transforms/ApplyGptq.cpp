//===- ApplyGptq.cpp - The recipe of GPTQ ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Recipe.h"

#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace qk::quant_llm {
#define GEN_PASS_DEF_APPLYGPTQPASS
#include "qk/Dialect/QuantLLM/Transforms/Passes.h.inc"
} // namespace qk::quant_llm

namespace {
struct ApplyGptq : public qk::quant_llm::impl::ApplyGptqPassBase<ApplyGptq> {
  using ApplyGptqPassBase::ApplyGptqPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<RoundingScheme> rounding = getRoundingScheme(
        module, bits, groupSize, symmetric, scaleType, scaleSearch,
        /*hasHessian=*/true);
    FailureOr<Order> columnOrder = checkOptions();
    if (failed(rounding) || failed(columnOrder) ||
        failed(recordSettings(
            module, {fallback, strict, outputWeights, report, recipeOnly})))
      return signalPassFailure();
    std::vector<RecipeLayer> layers = collectLayers(module);
    if (failed(checkHasLayers(module, layers)))
      return signalPassFailure();
    for (const RecipeLayer &layer : layers)
      apply(layer, *rounding, *columnOrder);
  }

private:
  FailureOr<Order> checkOptions() {
    ModuleOp module = getOperation();
    std::optional<Order> columnOrder = symbolizeOrder(order);
    if (!columnOrder)
      return emitError(module.getLoc())
             << "expected order to be none, activation or group_aware, got '"
             << order << "'";
    if (!(damping > 0))
      return emitError(module.getLoc())
             << "expected damping to be greater than 0, got " << damping;
    if (blockSize < 1)
      return emitError(module.getLoc())
             << "expected block-size to be at least 1, got "
             << static_cast<int64_t>(blockSize);
    if (sweeps < 0)
      return emitError(module.getLoc())
             << "expected sweeps to be at least 0, got "
             << static_cast<int64_t>(sweeps);
    return *columnOrder;
  }

  void apply(const RecipeLayer &layer, const RoundingScheme &rounding,
             Order columnOrder) {
    OpBuilder builder(layer.weight.getContext());
    builder.setInsertionPointAfterValue(layer.weight);
    Location location = layer.uses.front()->getLoc();
    int64_t k = cast<RankedTensorType>(layer.weight.getType()).getDimSize(1);
    Value hessian = StatisticOp::create(
        builder, location, RankedTensorType::get({k, k}, builder.getF32Type()),
        StatisticKind::Hessian, layer.layer);
    // The activation was divided by what the weight was multiplied with.
    for (Value factors : layer.columnScales)
      hessian = ScaleStatisticOp::create(builder, location, hessian.getType(),
                                         hessian, factors);
    auto op = RoundCompensatedOp::create(
        builder, location, layer.weight, hessian, rounding.scheme,
        rounding.symmetric, staticGroups, columnOrder, rounding.scaleSearch,
        damping, blockSize, sweeps);
    replaceUses(layer, rounding.scheme,
                {op.getCodes(), op.getScales(), op.getZeroPoints(),
                 op.getPermutation()});
  }
};
} // namespace
