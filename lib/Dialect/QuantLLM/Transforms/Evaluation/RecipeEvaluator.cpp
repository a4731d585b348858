//===- RecipeEvaluator.cpp - One recipe's values --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RecipeEvaluator.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Numerics/OutputError.h"
#include "qk/Numerics/RoundToNearest.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

static RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static numerics::ScaleSearch getScaleSearch(ScaleSearch search) {
  return search == ScaleSearch::MSE ? numerics::ScaleSearch::Mse
                                    : numerics::ScaleSearch::None;
}

void qk::quant_llm::roundToElementType(std::vector<float> &values,
                                       Type element) {
  if (element.isF32())
    return;
  auto type =
      element.isF16() ? numerics::ScaleType::F16 : numerics::ScaleType::BF16;
  for (float &value : values)
    value = numerics::roundToScaleType(value, type);
}

FailureOr<std::vector<float>> RecipeEvaluator::evaluate(Value value,
                                                        StringRef layer) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return emitError(value.getLoc())
           << "layer '" << layer
           << "': the recipe depends on an argument of the function; expected "
              "constants and statistics";
  return llvm::TypeSwitch<Operation *, FailureOr<Floats>>(op)
      .Case([&](ParameterOp op) { return readAsFloat(op); })
      .Case([&](StatisticOp op) { return evaluateStatistic(op); })
      .Case([&](TransposeOp op) { return evaluateTranspose(op, layer); })
      .Case([&](ScaleColumnsOp op) { return evaluateScaleColumns(op, layer); })
      .Case([&](ScaleStatisticOp op) {
        return evaluateScaleStatistic(op, layer);
      })
      .Case([&](SmoothingFactorsOp op) { return evaluateSmoothing(op, layer); })
      .Case([&](SaliencyFactorsOp op) { return evaluateSaliency(op, layer); })
      .Case([&](ClipOp op) { return evaluateClip(op, layer); })
      .Default([&](Operation *op) -> FailureOr<Floats> {
        return op->emitError()
               << "layer '" << layer
               << "': expected constants, statistics and ops of quant_llm in "
                  "the recipe, got '"
               << op->getName() << "'";
      });
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateStatistic(StatisticOp op) {
  auto type = tensorType(op.getResult());
  int64_t k = type.getDimSize(0);
  StringRef kind = stringifyStatisticKind(op.getKind());
  if (identityHessian) {
    if (op.getKind() != StatisticKind::Hessian)
      return op.emitError() << "layer '" << op.getLayer() << "' has no " << kind
                            << "; give --calibrate=\"inputs=FILE\" or "
                               "--calibrate=\"stats=FILE\"";
    Floats identity(k * k, 0.0f);
    for (int64_t i = 0; i < k; ++i)
      identity[i * k + i] = 1.0f;
    return identity;
  }
  FailureOr<const LayerStatistics *> statistics = source->get(op.getLayer());
  if (failed(statistics))
    return failure();
  if (!*statistics || (*statistics)->tokens == 0)
    return op.emitError() << "layer '" << op.getLayer() << "' saw no tokens";
  if ((*statistics)->k != k)
    return op.emitError() << "expected statistics of layer '" << op.getLayer()
                          << "' to have K = " << k << ", got "
                          << (*statistics)->k;
  ArrayRef<float> values =
      op.getKind() == StatisticKind::Hessian  ? (*statistics)->hessian
      : op.getKind() == StatisticKind::AbsMax ? (*statistics)->absmax
                                              : (*statistics)->absmean;
  if (values.empty())
    return op.emitError() << "the statistics of layer '" << op.getLayer()
                          << "' have no " << kind;
  return Floats(values.begin(), values.end());
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateTranspose(TransposeOp op, StringRef layer) {
  FailureOr<Floats> in = evaluate(op.getWeight(), layer);
  if (failed(in))
    return failure();
  auto type = tensorType(op.getResult());
  int64_t n = type.getDimSize(0), k = type.getDimSize(1);
  Floats out(n * k);
  for (int64_t row = 0; row < n; ++row)
    for (int64_t column = 0; column < k; ++column)
      out[row * k + column] = (*in)[column * n + row];
  return out;
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateScaleColumns(ScaleColumnsOp op, StringRef layer) {
  FailureOr<Floats> values = evaluate(op.getInput(), layer);
  if (failed(values))
    return failure();
  FailureOr<Floats> factors = evaluate(op.getFactors(), layer);
  if (failed(factors))
    return failure();
  Type element = tensorType(op.getResult()).getElementType();
  size_t k = factors->size();
  for (size_t i = 0; i < values->size(); ++i) {
    float &value = (*values)[i];
    float factor = (*factors)[i % k];
    value = op.getInverse() ? value / factor : value * factor;
  }
  roundToElementType(*values, element);
  return values;
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateScaleStatistic(ScaleStatisticOp op, StringRef layer) {
  FailureOr<Floats> values = evaluate(op.getStatistic(), layer);
  if (failed(values))
    return failure();
  FailureOr<Floats> factors = evaluate(op.getFactors(), layer);
  if (failed(factors))
    return failure();
  size_t k = factors->size();
  bool isHessian = tensorType(op.getResult()).getRank() == 2;
  for (size_t i = 0; i < values->size(); ++i)
    (*values)[i] /= (*factors)[i % k] * (isHessian ? (*factors)[i / k] : 1.0f);
  return values;
}

FailureOr<RoundedWeight> RecipeEvaluator::round(Operation *rounding,
                                                StringRef layer) {
  if (auto op = dyn_cast<RoundToNearestOp>(rounding))
    return roundToNearest(op, layer);
  return roundCompensated(cast<RoundCompensatedOp>(rounding), layer);
}

FailureOr<RoundedWeight> RecipeEvaluator::roundToNearest(RoundToNearestOp op,
                                                         StringRef layer) {
  FailureOr<Floats> weight = evaluate(op.getWeight(), layer);
  if (failed(weight))
    return failure();
  auto type = tensorType(op.getWeight());
  int64_t n = type.getDimSize(0), k = type.getDimSize(1);
  numerics::QuantizerOptions quantizer{op.getScheme().getScheme(),
                                       op.getSymmetric(),
                                       getScaleSearch(op.getScaleSearch())};
  auto result = numerics::roundToNearest(weight->data(), n, k, quantizer);
  if (!result)
    return op.emitError() << "layer '" << layer
                          << "': " << result.error().message;
  RoundedWeight rounded;
  rounded.weight = std::move(*result);
  rounded.method = "rtn";
  // The error is shown wherever the statistics are there anyway; scaled
  // columns belong to a scaled Hessian, which this recipe does not have.
  if (source && !identityHessian &&
      isa_and_present<ParameterOp, TransposeOp>(
          op.getWeight().getDefiningOp())) {
    FailureOr<const LayerStatistics *> statistics = source->get(layer);
    if (failed(statistics))
      return failure();
    if (*statistics && (*statistics)->tokens > 0 && (*statistics)->k == k &&
        !(*statistics)->hessian.empty()) {
      std::vector<float> changed = numerics::dequantize(rounded.weight);
      rounded.error = numerics::outputError(weight->data(), changed.data(), n,
                                            k, (*statistics)->hessian.data())
                          .relative;
    }
  }
  return rounded;
}

FailureOr<const numerics::PreparedHessian *>
RecipeEvaluator::prepare(RoundCompensatedOp op, ArrayRef<float> hessian,
                         int64_t k, const numerics::GptqOptions &gptqOptions,
                         std::string &reason) {
  if (cache && cache->hessian == hessian.data() && cache->k == k &&
      cache->order == gptqOptions.order &&
      cache->damping == gptqOptions.damping.damping)
    return &cache->prepared;
  auto prepared = numerics::prepareHessian(hessian.data(), k, gptqOptions);
  if (!prepared) {
    reason = prepared.error().message;
    return failure();
  }
  cache.emplace();
  cache->hessian = hessian.data();
  cache->k = k;
  cache->order = gptqOptions.order;
  cache->damping = gptqOptions.damping.damping;
  cache->prepared = std::move(*prepared);
  return &cache->prepared;
}

FailureOr<RoundedWeight>
RecipeEvaluator::roundCompensated(RoundCompensatedOp op, StringRef layer) {
  FailureOr<Floats> weight = evaluate(op.getWeight(), layer);
  if (failed(weight))
    return failure();
  auto type = tensorType(op.getWeight());
  int64_t n = type.getDimSize(0), k = type.getDimSize(1);

  numerics::GptqOptions gptqOptions;
  gptqOptions.quantizer = {op.getScheme().getScheme(), op.getSymmetric(),
                           getScaleSearch(op.getScaleSearch())};
  gptqOptions.order = op.getOrder() == Order::Activation
                          ? numerics::ColumnOrder::Activation
                          : numerics::ColumnOrder::None;
  gptqOptions.staticGroups = op.getStaticGroups();
  gptqOptions.damping.damping = op.getDamping().convertToDouble();
  gptqOptions.blockSize = op.getBlock();

  // The Hessian: a view of the source's where the recipe uses it as it is, so
  // that layers which share an input share its factorisation.
  Floats owned;
  ArrayRef<float> hessian;
  std::string reason;
  auto statistic = op.getHessian().getDefiningOp<StatisticOp>();
  if (statistic && !identityHessian) {
    FailureOr<const LayerStatistics *> statistics =
        source->get(statistic.getLayer());
    if (failed(statistics))
      return failure();
    if (!*statistics || (*statistics)->tokens == 0)
      reason = "no tokens reached it while the model ran on the calibration "
               "samples";
    else if ((*statistics)->k == k)
      hessian = (*statistics)->hessian;
  }
  if (reason.empty() && hessian.empty()) {
    FailureOr<Floats> evaluated = evaluate(op.getHessian(), layer);
    if (failed(evaluated))
      return failure();
    owned = std::move(*evaluated);
    hessian = owned;
    cache.reset();
  }
  FailureOr<const numerics::PreparedHessian *> prepared = failure();
  if (reason.empty())
    prepared = prepare(op, hessian, k, gptqOptions, reason);
  if (!reason.empty()) {
    if (!options.fallbackToRtn)
      return op.emitError() << "layer '" << layer << "': " << reason
                            << "; calibrate with other samples, raise damping, "
                               "or round it to nearest with fallback=rtn";
    op.emitWarning() << "layer '" << layer
                     << "' is rounded to nearest: " << reason;
    auto result =
        numerics::roundToNearest(weight->data(), n, k, gptqOptions.quantizer);
    if (!result)
      return op.emitError()
             << "layer '" << layer << "': " << result.error().message;
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
  auto result = numerics::gptq(weight->data(), n, k, hessian.data(), **prepared,
                               gptqOptions);
  if (!owned.empty())
    cache.reset();
  if (!result)
    return op.emitError() << "layer '" << layer
                          << "': " << result.error().message;
  RoundedWeight rounded;
  rounded.weight = std::move(result->weight);
  rounded.method = "gptq";
  if (!identityHessian)
    rounded.error = result->report.relativeError;
  rounded.damping = result->report.damping;
  rounded.deadColumns = result->report.deadColumns;
  return rounded;
}
