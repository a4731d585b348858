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
    : public MethodPass<
          qk::quant_llm::impl::ApplySmoothQuantPassBase<ApplySmoothQuant>> {
  using MethodPass::MethodPass;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<ScaledLayers> which = parseScaledLayers(module, layers);
    if (failed(which) || failed(checkOptions()))
      return signalPassFailure();
    LayerMethod method = getMethod(LayerMethod::Method::Rtn);
    method.perTensor = perTensor;
    method.format = format;
    FailureOr<MethodLayers> found = collect(method);
    if (failed(found))
      return signalPassFailure();
    for (LayerGroup &group : found->getGroups())
      apply(group, *which, *found);
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
    if (failed(checkGrid(module, grid)))
      return failure();
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
        ActivationSchemeAttr::get(&getContext(), 8, *granularity, -1,
                                  /*isFloat=*/format == "e4m3");
    return success();
  }

  void smooth(LayerGroup &group, const RoundingScheme &rounding,
              const GroupScaling &scaling) {
    SmallVector<Value> weights = getWeights(group);
    OpBuilder builder(&getContext());
    setInsertionPointAfterAll(builder, weights);
    Location location = group.layers.front()->uses.front()->getLoc();
    Value absmax = createStatistic(builder, group, StatisticKind::AbsMax);
    Value factors;
    if (fixedAlpha)
      factors = SmoothingFactorsOp::create(
          builder, location, absmax.getType(), absmax, weights,
          llvm::APFloat(*fixedAlpha), scaling.shared);
    else
      factors = SearchSmoothingFactorsOp::create(
          builder, location, absmax.getType(), absmax,
          createStatistic(builder, group, StatisticKind::Hessian), weights,
          rounding.scheme, activationScheme, grid, rounding.symmetric,
          rounding.perTensor, scaling.shared);
    scaleGroup(group, factors);
  }

  void apply(LayerGroup &group, ScaledLayers which,
             const MethodLayers &methods) {
    if (std::optional<GroupScaling> scaling = planScaling(group, which))
      smooth(group, methods.getScheme(*group.layers.front()), *scaling);
    if (!round)
      return;
    for (RecipeLayer *layer : group.layers)
      rounder.round(*layer, layer->weight, methods.getMethod(*layer));
    Value absmax;
    if (activations == "per-tensor-static") {
      OpBuilder builder(&getContext());
      setInsertionPointAfterAll(builder, getWeights(group));
      absmax = createStatistic(builder, group, StatisticKind::AbsMax);
    }
    quantizeInputs(group, activationScheme, absmax);
  }

  LayerRounder rounder;
  std::optional<double> fixedAlpha;
  ActivationSchemeAttr activationScheme;
};
} // namespace
