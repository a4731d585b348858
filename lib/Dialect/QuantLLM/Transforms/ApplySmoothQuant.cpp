//===- ApplySmoothQuant.cpp - The recipe of SmoothQuant -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerMethod.h"
#include "Scaling/ScaleLayers.h"

#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace qk::quant_llm {
#define GEN_PASS_DEF_APPLYSMOOTHQUANTPASS
#include "qk/Dialect/QuantLLM/Transforms/Passes.h.inc"
} // namespace qk::quant_llm

namespace {
struct ApplySmoothQuant
    : public qk::quant_llm::impl::ApplySmoothQuantPassBase<ApplySmoothQuant> {
  using ApplySmoothQuantPassBase::ApplySmoothQuantPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    LayerMethod method;
    method.bits = bits;
    method.groupSize = groupSize;
    method.symmetric = symmetric;
    method.scaleType = scaleType;
    method.scaleSearch = scaleSearch;
    method.perTensor = perTensor;
    FailureOr<ScaledLayers> which = parseScaledLayers(module, layers);
    if (failed(which) || failed(checkOptions()) ||
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
    std::vector<LayerGroup> groups = collectGroups(found);
    for (LayerGroup &group : groups)
      apply(group, *which, [&](const RecipeLayer *layer) -> LayerMethod & {
        return (*methods)[layer - found.data()];
      });
  }

private:
  LogicalResult checkOptions() {
    ModuleOp module = getOperation();
    double number;
    if (alpha == "search")
      fixedAlpha = std::nullopt;
    else if (StringRef(alpha).getAsDouble(number) ||
             !(number >= 0 && number <= 1))
      return emitError(module.getLoc())
             << "expected alpha to be search or a number in [0, 1], got '"
             << alpha << "'";
    else
      fixedAlpha = number;
    if (grid < 1)
      return emitError(module.getLoc())
             << "expected grid to be at least 1, got "
             << static_cast<int64_t>(grid);
    auto granularity =
        llvm::StringSwitch<std::optional<Granularity>>(activations)
            .Case("per-token", Granularity::PerToken)
            .Cases({"per-tensor", "per-tensor-static"}, Granularity::PerTensor)
            .Default(std::nullopt);
    if (!granularity)
      return emitError(module.getLoc())
             << "expected activations to be per-token, per-tensor or "
                "per-tensor-static, got '"
             << activations << "'";
    activationScheme =
        ActivationSchemeAttr::get(&getContext(), 8, *granularity, -1);
    return success();
  }

  Value getStatistic(OpBuilder &builder, const LayerGroup &group,
                     StatisticKind kind) {
    int64_t k = group.channels;
    SmallVector<int64_t> shape{k};
    if (kind == StatisticKind::Hessian)
      shape.push_back(k);
    const RecipeLayer &first = *group.layers.front();
    Value statistic = StatisticOp::create(
        builder, first.uses.front()->getLoc(),
        RankedTensorType::get(shape, builder.getF32Type()), kind, group.name());
    return scaleStatistic(builder, statistic, first.columnScales);
  }

  void smooth(LayerGroup &group, const RoundingScheme &rounding,
              const GroupScaling &scaling) {
    SmallVector<Value> weights;
    for (RecipeLayer *layer : group.layers)
      weights.push_back(layer->weight);
    OpBuilder builder(&getContext());
    setInsertionPointAfterAll(builder, weights);
    Location location = group.layers.front()->uses.front()->getLoc();
    Value absmax = getStatistic(builder, group, StatisticKind::AbsMax);
    Value factors;
    if (fixedAlpha)
      factors = SmoothingFactorsOp::create(
          builder, location, absmax.getType(), absmax, weights,
          llvm::APFloat(*fixedAlpha), scaling.shared);
    else
      factors = SearchSmoothingFactorsOp::create(
          builder, location, absmax.getType(), absmax,
          getStatistic(builder, group, StatisticKind::Hessian), weights,
          rounding.scheme, activationScheme, grid, rounding.symmetric,
          rounding.perTensor, scaling.shared);
    scaleGroup(group, factors);
  }

  void apply(LayerGroup &group, ScaledLayers which,
             llvm::function_ref<LayerMethod &(const RecipeLayer *)> methodOf) {
    RoundingScheme rounding =
        *methodOf(group.layers.front()).getScheme(&getContext(), [&] {
          return emitError(getOperation().getLoc());
        });
    if (std::optional<GroupScaling> scaling = planScaling(group, which))
      smooth(group, rounding, *scaling);
    if (!round)
      return;
    for (RecipeLayer *layer : group.layers)
      rounder.round(*layer, layer->weight, methodOf(layer));
    Value absmax;
    if (activations == "per-tensor-static") {
      OpBuilder builder(&getContext());
      setInsertionPointAfterAll(
          builder, llvm::map_to_vector(group.layers, [](RecipeLayer *layer) {
            return layer->weight;
          }));
      absmax = getStatistic(builder, group, StatisticKind::AbsMax);
    }
    quantizeInputs(group, activationScheme, absmax);
  }

  LayerRounder rounder;
  std::optional<double> fixedAlpha;
  ActivationSchemeAttr activationScheme;
};
} // namespace
