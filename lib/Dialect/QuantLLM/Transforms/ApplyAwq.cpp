//===- ApplyAwq.cpp - The recipe of AWQ -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerMethod.h"
#include "Scaling/ScaleLayers.h"

#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace qk::quant_llm {
#define GEN_PASS_DEF_APPLYAWQPASS
#include "qk/Dialect/QuantLLM/Transforms/Passes.h.inc"
} // namespace qk::quant_llm

namespace {
struct ApplyAwq
    : public MethodPass<qk::quant_llm::impl::ApplyAwqPassBase<ApplyAwq>> {
  using MethodPass::MethodPass;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<ScaledLayers> which = parseScaledLayers(module, layers);
    if (failed(which) || failed(checkGrid(module, grid)))
      return signalPassFailure();
    FailureOr<MethodLayers> found =
        collect(getMethod(LayerMethod::Method::Rtn));
    if (failed(found))
      return signalPassFailure();
    scoreLayers = findScoreLayers(module);
    for (LayerGroup &group : found->getGroups())
      apply(group, *which, *found);
  }

private:
  void apply(LayerGroup &group, ScaledLayers which,
             const MethodLayers &methods) {
    RecipeLayer &first = *group.layers.front();
    SmallVector<Value> weights = getWeights(group);
    OpBuilder builder(&getContext());
    setInsertionPointAfterAll(builder, weights);
    Value hessian = createStatistic(builder, group, StatisticKind::Hessian);
    if (std::optional<GroupScaling> scaling = planScaling(group, which)) {
      RoundingScheme rounding = methods.getScheme(first);
      Value absmean = createStatistic(builder, group, StatisticKind::AbsMean);
      Location location = first.uses.front()->getLoc();
      Value factors = SaliencyFactorsOp::create(
          builder, location, absmean.getType(), absmean, hessian, weights,
          rounding.scheme, grid, duo, rounding.symmetric, scaling->shared);
      hessian = ScaleStatisticOp::create(builder, location, hessian.getType(),
                                         hessian, factors);
      scaleGroup(group, factors);
    }
    if (!round)
      return;
    for (RecipeLayer *layer : group.layers)
      roundLayer(*layer, hessian, methods);
  }

  void roundLayer(RecipeLayer &layer, Value hessian,
                  const MethodLayers &methods) {
    Value weight = layer.weight;
    const LayerMethod &method = methods.getMethod(layer);
    bool comparedOnly = llvm::all_of(
        layer.uses, [&](Operation *use) { return scoreLayers.contains(use); });
    // Clipping is for rounding to nearest.
    if (clip && !comparedOnly && method.method == LayerMethod::Method::Rtn) {
      RoundingScheme rounding = methods.getScheme(layer);
      OpBuilder builder(&getContext());
      setInsertionPointAfterAll(builder, {weight, hessian});
      weight = ClipOp::create(builder, layer.uses.front()->getLoc(),
                              weight.getType(), weight, hessian,
                              rounding.scheme, grid, rounding.symmetric);
    }
    rounder.round(layer, weight, method);
  }

  LayerRounder rounder;
  /// Query and key projections.
  llvm::DenseSet<Operation *> scoreLayers;
};
} // namespace
