//===- ApplyRtn.cpp - The recipe of round-to-nearest ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Recipe.h"

#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace qk::quant_llm {
#define GEN_PASS_DEF_APPLYRTNPASS
#include "qk/Dialect/QuantLLM/Transforms/Passes.h.inc"
} // namespace qk::quant_llm

namespace {
struct ApplyRtn : public qk::quant_llm::impl::ApplyRtnPassBase<ApplyRtn> {
  using ApplyRtnPassBase::ApplyRtnPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<RoundingScheme> rounding = getRoundingScheme(
        module, bits, groupSize, symmetric, scaleType, scaleSearch);
    if (failed(rounding) ||
        failed(recordSettings(
            module, {fallback, strict, outputWeights, report, recipeOnly})))
      return signalPassFailure();
    std::vector<RecipeLayer> layers = collectLayers(module);
    if (failed(checkHasLayers(module, layers)))
      return signalPassFailure();
    for (const RecipeLayer &layer : layers) {
      OpBuilder builder(module.getContext());
      builder.setInsertionPointAfterValue(layer.weight);
      auto op = RoundToNearestOp::create(
          builder, layer.uses.front()->getLoc(), layer.weight, rounding->scheme,
          rounding->symmetric, rounding->scaleSearch);
      replaceUses(layer, rounding->scheme,
                  {op.getCodes(), op.getScales(), op.getZeroPoints(), {}});
    }
  }
};
} // namespace
