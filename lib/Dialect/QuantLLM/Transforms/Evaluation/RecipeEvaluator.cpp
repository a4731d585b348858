//===- RecipeEvaluator.cpp - One recipe's values --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RecipeEvaluator.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Numerics/Elementwise.h"
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

InFlightDiagnostic qk::quant_llm::emitLayerError(Operation *op, StringRef layer,
                                                 const numerics::Error &error) {
  return op->emitError() << "layer '" << layer << "': " << error.message;
}

void qk::quant_llm::roundToElementType(std::vector<float> &values,
                                       Type element) {
  numerics::roundElements(values.data(), values.size(),
                          element.isF32()   ? numerics::ScaleType::F32
                          : element.isF16() ? numerics::ScaleType::F16
                                            : numerics::ScaleType::BF16);
}

/// A value that was computed.
static FailureOr<RecipeElements>
computed(FailureOr<std::vector<float>> values) {
  if (failed(values))
    return failure();
  return RecipeElements(std::move(*values));
}

FailureOr<RecipeElements> RecipeEvaluator::evaluate(Value value,
                                                    StringRef layer) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return emitError(value.getLoc())
           << "layer '" << layer
           << "': the recipe depends on an argument of the function; expected "
              "constants and statistics";
  return llvm::TypeSwitch<Operation *, FailureOr<RecipeElements>>(op)
      .Case([&](StatisticOp op) { return evaluateStatistic(op); })
      .Case([&](ParameterOp op) { return computed(readAsFloat(op)); })
      .Case([&](TransposeOp op) {
        return computed(evaluateTranspose(op, layer));
      })
      .Case([&](ScaleColumnsOp op) {
        return computed(evaluateScaleColumns(op, layer));
      })
      .Case([&](ScaleStatisticOp op) {
        return computed(evaluateScaleStatistic(op, layer));
      })
      .Case([&](SmoothingFactorsOp op) {
        return computed(evaluateSmoothing(op, layer));
      })
      .Case([&](SaliencyFactorsOp op) {
        return computed(evaluateSaliency(op, layer));
      })
      .Case([&](SearchSmoothingFactorsOp op) {
        return computed(evaluateSmoothingSearch(op, layer));
      })
      .Case([&](ClipOp op) { return computed(evaluateClip(op, layer)); })
      .Case([&](ScaleRowsOp op) {
        return computed(evaluateScaleRows(op, layer));
      })
      .Case([&](GatherFactorsOp op) {
        return computed(evaluateGather(op, layer));
      })
      .Case([&](ActivationScaleOp op) {
        return computed(evaluateActivationScale(op, layer));
      })
      .Default([&](Operation *op) -> FailureOr<RecipeElements> {
        return op->emitError()
               << "layer '" << layer
               << "': expected constants, statistics and ops of quant_llm in "
                  "the recipe, got '"
               << op->getName() << "'";
      });
}

static ArrayRef<float> getStatistic(const LayerStatistics &statistics,
                                    StatisticKind kind) {
  switch (kind) {
  case StatisticKind::Hessian:
    return statistics.hessian;
  case StatisticKind::AbsMax:
    return statistics.absmax;
  case StatisticKind::AbsMean:
    return statistics.absmean;
  case StatisticKind::Cross:
    return statistics.cross;
  }
  llvm_unreachable("all kinds are handled");
}

