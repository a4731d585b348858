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
struct ApplyAwq : public qk::quant_llm::impl::ApplyAwqPassBase<ApplyAwq> {
  using ApplyAwqPassBase::ApplyAwqPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    LayerMethod method;
    method.bits = bits;
    method.groupSize = groupSize;
    method.symmetric = symmetric;
    method.scaleType = scaleType;
    method.scaleSearch = scaleSearch;
    FailureOr<ScaledLayers> which = parseScaledLayers(module, layers);
    if (failed(which) || failed(checkGrid()) ||
        failed(method.getScheme(&getContext(),
                                [&] { return emitError(module.getLoc()); })) ||
        failed(recordSettings(
            module, {fallback, strict, outputWeights, report, recipeOnly})))
      return signalPassFailure();
    std::vector<RecipeLayer> found = collectLayers(module);
    if (failed(checkHasLayers(module, found)))
      return signalPassFailure();
    FailureOr<std::vector<LayerMethod>> methods =
        getLayerMethods(module, found, method, inherit, overrides);
    if (failed(methods))
      return signalPassFailure();
    scoreLayers = findScoreLayers(module);
    std::vector<LayerGroup> groups = collectGroups(found);
    for (LayerGroup &group : groups)
      apply(group, *which, [&](const RecipeLayer *layer) -> LayerMethod & {
        return (*methods)[layer - found.data()];
      });
  }

private:
  LogicalResult checkGrid() {
    if (grid >= 1)
      return success();
    return emitError(getOperation().getLoc())
           << "expected grid to be at least 1, got "
           << static_cast<int64_t>(grid);
  }

  RoundingScheme getScheme(const LayerMethod &method) {
    return *method.getScheme(
        &getContext(), [&] { return emitError(getOperation().getLoc()); });
  }

  void apply(LayerGroup &group, ScaledLayers which,
             llvm::function_ref<LayerMethod &(const RecipeLayer *)> methodOf) {
    RecipeLayer &first = *group.layers.front();
    SmallVector<Value> weights;
    for (RecipeLayer *layer : group.layers)
      weights.push_back(layer->weight);
    OpBuilder builder(&getContext());
    setInsertionPointAfterAll(builder, weights);
    Location location = first.uses.front()->getLoc();
    int64_t k = group.channels;
    auto statistic = [&](StatisticKind kind, ArrayRef<int64_t> shape) {
      Value value = StatisticOp::create(
          builder, location, RankedTensorType::get(shape, builder.getF32Type()),
          kind, group.name());
      return scaleStatistic(builder, value, first.columnScales);
    };
    Value hessian = statistic(StatisticKind::Hessian, {k, k});
    if (std::optional<GroupScaling> scaling = planScaling(group, which)) {
      RoundingScheme rounding = getScheme(methodOf(&first));
      Value factors = SaliencyFactorsOp::create(
          builder, location, RankedTensorType::get({k}, builder.getF32Type()),
          statistic(StatisticKind::AbsMean, {k}), hessian, weights,
          rounding.scheme, grid, duo, rounding.symmetric, scaling->shared);
      hessian = ScaleStatisticOp::create(builder, location, hessian.getType(),
                                         hessian, factors);
      scaleGroup(group, factors);
    }
    if (!round)
      return;
    for (RecipeLayer *layer : group.layers)
      roundLayer(*layer, hessian, methodOf(layer));
  }

  void roundLayer(RecipeLayer &layer, Value hessian,
                  const LayerMethod &method) {
    Value weight = layer.weight;
    RoundingScheme rounding = getScheme(method);
    bool comparedOnly = llvm::all_of(
        layer.uses, [&](Operation *use) { return scoreLayers.contains(use); });
    // Clipping is for rounding to nearest.
    if (clip && !comparedOnly && method.method == LayerMethod::Method::Rtn) {
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
