//===- ApplyMethod.cpp - The recipe of each layer -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerMethod.h"
#include "LayerOverrides.h"

#include "qk/Dialect/QuantLLM/Transforms/ResidualStream.h"

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
  if (format != "int8" && format != "e4m3")
    return emitError() << "expected format to be int8 or e4m3, got '" << format
                       << "'";
  if (format == "e4m3") {
    if (bits != 8 || !symmetric)
      return emitError()
             << "expected bits=8 and symmetric for format=e4m3, got "
                "bits="
             << bits << (symmetric ? "" : " and symmetric=false");
    codeType = CodeType::E4M3;
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
  if (perTensor && (groupSize != -1 || *search != ScaleSearch::None))
    return emitError() << "expected per-tensor weights with group-size=-1 and "
                          "scale-search=none, got "
                       << groupSize << " and '" << scaleSearch << "'";
  return RoundingScheme{SchemeAttr::get(context, *codeType, groupSize, type),
                        symmetric, *search, perTensor};
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
  if (rescales < 0)
    return emitError() << "expected rescales to be at least 0, got "
                       << rescales;
  if (rescales > 0 && !staticGroups)
    return emitError() << "expected no rescales without static-groups, got "
                       << rescales
                       << "; groups that are not static have scales of "
                          "compensated weights anyway";
  if (!(retarget >= 0 && retarget <= 1))
    return emitError() << "expected retarget to be in [0, 1], got " << retarget;
  return *columns;
}

/// `method` with the options named in `inherited` as the layer's recipe has
/// them.
static LayerMethod inheritOptions(const RecipeLayer &layer, LayerMethod method,
                                  ArrayRef<std::string> inherited) {
  auto matmul = dyn_cast<MatmulOp>(layer.uses.front());
  if (!matmul)
    return method;
  auto inherits = [&](StringRef option) {
    return llvm::is_contained(inherited, option);
  };
  SchemeAttr scheme = matmul.getScheme();
  if (inherits("bits")) {
    method.bits = scheme.getScheme().bits();
    if (scheme.getScheme().isFloat())
      method.format = "e4m3";
  }
  if (inherits("group-size"))
    method.groupSize = scheme.getGroup();
  if (inherits("symmetric"))
    method.symmetric = !matmul.getZeroPoints();
  if (inherits("scale-type")) {
    Type type = scheme.getScaleType();
    method.scaleType = type.isF16() ? "f16" : type.isBF16() ? "bf16" : "f32";
  }
  return method;
}

FailureOr<MethodLayers>
MethodLayers::collect(ModuleOp module, const LayerMethod &method,
                      ArrayRef<std::string> inherited, StringRef overridesPath,
                      const EvaluateSettings &settings) {
  auto fail = [&] { return emitError(module.getLoc()); };
  if (failed(method.getScheme(module.getContext(), fail)) ||
      failed(method.getOrder(fail)) || failed(recordSettings(module, settings)))
    return failure();
  MethodLayers result;
  result.layers = collectLayers(module);
  if (failed(checkHasLayers(module, result.layers)))
    return failure();
  LayerOverrides overrides;
  if (!overridesPath.empty()) {
    FailureOr<LayerOverrides> given =
        LayerOverrides::read(overridesPath, module.getLoc());
    if (failed(given))
      return failure();
    overrides = std::move(*given);
  }
  std::vector<std::string> names;
  for (const RecipeLayer &layer : result.layers) {
    FailureOr<LayerMethod> own = overrides.apply(
        layer.layer, inheritOptions(layer, method, inherited), module.getLoc());
    if (failed(own))
      return failure();
    result.methods.push_back(*own);
    names.push_back(layer.layer);
  }
  if (failed(overrides.checkAllMatched(names, module.getLoc())))
    return failure();
  return result;
}

RoundingScheme MethodLayers::getScheme(const RecipeLayer &layer) const {
  Value weight = layer.weight;
  // Checked when it was collected.
  return *getMethod(layer).getScheme(
      weight.getContext(), [&] { return emitError(weight.getLoc()); });
}

