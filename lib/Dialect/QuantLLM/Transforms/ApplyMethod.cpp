//===- ApplyMethod.cpp - The recipe of each layer -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerMethod.h"
#include "LayerOverrides.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

FailureOr<RoundingScheme>
LayerMethod::getScheme(MLIRContext *context,
                       function_ref<InFlightDiagnostic()> emitError) const {
  std::optional<CodeType> codeType;
  switch (bits) {
  case 2:
    codeType = CodeType::U2;
    break;
  case 3:
    codeType = CodeType::U3;
    break;
  case 4:
    codeType = CodeType::U4;
    break;
  case 8:
    codeType = symmetric ? CodeType::S8 : CodeType::U8;
    break;
  default:
    return emitError()
           << "expected bits to be 2, 3, 4 or 8 (codes of type u2, u3, u4, "
              "u8 or s8), got "
           << bits;
  }
  if (groupSize != -1 && groupSize < 1)
    return emitError() << "expected group-size to be -1 (the whole row) "
                          "or at least 1, got "
                       << groupSize;
  Type type = llvm::StringSwitch<Type>(scaleType)
                  .Case("f16", Float16Type::get(context))
                  .Case("bf16", BFloat16Type::get(context))
                  .Case("f32", Float32Type::get(context))
                  .Default(Type());
  if (!type)
    return emitError() << "expected scale-type to be f16, bf16 or f32, got '"
                       << scaleType << "'";
  std::optional<ScaleSearch> search = symbolizeScaleSearch(scaleSearch);
  bool hasHessian = method == Method::Gptq;
  if (!search || (*search == ScaleSearch::Weighted && !hasHessian))
    return emitError() << "expected scale-search to be none"
                       << (hasHessian ? ", mse or weighted" : " or mse")
                       << ", got '" << scaleSearch << "'";
  return RoundingScheme{SchemeAttr::get(context, *codeType, groupSize, type),
                        symmetric, *search};
}

FailureOr<Order>
LayerMethod::getOrder(function_ref<InFlightDiagnostic()> emitError) const {
  std::optional<Order> columns = symbolizeOrder(order);
  if (!columns)
    return emitError() << "expected order to be none, activation or "
                          "group_aware, got '"
                       << order << "'";
  if (!(damping > 0))
    return emitError() << "expected damping to be greater than 0, got "
                       << damping;
  if (blockSize < 1)
    return emitError() << "expected block-size to be at least 1, got "
                       << blockSize;
  if (sweeps < 0)
    return emitError() << "expected sweeps to be at least 0, got " << sweeps;
  return *columns;
}

/// Rounds the layer's weight, compensated by the Hessian of its input.
static void applyGptq(const RecipeLayer &layer, const LayerMethod &method,
                      const RoundingScheme &rounding, Order order) {
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
      rounding.symmetric, method.staticGroups, order, rounding.scaleSearch,
      method.damping, method.blockSize, method.sweeps);
  replaceUses(
      layer, rounding.scheme,
      {op.getCodes(), op.getScales(), op.getZeroPoints(), op.getPermutation()});
}

static void applyRtn(const RecipeLayer &layer, const RoundingScheme &rounding) {
  OpBuilder builder(layer.weight.getContext());
  builder.setInsertionPointAfterValue(layer.weight);
  auto op = RoundToNearestOp::create(builder, layer.uses.front()->getLoc(),
                                     layer.weight, rounding.scheme,
                                     rounding.symmetric, rounding.scaleSearch);
  replaceUses(layer, rounding.scheme,
              {op.getCodes(), op.getScales(), op.getZeroPoints(), {}});
}

LogicalResult qk::quant_llm::applyMethod(ModuleOp module,
                                         const LayerMethod &method,
                                         StringRef overridesPath,
                                         const EvaluateSettings &settings) {
  MLIRContext *context = module.getContext();
  auto fail = [&] { return emitError(module.getLoc()); };
  if (failed(method.getScheme(context, fail)) ||
      failed(method.getOrder(fail)) || failed(recordSettings(module, settings)))
    return failure();
  LayerOverrides overrides;
  if (!overridesPath.empty()) {
    FailureOr<LayerOverrides> given =
        LayerOverrides::read(overridesPath, module.getLoc());
    if (failed(given))
      return failure();
    overrides = std::move(*given);
  }

  std::vector<RecipeLayer> layers = collectLayers(module);
  if (failed(checkHasLayers(module, layers)))
    return failure();
  // All is checked before anything changes.
  std::vector<LayerMethod> methods;
  std::vector<std::string> names;
  for (const RecipeLayer &layer : layers) {
    FailureOr<LayerMethod> own =
        overrides.apply(layer.layer, method, module.getLoc());
    if (failed(own))
      return failure();
    methods.push_back(*own);
    names.push_back(layer.layer);
  }
  if (failed(overrides.checkAllMatched(names, module.getLoc())))
    return failure();
  for (auto [layer, own] : llvm::zip_equal(layers, methods)) {
    RoundingScheme rounding = *own.getScheme(context, fail);
    if (own.method == LayerMethod::Method::Gptq)
      applyGptq(layer, own, rounding, *own.getOrder(fail));
    else
      applyRtn(layer, rounding);
  }
  return success();
}
