//===- Rounding.cpp - The roundings that recipes end in -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RecipeEvaluator.h"

#include "../Recipe.h"

#include "qk/Numerics/Elementwise.h"
#include "qk/Numerics/OutputError.h"
#include "qk/Numerics/Retarget.h"
#include "qk/Numerics/RoundToNearest.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

static RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static numerics::ScaleSearch getScaleSearch(ScaleSearch search) {
  switch (search) {
  case ScaleSearch::None:
    return numerics::ScaleSearch::None;
  case ScaleSearch::MSE:
    return numerics::ScaleSearch::Mse;
  case ScaleSearch::Weighted:
    return numerics::ScaleSearch::Weighted;
  }
  llvm_unreachable("all searches are handled");
}

static numerics::ColumnOrder getColumnOrder(Order order) {
  switch (order) {
  case Order::None:
    return numerics::ColumnOrder::None;
  case Order::Activation:
    return numerics::ColumnOrder::Activation;
  case Order::GroupAware:
    return numerics::ColumnOrder::GroupAware;
  }
  llvm_unreachable("all orders are handled");
}

FailureOr<RoundedWeight> RecipeEvaluator::round(Operation *rounding,
                                                StringRef layer) {
  if (auto op = dyn_cast<RoundToNearestOp>(rounding))
    return roundToNearest(op, layer);
  return roundCompensated(cast<RoundCompensatedOp>(rounding), layer);
}

FailureOr<std::optional<double>> RecipeEvaluator::measureError(
    Value weight, const numerics::QuantizedWeight &rounded, StringRef layer) {
  // Shown wherever the statistics are there anyway.
  if (!source || identityHessian)
    return std::optional<double>();
  FailureOr<const LayerStatistics *> statistics = source->get(layer);
  if (failed(statistics))
    return failure();
  int64_t n = rounded.n, k = rounded.k;
  if (!*statistics || (*statistics)->tokens == 0 || (*statistics)->k != k ||
      (*statistics)->hessian.empty())
    return std::optional<double>();
  // Before clipping, which is a part of the error; scaled columns belong to a
  // scaled input.
  weight = getOriginalWeight(weight);
  ArrayRef<float> hessian = (*statistics)->hessian;
  Floats scaled;
  for (Value value = weight;;) {
    if (auto columns = value.getDefiningOp<ScaleColumnsOp>()) {
      FailureOr<RecipeElements> factors = evaluate(columns.getFactors(), layer);
      if (failed(factors))
        return failure();
      scaled.resize(hessian.size());
      if (numerics::Status status = numerics::scaleHessian(
              hessian.data(), k, factors->data(), scaled.data());
          !status)
        return emitLayerError(columns, layer, status.error());
      hessian = scaled;
      value = columns.getInput();
    } else if (auto rows = value.getDefiningOp<ScaleRowsOp>()) {
      value = rows.getInput();
    } else {
      break;
    }
  }
  FailureOr<RecipeElements> original = evaluate(weight, layer);
  if (failed(original))
    return failure();
  std::vector<float> changed = numerics::dequantize(rounded);
  return std::optional<double>(numerics::outputError(original->data(),
                                                     changed.data(), n, k,
                                                     hessian.data())
                                   .relative);
}

FailureOr<RoundedWeight> RecipeEvaluator::roundToNearest(RoundToNearestOp op,
                                                         StringRef layer) {
  FailureOr<RecipeElements> weight = evaluate(op.getWeight(), layer);
  if (failed(weight))
    return failure();
  auto type = tensorType(op.getWeight());
  int64_t n = type.getDimSize(0), k = type.getDimSize(1);
  numerics::QuantizerOptions quantizer{
      op.getScheme().getScheme(), op.getSymmetric(),
      getScaleSearch(op.getScaleSearch()), op.getPerTensor()};
  auto result = numerics::roundToNearest(weight->data(), n, k, quantizer);
  if (!result)
    return emitLayerError(op, layer, result.error());
  RoundedWeight rounded;
  rounded.weight = std::move(*result);
  rounded.method = "rtn";
  FailureOr<std::optional<double>> error =
      measureError(op.getWeight(), rounded.weight, layer);
  if (failed(error))
    return failure();
  rounded.error = *error;
  return rounded;
}

bool RecipeEvaluator::isFactored(const HessianOf &hessian,
                                 double damping) const {
  return cache && cache->value == hessian.value && cache->id == hessian.id &&
         cache->damping == damping;
}

