//===- Recipe.cpp - Writing and rewriting recipes -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Recipe.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallPtrSet.h"

#include <algorithm>

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

Value qk::quant_llm::getRoundedWeight(Value codes) {
  Value weight;
  if (auto op = codes.getDefiningOp<RoundToNearestOp>())
    weight = op.getWeight();
  else if (auto op = codes.getDefiningOp<RoundCompensatedOp>())
    weight = op.getWeight();
  else
    return {};
  return getOriginalWeight(weight);
}

Value qk::quant_llm::getOriginalWeight(Value weight) {
  for (;;) {
    if (auto clip = weight.getDefiningOp<ClipOp>())
      weight = clip.getWeight();
    else if (auto retarget = weight.getDefiningOp<RetargetOp>())
      weight = retarget.getWeight();
    else
      return weight;
  }
}

std::vector<RecipeLayer> qk::quant_llm::collectLayers(ModuleOp module) {
  std::vector<RecipeLayer> layers;
  llvm::DenseMap<Value, size_t> index;
  module.walk([&](Operation *op) {
    Value weight;
    StringRef name;
    if (auto linear = dyn_cast<LinearOp>(op)) {
      // A part of a layer that an earlier method keeps as it is.
      if (linear->hasAttr(kKeptAttr))
        return;
      weight = linear.getWeight();
      name = linear.getLayer();
    } else if (auto matmul = dyn_cast<MatmulOp>(op)) {
      weight = getRoundedWeight(matmul.getCodes());
      name = matmul.getLayer();
    }
    if (!weight)
      return;
    auto [known, inserted] = index.try_emplace(weight, layers.size());
    if (inserted) {
      RecipeLayer layer;
      layer.layer = name.str();
      layer.weight = weight;
      // Rows are scaled where another layer's factors were folded into them.
      for (Value value = weight;;) {
        if (auto scale = value.getDefiningOp<ScaleColumnsOp>()) {
          layer.columnScales.push_back(scale.getFactors());
          value = scale.getInput();
        } else if (auto rows = value.getDefiningOp<ScaleRowsOp>()) {
          value = rows.getInput();
        } else {
          break;
        }
      }
      std::reverse(layer.columnScales.begin(), layer.columnScales.end());
      layers.push_back(std::move(layer));
    }
    layers[known->second].uses.push_back(op);
  });
  return layers;
}

Value qk::quant_llm::scaleStatistic(OpBuilder &builder, Value statistic,
                                    ArrayRef<Value> columnScales,
                                    bool columns) {
  // The activation was divided by what the weight was multiplied with.
  for (Value factors : columnScales)
    statistic =
        ScaleStatisticOp::create(builder, factors.getLoc(), statistic.getType(),
                                 statistic, factors, columns);
  return statistic;
}

void qk::quant_llm::setInsertionPointAfterAll(OpBuilder &builder,
                                              ArrayRef<Value> values) {
  Value last = values.front();
  for (Value value : values.drop_front()) {
    Operation *a = last.getDefiningOp(), *b = value.getDefiningOp();
    if (!a || (b && a->getBlock() == b->getBlock() && a->isBeforeInBlock(b)))
      last = value;
  }
  builder.setInsertionPointAfterValue(last);
}

void qk::quant_llm::hoistBefore(Value value, Operation *point) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return;
  // The point may be in a region of an op of the recipe's block.
  point = op->getBlock()->findAncestorOpInBlock(*point);
  if (!point || op->isBeforeInBlock(point))
    return;
  for (Value operand : op->getOperands())
    hoistBefore(operand, point);
  op->moveBefore(point);
}

bool qk::quant_llm::isRecipeValue(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (isa<ParameterOp, StatisticOp>(op))
    return true;
  return isa<TransposeOp, ScaleColumnsOp, ScaleRowsOp, ScaleStatisticOp,
             GatherFactorsOp, SmoothingFactorsOp, SearchSmoothingFactorsOp,
             SaliencyFactorsOp, ActivationScaleOp, ClipOp, RetargetOp,
             SalientColumnsOp,
             // How binding makes a tensor of a file what the model has.
             tensor::CollapseShapeOp, tensor::ExpandShapeOp, arith::ExtFOp,
             arith::TruncFOp>(op) &&
         llvm::all_of(op->getOperands(), isRecipeValue);
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

void qk::quant_llm::replaceUses(RecipeLayer &layer, SchemeAttr scheme,
                                const Rounded &rounded) {
  for (Operation *&use : layer.uses) {
    OpBuilder builder(use);
    MatmulOp matmul;
    Value oldCodes;
    if (auto linear = dyn_cast<LinearOp>(use)) {
      matmul = MatmulOp::create(
          builder, use->getLoc(), linear.getY().getType(), linear.getX(),
          rounded.codes, rounded.scales, rounded.zeroPoints,
          rounded.permutation, linear.getBias(), /*x_scales=*/Value(),
          /*x_zero_points=*/Value(), scheme,
          /*x_scheme=*/ActivationSchemeAttr(), linear.getLayerAttr());
    } else {
      auto old = cast<MatmulOp>(use);
      oldCodes = old.getCodes();
      matmul = MatmulOp::create(builder, use->getLoc(), old.getY().getType(),
                                old.getX(), rounded.codes, rounded.scales,
                                rounded.zeroPoints, rounded.permutation,
                                old.getBias(), old.getXScales(),
                                old.getXZeroPoints(), scheme,
                                old.getXSchemeAttr(), old.getLayerAttr());
    }
    use->getResult(0).replaceAllUsesWith(matmul.getY());
    use->erase();
    use = matmul;
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

bool qk::quant_llm::isParameterView(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<ParameterOp>(op))
      return true;
    if (!isa<TransposeOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp,
             arith::ExtFOp, arith::TruncFOp>(op))
      return false;
    value = op->getOperand(0);
  }
  return false;
}

void qk::quant_llm::recordFirstTokenWeight(ModuleOp module, double weight) {
  Builder builder(module.getContext());
  NamedAttrList entries;
  if (auto old =
          module->getAttrOfType<DictionaryAttr>(QuantLLMDialect::kEvaluateAttr))
    entries.append(old.getValue());
  entries.set("first_token_weight", builder.getF64FloatAttr(weight));
  module->setAttr(QuantLLMDialect::kEvaluateAttr,
                  entries.getDictionary(module.getContext()));
}