Value qk::quant_llm::createStatistic(OpBuilder &builder,
                                     const LayerGroup &group,
                                     StatisticKind kind) {
  SmallVector<int64_t> shape{group.channels};
  if (kind == StatisticKind::Hessian)
    shape.push_back(group.channels);
  const RecipeLayer &first = *group.layers.front();
  Value statistic = StatisticOp::create(
      builder, first.uses.front()->getLoc(),
      RankedTensorType::get(shape, builder.getF32Type()), kind, group.name());
  return scaleStatistic(builder, statistic, first.columnScales);
}

SmallVector<Value> qk::quant_llm::getWeights(const LayerGroup &group) {
  return llvm::map_to_vector(
      group.layers, [](const RecipeLayer *layer) { return layer->weight; });
}

Value LayerRounder::getMoment(OpBuilder &builder, const RecipeLayer &layer,
                              int64_t k, StatisticKind kind) {
  Value factors =
      layer.columnScales.empty() ? Value() : layer.columnScales.back();
  if (factors)
    if (Value known = scaledMoments.lookup({factors, unsigned(kind)}))
      return known;
  Value moment = StatisticOp::create(
      builder, layer.uses.front()->getLoc(),
      RankedTensorType::get({k, k}, builder.getF32Type()), kind, layer.layer);
  moment = scaleStatistic(builder, moment, layer.columnScales);
  if (factors)
    scaledMoments[{factors, unsigned(kind)}] = moment;
  return moment;
}

void LayerRounder::round(RecipeLayer &layer, Value weight,
                         const LayerMethod &method) {
  auto fail = [&] { return emitError(weight.getLoc()); };
  RoundingScheme rounding = *method.getScheme(weight.getContext(), fail);
  OpBuilder builder(weight.getContext());
  builder.setInsertionPointAfterValue(weight);
  Location location = layer.uses.front()->getLoc();
  if (method.method == LayerMethod::Method::Rtn) {
    auto op = RoundToNearestOp::create(
        builder, location, weight, rounding.scheme, rounding.symmetric,
        rounding.scaleSearch, rounding.perTensor);
    return replaceUses(layer, rounding.scheme,
                       {op.getCodes(), op.getScales(), op.getZeroPoints(), {}});
  }
  int64_t k = cast<RankedTensorType>(weight.getType()).getDimSize(1);
  Value hessian = getMoment(builder, layer, k, StatisticKind::Hessian);
  setInsertionPointAfterAll(builder, {weight, hessian});
  if (method.retarget > 0) {
    Value cross = getMoment(builder, layer, k, StatisticKind::Cross);
    setInsertionPointAfterAll(builder, {weight, hessian, cross});
    auto type =
        cast<RankedTensorType>(weight.getType()).clone(builder.getF32Type());
    // Where a result goes into a residual stream, its errors are made up for
    // too.
    Value residual;
    if (llvm::all_of(layer.uses, [](Operation *use) {
          return findResidual(use->getResult(0));
        })) {
      residual = StatisticOp::create(builder, location, type,
                                     StatisticKind::Residual, layer.layer);
      residual = scaleStatistic(builder, residual, layer.columnScales,
                                /*columns=*/true);
    }
    weight = RetargetOp::create(builder, location, type, weight, hessian, cross,
                                residual, llvm::APFloat(method.retarget),
                                method.retargetOptional,
                                llvm::APFloat(method.damping));
  }
  auto op = RoundCompensatedOp::create(
      builder, location, weight, hessian, rounding.scheme, rounding.symmetric,
      method.staticGroups, *method.getOrder(fail), rounding.scaleSearch,
      method.damping, method.blockSize, method.sweeps, method.rescales);
  replaceUses(
      layer, rounding.scheme,
      {op.getCodes(), op.getScales(), op.getZeroPoints(), op.getPermutation()});
}