FailureOr<const numerics::PreparedHessian *>
RecipeEvaluator::factor(const HessianOf &hessian, int64_t k, double damping,
                        std::string &reason) {
  // In any order.
  if (isFactored(hessian, damping))
    return &cache->prepared;
  numerics::GptqOptions options;
  options.damping.damping = damping;
  return prepare(hessian, k, options, reason);
}

FailureOr<const numerics::PreparedHessian *>
RecipeEvaluator::prepare(const HessianOf &hessian, int64_t k,
                         const numerics::GptqOptions &gptqOptions,
                         std::string &reason) {
  if (isFactored(hessian, gptqOptions.damping.damping) &&
      cache->order == gptqOptions.order &&
      cache->groupLength == gptqOptions.quantizer.scheme.groupLength(k))
    return &cache->prepared;
  cache.reset();
  auto prepared =
      numerics::prepareHessian(hessian.elements.data(), k, gptqOptions);
  if (!prepared) {
    reason = prepared.error().message;
    return failure();
  }
  cache = Cached{hessian.value,
                 hessian.id,
                 gptqOptions.quantizer.scheme.groupLength(k),
                 gptqOptions.order,
                 gptqOptions.damping.damping,
                 std::move(*prepared)};
  return &cache->prepared;
}

FailureOr<RecipeEvaluator::HessianOf>
RecipeEvaluator::evaluateHessian(Value value, StringRef layer,
                                 std::string &reason) {
  HessianOf hessian;
  auto statistic = value.getDefiningOp<StatisticOp>();
  if (statistic && !identityHessian) {
    FailureOr<const LayerStatistics *> statistics =
        source->get(statistic.getLayer());
    if (failed(statistics))
      return failure();
    if (!*statistics || (*statistics)->tokens == 0) {
      reason = "no tokens reached it while the model ran on the calibration "
               "samples";
      return hessian;
    }
    hessian.id = (*statistics)->id;
  } else {
    hessian.value = value;
    if (scaledHessian && scaledHessian->first == hessian.value) {
      hessian.elements = scaledHessian->second.get();
      return hessian;
    }
  }
  FailureOr<RecipeElements> elements = evaluate(value, layer);
  if (failed(elements))
    return failure();
  if (hessian.value) {
    scaledHessian.emplace(hessian.value, std::move(*elements));
    hessian.elements = scaledHessian->second.get();
  } else {
    hessian.elements = elements->get();
  }
  return hessian;
}

/// The statistic that `value` is, before scaling; null where a recipe computes
/// it otherwise.
static StatisticOp getStatistic(Value value) {
  while (auto scale = value.getDefiningOp<ScaleStatisticOp>())
    value = scale.getStatistic();
  return value.getDefiningOp<StatisticOp>();
}

FailureOr<bool> RecipeEvaluator::lacksCross(RetargetOp op) {
  if (!op.getOptional())
    return false;
  StatisticOp statistic = getStatistic(op.getCross());
  if (!statistic)
    return false;
  // The user was told that there are no statistics at all.
  if (identityHessian)
    return true;
  FailureOr<const LayerStatistics *> statistics =
      source->get(statistic.getLayer());
  if (failed(statistics))
    return failure();
  if (*statistics && !(*statistics)->cross.empty())
    return false;
  if (!std::exchange(saidCrossIsMissing, true) && !source->saidCrossIsMissing())
    op.emitRemark() << "weights are not retargeted: the statistics of layer '"
                    << statistic.getLayer()
                    << "' have no cross moment of float and quantised inputs; "
                       "calibrate block by block "
                       "(--calibrate=\"inputs=FILE sequential\")";
  return true;
}

FailureOr<RecipeElements> RecipeEvaluator::evaluateRetarget(RetargetOp op,
                                                            StringRef layer) {
  FailureOr<RecipeElements> weight = evaluate(op.getWeight(), layer);
  if (failed(weight))
    return failure();
  FailureOr<bool> lacking = lacksCross(op);
  if (failed(lacking))
    return failure();
  if (*lacking)
    return weight;
  FailureOr<RecipeElements> cross = evaluate(op.getCross(), layer);
  if (failed(cross))
    return failure();
  std::optional<RecipeElements> residual;
  if (op.getResidual()) {
    FailureOr<RecipeElements> moment = evaluate(op.getResidual(), layer);
    if (failed(moment))
      return failure();
    residual.emplace(std::move(*moment));
  }
  std::string reason;
  FailureOr<HessianOf> hessian =
      evaluateHessian(op.getHessian(), layer, reason);
  if (failed(hessian))
    return failure();
  auto type = tensorType(op.getWeight());
  int64_t n = type.getDimSize(0), k = type.getDimSize(1);
  FailureOr<const numerics::PreparedHessian *> prepared = failure();
  if (reason.empty())
    prepared = factor(*hessian, k, op.getDamping().convertToDouble(), reason);
  if (!reason.empty())
    return op.emitError() << "layer '" << layer << "': " << reason
                          << "; calibrate with other samples or raise damping";
  Floats out = weight->takeStorage();
  if (numerics::Status status = numerics::retarget(
          weight->data(), n, k, hessian->elements.data(), cross->data(),
          op.getAlpha().convertToDouble(), **prepared, out.data(),
          residual ? residual->data() : nullptr);
      !status)
    return emitLayerError(op, layer, status.error());
  return RecipeElements(std::move(out));
}

