//===- ApplyAwq.cpp - The recipe of AWQ -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerMethod.h"
#include "Scaling/ScaleLayers.h"

#include "qk/Dialect/QuantLLM/Transforms/HostDialect.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

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
    if (failed(which) || failed(checkGrid(module, grid)) ||
        failed(checkClipSweeps()) || failed(checkKeep()))
      return signalPassFailure();
    FailureOr<MethodLayers> found =
        collect(getMethod(LayerMethod::Method::Rtn));
    if (failed(found))
      return signalPassFailure();
    if (keep > 0) {
      for (LayerGroup &group : found->getGroups())
        for (RecipeLayer *layer : group.layers)
          keepSalient(group, *layer, *found);
      return;
    }
    scoreLayers = findScoreLayers(module);
    for (LayerGroup &group : found->getGroups())
      apply(group, *which, *found);
  }

private:
  LogicalResult checkClipSweeps() {
    if (clipSweeps < 0)
      return emitError(getOperation().getLoc())
             << "expected clip-sweeps to be at least 0, got "
             << static_cast<int64_t>(clipSweeps);
    return success();
  }

  LogicalResult checkKeep() {
    Location location = getOperation().getLoc();
    if (!(keep >= 0 && keep < 1))
      return emitError(location) << "expected keep to be at least 0 and less "
                                    "than 1, got "
                                 << static_cast<double>(keep);
    if (keep > 0 && isStableHLO(getOperation()))
      return emitError(location)
             << "keep adds a float layer to each quantised one, which is "
                "written in linalg; this module computes in StableHLO, bring "
                "it to linalg first";
    return success();
  }

  /// Rounds all but the columns fed most, which are a float layer of their own.
  void keepSalient(const LayerGroup &group, RecipeLayer &layer,
                   const MethodLayers &methods) {
    OpBuilder builder(&getContext());
    setInsertionPointAfterAll(builder, getWeights(group));
    Location location = layer.uses.front()->getLoc();
    Value absmean = createStatistic(builder, group, StatisticKind::AbsMean);
    auto count =
        std::max<int64_t>(1, std::llround(keep * double(group.channels)));
    auto part = [&](bool rest) -> Value {
      return SalientColumnsOp::create(builder, location, layer.weight.getType(),
                                      layer.weight, absmean, count, rest);
    };
    Value kept = part(false), others = part(true);
    auto type = cast<RankedTensorType>(kept.getType());
    if (type.getElementType().isF32())
      kept = arith::TruncFOp::create(builder, location,
                                     type.clone(builder.getF16Type()), kept);
    // A layer may come before the weights of others in its group.
    for (Operation *use : layer.uses) {
      hoistBefore(kept, use);
      hoistBefore(others, use);
    }
    std::string name = layer.layer + ".kept";
    rounder.round(layer, others, methods.getMethod(layer));
    for (Operation *use : layer.uses) {
      auto matmul = cast<MatmulOp>(use);
      builder.setInsertionPointAfter(matmul);
      auto linear =
          LinearOp::create(builder, location, matmul.getType(), matmul.getX(),
                           kept, /*bias=*/Value(), builder.getStringAttr(name));
      linear->setAttr(kKeptAttr, builder.getUnitAttr());
      Value empty = tensor::EmptyOp::create(
          builder, location,
          tensor::getMixedSizes(builder, location, linear.getY()),
          matmul.getType().getElementType());
      auto sum = linalg::AddOp::create(
          builder, location, ValueRange{matmul.getY(), linear.getY()}, empty);
      matmul.getY().replaceUsesWithIf(
          sum.getResult(0),
          [&](OpOperand &operand) { return operand.getOwner() != sum; });
    }
  }

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
                                         hessian, factors, /*columns=*/false);
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
      weight = ClipOp::create(
          builder, layer.uses.front()->getLoc(), weight.getType(), weight,
          hessian, rounding.scheme, grid, clipSweeps, rounding.symmetric);
    }
    rounder.round(layer, weight, method);
  }

  LayerRounder rounder;
  /// Query and key projections.
  llvm::DenseSet<Operation *> scoreLayers;
};
} // namespace
