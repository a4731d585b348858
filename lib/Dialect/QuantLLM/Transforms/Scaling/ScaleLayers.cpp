//===- ScaleLayers.cpp - Scaling a group's weights and input --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScaleLayers.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace qk::quant_llm;

FailureOr<ScaledLayers> qk::quant_llm::parseScaledLayers(ModuleOp module,
                                                         StringRef text) {
  auto which = llvm::StringSwitch<std::optional<ScaledLayers>>(text)
                   .Case("norms", ScaledLayers::Norms)
                   .Case("foldable", ScaledLayers::Foldable)
                   .Case("all", ScaledLayers::All)
                   .Default(std::nullopt);
  if (!which)
    return emitError(module.getLoc())
           << "expected layers to be norms, foldable or all, got '" << text
           << "'";
  return *which;
}

LogicalResult qk::quant_llm::checkGrid(ModuleOp module, int64_t grid) {
  if (grid >= 1)
    return success();
  return emitError(module.getLoc())
         << "expected grid to be at least 1, got " << grid;
}

std::optional<GroupScaling> qk::quant_llm::planScaling(const LayerGroup &group,
                                                       ScaledLayers which) {
  FoldFinding finding = planFold(group.inputs, group.channels);
  GroupScaling scaling;
  if (!finding.plan) {
    if (which == ScaledLayers::All)
      return scaling;
    return std::nullopt;
  }
  if (which == ScaledLayers::Norms && !finding.plan->isNorm())
    return std::nullopt;
  SmallVector<int64_t> shared;
  for (ChannelDigit digit : finding.plan->shared) {
    shared.push_back(digit.size);
    shared.push_back(digit.stride);
  }
  if (!shared.empty())
    scaling.shared = DenseI64ArrayAttr::get(
        group.layers.front()->weight.getContext(), shared);
  return scaling;
}

void qk::quant_llm::scaleGroup(LayerGroup &group, Value factors) {
  for (RecipeLayer *layer : group.layers) {
    OpBuilder builder(factors.getContext());
    setInsertionPointAfterAll(builder, {layer->weight, factors});
    layer->weight = ScaleColumnsOp::create(
        builder, layer->uses.front()->getLoc(), layer->weight.getType(),
        layer->weight, factors, /*inverse=*/false, llvm::APFloat(0.0));
    layer->columnScales.push_back(factors);
    for (Operation *use : layer->uses)
      if (auto linear = dyn_cast<LinearOp>(use))
        linear.getWeightMutable().assign(layer->weight);
  }
  // One division for each value.
  llvm::DenseMap<Value, Value> divided;
  for (OpOperand *input : group.inputs) {
    Value &scaled = divided[input->get()];
    if (!scaled) {
      OpBuilder builder(input->getOwner());
      if (Operation *producer = input->get().getDefiningOp())
        builder.setInsertionPointAfter(producer);
      auto divide = ScaleColumnsOp::create(
          builder, input->getOwner()->getLoc(), input->get().getType(),
          input->get(), factors, /*inverse=*/true, llvm::APFloat(0.0));
      hoistBefore(factors, divide);
      scaled = divide;
    }
    input->set(scaled);
  }
}

void qk::quant_llm::quantizeInputs(LayerGroup &group,
                                   ActivationSchemeAttr scheme, Value absmax) {
  llvm::DenseMap<Value, QuantizeOp> quantized;
  for (RecipeLayer *layer : group.layers)
    for (Operation *use : layer->uses) {
      auto matmul = cast<MatmulOp>(use);
      Value x = getFloatInput(matmul)->get();
      QuantizeOp &op = quantized[x];
      if (!op) {
        OpBuilder builder(matmul);
        if (Operation *producer = x.getDefiningOp())
          builder.setInsertionPointAfter(producer);
        op = QuantizeOp::create(builder, matmul.getLoc(), x, scheme);
        if (absmax) {
          hoistBefore(absmax, op);
          builder.setInsertionPoint(op);
          op.getStaticScaleMutable().assign(ActivationScaleOp::create(
              builder, matmul.getLoc(), op.getScales().getType(), absmax,
              scheme));
        }
      }
      Operation *old = matmul.getX().getDefiningOp<QuantizeOp>();
      matmul.getXMutable().assign(op.getCodes());
      matmul.getXScalesMutable().assign(op.getScales());
      matmul.getXZeroPointsMutable().clear();
      matmul.setXSchemeAttr(scheme);
      if (old)
        eraseIfDead(old);
    }
}