FailureOr<RecipeElements> RecipeEvaluator::evaluateStatistic(StatisticOp op) {
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
    return RecipeElements(std::move(identity));
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
  ArrayRef<float> values = getStatistic(**statistics, op.getKind());
  if (values.empty())
    return op.emitError() << "the statistics of layer '" << op.getLayer()
                          << "' have no " << kind
                          << (op.getKind() == StatisticKind::Cross
                                  ? " moment of float and quantised inputs; "
                                    "calibrate block by block "
                                    "(--calibrate=\"inputs=FILE sequential\")"
                                  : "");
  return RecipeElements::viewOf(values);
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateTranspose(TransposeOp op, StringRef layer) {
  FailureOr<RecipeElements> in = evaluate(op.getWeight(), layer);
  if (failed(in))
    return failure();
  auto type = tensorType(op.getResult());
  Floats out(in->size());
  numerics::transpose(in->data(), type.getDimSize(1), type.getDimSize(0),
                      out.data());
  return out;
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateScaleColumns(ScaleColumnsOp op, StringRef layer) {
  FailureOr<RecipeElements> in = evaluate(op.getInput(), layer);
  if (failed(in))
    return failure();
  FailureOr<RecipeElements> factors = evaluate(op.getFactors(), layer);
  if (failed(factors))
    return failure();
  int64_t k = factors->size();
  Floats out = in->takeStorage();
  if (numerics::Status status = numerics::scaleColumns(
          in->data(), out.size() / k, k, factors->data(), op.getInverse(),
          out.data(), op.getOffset().convertToDouble());
      !status)
    return emitLayerError(op, layer, status.error());
  roundToElementType(out, tensorType(op.getResult()).getElementType());
  return out;
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateScaleStatistic(ScaleStatisticOp op, StringRef layer) {
  FailureOr<RecipeElements> in = evaluate(op.getStatistic(), layer);
  if (failed(in))
    return failure();
  FailureOr<RecipeElements> factors = evaluate(op.getFactors(), layer);
  if (failed(factors))
    return failure();
  int64_t k = factors->size();
  Floats out = in->takeStorage();
  numerics::Status status =
      tensorType(op.getResult()).getRank() == 2
          ? numerics::scaleHessian(in->data(), k, factors->data(), out.data())
          : numerics::scaleMagnitudes(in->data(), k, factors->data(),
                                      out.data());
  if (!status)
    return emitLayerError(op, layer, status.error());
  return out;
}

FailureOr<RoundedWeight> RecipeEvaluator::round(Operation *rounding,
                                                StringRef layer) {
  if (auto op = dyn_cast<RoundToNearestOp>(rounding))
    return roundToNearest(op, layer);
  return roundCompensated(cast<RoundCompensatedOp>(rounding), layer);
}

FailureOr<std::vector<float>>
RecipeEvaluator::evaluateScaleRows(ScaleRowsOp op, StringRef layer) {
  FailureOr<RecipeElements> in = evaluate(op.getInput(), layer);
  if (failed(in))
    return failure();
  FailureOr<RecipeElements> factors = evaluate(op.getFactors(), layer);
  if (failed(factors))
    return failure();
  auto type = tensorType(op.getResult());
  Floats out = in->takeStorage();
  if (numerics::Status status = numerics::scaleRows(
          in->data(), type.getDimSize(0), type.getDimSize(1), factors->data(),
          op.getInverse(), out.data());
      !status)
    return emitLayerError(op, layer, status.error());
  roundToElementType(out, type.getElementType());
  return out;
}

FailureOr<std::vector<float>> RecipeEvaluator::compute(Value value,
                                                       StringRef layer) {
  FailureOr<RecipeElements> elements = evaluate(value, layer);
  if (failed(elements))
    return failure();
  return Floats(elements->get());
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
  while (auto clip = weight.getDefiningOp<ClipOp>())
    weight = clip.getWeight();
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

FailureOr<const numerics::PreparedHessian *>
RecipeEvaluator::prepare(const HessianOf &hessian, int64_t k,
                         const numerics::GptqOptions &gptqOptions,
                         std::string &reason) {
  if (cache && cache->value == hessian.value && cache->id == hessian.id &&
      cache->order == gptqOptions.order &&
      cache->groupLength == gptqOptions.quantizer.scheme.groupLength(k) &&
      cache->damping == gptqOptions.damping.damping)
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
RecipeEvaluator::evaluateHessian(RoundCompensatedOp op, StringRef layer,
                                 std::string &reason) {
  HessianOf hessian;
  auto statistic = op.getHessian().getDefiningOp<StatisticOp>();
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
    hessian.value = op.getHessian();
    if (scaledHessian && scaledHessian->first == hessian.value) {
      hessian.elements = scaledHessian->second.get();
      return hessian;
    }
  }
  FailureOr<RecipeElements> elements = evaluate(op.getHessian(), layer);
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

FailureOr<RoundedWeight>
RecipeEvaluator::roundCompensated(RoundCompensatedOp op, StringRef layer) {
  FailureOr<RecipeElements> weight = evaluate(op.getWeight(), layer);
  if (failed(weight))
    return failure();
  auto type = tensorType(op.getWeight());
  int64_t n = type.getDimSize(0), k = type.getDimSize(1);

  numerics::GptqOptions gptqOptions;
  gptqOptions.quantizer = {op.getScheme().getScheme(), op.getSymmetric(),
                           getScaleSearch(op.getScaleSearch())};
  gptqOptions.order = getColumnOrder(op.getOrder());
  gptqOptions.staticGroups = op.getStaticGroups();
  gptqOptions.damping.damping = op.getDamping().convertToDouble();
  gptqOptions.blockSize = op.getBlock();
  gptqOptions.sweeps = op.getSweeps();

  std::string reason;
  FailureOr<HessianOf> hessian = evaluateHessian(op, layer, reason);
  if (failed(hessian))
    return failure();
  FailureOr<const numerics::PreparedHessian *> prepared = failure();
  if (reason.empty())
    prepared = prepare(*hessian, k, gptqOptions, reason);
  if (!reason.empty()) {
    if (!options.fallbackToRtn)
      return op.emitError() << "layer '" << layer << "': " << reason
                            << "; calibrate with other samples, raise damping, "
                               "or round it to nearest with fallback=rtn";
    op.emitWarning() << "layer '" << layer
                     << "' is rounded to nearest: " << reason;
    numerics::QuantizerOptions quantizer = gptqOptions.quantizer;
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
