//===- RecipeEvaluator.cpp - One recipe's values --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RecipeEvaluator.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Numerics/Elementwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

static RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
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
      // What binding puts between a tensor of the file and the weight: elements
      // in the same order.
      .Case<tensor::CollapseShapeOp, tensor::ExpandShapeOp, arith::ExtFOp>(
          [&](Operation *op) { return evaluate(op->getOperand(0), layer); })
      .Case([&](arith::TruncFOp op) -> FailureOr<RecipeElements> {
        FailureOr<RecipeElements> in = evaluate(op.getIn(), layer);
        if (failed(in))
          return failure();
        Floats out = in->takeStorage();
        std::copy_n(in->data(), out.size(), out.begin());
        roundToElementType(out, tensorType(op.getResult()).getElementType());
        return RecipeElements(std::move(out));
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
      .Case([&](SalientColumnsOp op) {
        return computed(evaluateSalientColumns(op, layer));
      })
      .Case([&](RetargetOp op) { return evaluateRetarget(op, layer); })
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
  case StatisticKind::Residual:
    return statistics.residual;
  }
  llvm_unreachable("all kinds are handled");
}

FailureOr<RecipeElements> RecipeEvaluator::evaluateStatistic(StatisticOp op) {
  auto type = tensorType(op.getResult());
  int64_t k = type.getShape().back();
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
  // Nothing was left wrong that could be seen.
  if (op.getKind() == StatisticKind::Residual && values.empty() &&
      !(*statistics)->cross.empty())
    return RecipeElements(Floats(type.getNumElements(), 0.0f));
  bool sequential = op.getKind() == StatisticKind::Cross ||
                    op.getKind() == StatisticKind::Residual;
  if (values.empty())
    return op.emitError() << "the statistics of layer '" << op.getLayer()
                          << "' have no " << kind
                          << (sequential
                                  ? " moment of float and quantised inputs; "
                                    "calibrate block by block "
                                    "(--calibrate=\"inputs=FILE sequential\")"
                                  : "");
  if (static_cast<int64_t>(values.size()) != type.getNumElements())
    return op.emitError() << "expected the " << kind << " of layer '"
                          << op.getLayer() << "' to have "
                          << type.getNumElements() << " elements, got "
                          << values.size();
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
  auto type = tensorType(op.getResult());
  Floats out = in->takeStorage();
  numerics::Status status =
      op.getColumns() ? numerics::scaleColumns(in->data(), type.getDimSize(0),
                                               k, factors->data(),
                                               /*inverse=*/true, out.data())
      : type.getRank() == 2
          ? numerics::scaleHessian(in->data(), k, factors->data(), out.data())
          : numerics::scaleMagnitudes(in->data(), k, factors->data(),
                                      out.data());
  if (!status)
    return emitLayerError(op, layer, status.error());
  return out;
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
