//===- Recipe.cpp - Writing and rewriting recipes -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Recipe.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallPtrSet.h"

#include <algorithm>

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

/// The weight that an op's recipe rounds; null for codes that no recipe made.
static Value roundedWeight(Value codes) {
  if (auto op = codes.getDefiningOp<RoundToNearestOp>())
    return op.getWeight();
  if (auto op = codes.getDefiningOp<RoundCompensatedOp>())
    return op.getWeight();
  return {};
}

std::vector<RecipeLayer> qk::quant_llm::collectLayers(ModuleOp module) {
  std::vector<RecipeLayer> layers;
  llvm::DenseMap<Value, size_t> index;
  module.walk([&](Operation *op) {
    Value weight;
    StringRef name;
    if (auto linear = dyn_cast<LinearOp>(op)) {
      weight = linear.getWeight();
      name = linear.getLayer();
    } else if (auto matmul = dyn_cast<MatmulOp>(op)) {
      weight = roundedWeight(matmul.getCodes());
      name = matmul.getLayer();
    }
    if (!weight)
      return;
    auto [known, inserted] = index.try_emplace(weight, layers.size());
    if (inserted) {
      RecipeLayer layer;
      layer.layer = name.str();
      layer.weight = weight;
      for (Value value = weight;;) {
        auto scale = value.getDefiningOp<ScaleColumnsOp>();
        if (!scale)
          break;
        layer.columnScales.push_back(scale.getFactors());
        value = scale.getInput();
      }
      std::reverse(layer.columnScales.begin(), layer.columnScales.end());
      layers.push_back(std::move(layer));
    }
    layers[known->second].uses.push_back(op);
  });
  return layers;
}

LogicalResult
qk::quant_llm::checkHasLayers(ModuleOp module,
                              const std::vector<RecipeLayer> &layers) {
  if (!layers.empty())
    return success();
  return emitError(
      module.getLoc(),
      "no linear layer to quantise: raising found none, or the options skip "
      "all; the remarks of --quant-llm-raise-linear say what was rejected and "
      "why");
}

void qk::quant_llm::eraseIfDead(Operation *op) {
  SmallVector<Operation *> worklist{op};
  llvm::SmallPtrSet<Operation *, 16> erased;
  while (!worklist.empty()) {
    Operation *next = worklist.pop_back_val();
    if (erased.contains(next) || !isOpTriviallyDead(next))
      continue;
    for (Value operand : next->getOperands())
      if (Operation *producer = operand.getDefiningOp())
        worklist.push_back(producer);
    erased.insert(next);
    next->erase();
  }
}

void qk::quant_llm::replaceUses(const RecipeLayer &layer, SchemeAttr scheme,
                                const Rounded &rounded) {
  for (Operation *use : layer.uses) {
    OpBuilder builder(use);
    Value x, bias, oldCodes;
    StringRef name;
    if (auto linear = dyn_cast<LinearOp>(use)) {
      x = linear.getX();
      bias = linear.getBias();
      name = linear.getLayer();
    } else {
      auto matmul = cast<MatmulOp>(use);
      x = matmul.getX();
      bias = matmul.getBias();
      name = matmul.getLayer();
      oldCodes = matmul.getCodes();
    }
    Value y = MatmulOp::create(
        builder, use->getLoc(), use->getResult(0).getType(), x, rounded.codes,
        rounded.scales, rounded.zeroPoints, rounded.permutation, bias,
        /*x_scales=*/Value(), /*x_zero_points=*/Value(), scheme,
        /*x_scheme=*/ActivationSchemeAttr(), builder.getStringAttr(name));
    use->getResult(0).replaceAllUsesWith(y);
    use->erase();
    if (oldCodes)
      eraseIfDead(oldCodes.getDefiningOp());
  }
}

LogicalResult qk::quant_llm::recordSettings(ModuleOp module,
                                            const EvaluateSettings &settings) {
  if (settings.fallback != "error" && settings.fallback != "rtn")
    return emitError(module.getLoc())
           << "expected fallback to be error or rtn, got '" << settings.fallback
           << "'";
  Builder builder(module.getContext());
  NamedAttrList entries;
  if (auto old =
          module->getAttrOfType<DictionaryAttr>(QuantLLMDialect::kEvaluateAttr))
    entries.append(old.getValue());
  if (settings.fallback != "error")
    entries.set("fallback", builder.getStringAttr(settings.fallback));
  if (settings.strict)
    entries.set("strict", builder.getUnitAttr());
  if (!settings.outputWeights.empty())
    entries.set("output_weights",
                builder.getStringAttr(settings.outputWeights));
  if (!settings.report.empty())
    entries.set("report", builder.getStringAttr(settings.report));
  if (!entries.empty())
    module->setAttr(QuantLLMDialect::kEvaluateAttr,
                    entries.getDictionary(module.getContext()));
  if (settings.recipeOnly)
    module->setAttr(QuantLLMDialect::kRecipeOnlyAttr, builder.getUnitAttr());
  return success();
}