static numerics::GptqOptions getOptions(RoundCompensatedOp op) {
  numerics::GptqOptions options;
  options.quantizer = {op.getScheme().getScheme(), op.getSymmetric(),
                       getScaleSearch(op.getScaleSearch())};
  options.order = getColumnOrder(op.getOrder());
  options.staticGroups = op.getStaticGroups();
  options.damping.damping = op.getDamping().convertToDouble();
  options.blockSize = op.getBlock();
  options.sweeps = op.getSweeps();
  options.rescales = op.getRescales();
  return options;
}

FailureOr<RoundedWeight> RecipeEvaluator::fallBack(RoundCompensatedOp op,
                                                   StringRef layer,
                                                   const std::string &reason) {
  op.emitWarning() << "layer '" << layer
                   << "' is rounded to nearest: " << reason;
  // What can't be factored can't retarget either.
  Value value = op.getWeight();
  while (auto retarget = value.getDefiningOp<RetargetOp>())
    value = retarget.getWeight();
  FailureOr<RecipeElements> weight = evaluate(value, layer);
  if (failed(weight))
    return failure();
  auto type = tensorType(value);
  int64_t n = type.getDimSize(0), k = type.getDimSize(1);
  numerics::QuantizerOptions quantizer = getOptions(op).quantizer;
  // Without a Hessian all columns weigh the same.
  if (quantizer.scaleSearch == numerics::ScaleSearch::Weighted)
    quantizer.scaleSearch = numerics::ScaleSearch::Mse;
  auto result = numerics::roundToNearest(weight->data(), n, k, quantizer);
  if (!result)
    return emitLayerError(op, layer, result.error());
  RoundedWeight rounded;
  rounded.weight = std::move(*result);
  // The recipe's permutation result stays: the identity.
  if (op.getPermutation())
    for (int64_t i = 0; i < k; ++i)
      rounded.weight.permutation.push_back(i);
  rounded.method = "rtn";
  rounded.fellBack = true;
  return rounded;
}

FailureOr<RoundedWeight>
RecipeEvaluator::roundCompensated(RoundCompensatedOp op, StringRef layer) {
  auto type = tensorType(op.getWeight());
  int64_t n = type.getDimSize(0), k = type.getDimSize(1);
  numerics::GptqOptions gptqOptions = getOptions(op);

  // Before the weight, which may be retargeted with the same factor.
  std::string reason;
  FailureOr<HessianOf> hessian =
      evaluateHessian(op.getHessian(), layer, reason);
  if (failed(hessian))
    return failure();
  if (reason.empty())
    (void)prepare(*hessian, k, gptqOptions, reason);
  if (!reason.empty()) {
    if (options.fallbackToRtn)
      return fallBack(op, layer, reason);
    return op.emitError() << "layer '" << layer << "': " << reason
                          << "; calibrate with other samples, raise damping, "
                             "or round it to nearest with fallback=rtn";
  }
  FailureOr<RecipeElements> weight = evaluate(op.getWeight(), layer);
  if (failed(weight))
    return failure();
  FailureOr<const numerics::PreparedHessian *> prepared =
      prepare(*hessian, k, gptqOptions, reason);
  if (failed(prepared))
    return op.emitError() << "layer '" << layer << "': " << reason;
  auto result = numerics::gptq(weight->data(), n, k, hessian->elements.data(),
                               **prepared, gptqOptions);
  if (!result)
    return emitLayerError(op, layer, result.error());
  RoundedWeight rounded;
  rounded.weight = std::move(result->weight);
  rounded.method = "gptq";
  if (!identityHessian)
    rounded.error = result->report.relativeError;
  rounded.damping = result->report.damping;
  rounded.deadColumns = result->report.deadColumns;
  return rounded;
}
