//===- VerifyRecipe.cpp - Constraints of what methods are made of ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Verifiers.h"

using namespace mlir;
using namespace qk::quant_llm;
using namespace qk::quant_llm::verifiers;

/// A rounding op's results fit its weight.
static LogicalResult checkRounded(Operation *op, Value weight,
                                  SchemeAttr scheme, bool symmetric,
                                  Value codes, Value scales, Value zeroPoints) {
  if (failed(checkStatic(op, "the weight", weight)))
    return failure();
  if (tensorType(codes).getShape() != tensorType(weight).getShape())
    return op->emitOpError()
           << "expected codes to have the weight's shape, got "
           << codes.getType() << " for " << weight.getType();
  if (failed(checkQuantized(op, scheme, codes, scales, zeroPoints)))
    return failure();
  if (symmetric && zeroPoints)
    return op->emitOpError(
        "expected no zero points where symmetric, got a zero-point result");
  if (!symmetric && !zeroPoints)
    return op->emitOpError(
        "expected a zero-point result where not symmetric, got none");
  return success();
}

/// At least one weight, each with `k` columns.
static LogicalResult checkWeights(Operation *op, OperandRange weights,
                                  int64_t k) {
  if (weights.empty())
    return op->emitOpError("expected at least one weight, got none");
  for (auto [i, weight] : llvm::enumerate(weights))
    if (failed(checkSize(op, "K of weight " + Twine(i), lastSize(weight), k,
                         "elements of the statistic")))
      return failure();
  return success();
}

static LogicalResult checkSweeps(Operation *op, int64_t sweeps) {
  if (sweeps < 0)
    return op->emitOpError()
           << "expected sweeps to be at least 0, got " << sweeps;
  return success();
}

static LogicalResult checkGrid(Operation *op, int64_t grid) {
  if (grid >= 1)
    return success();
  return op->emitOpError() << "expected grid to be at least 1, got " << grid;
}

/// Pairs (size, stride) of digits of a channel's number.
static LogicalResult
checkShared(Operation *op, std::optional<ArrayRef<int64_t>> shared, int64_t k) {
  if (!shared)
    return success();
  if (shared->size() % 2 != 0)
    return op->emitOpError()
           << "expected shared to be pairs of size and stride, got "
           << shared->size() << " numbers";
  for (size_t i = 0; i < shared->size(); i += 2) {
    int64_t size = (*shared)[i], stride = (*shared)[i + 1];
    if (size < 1 || stride < 1 ||
        (!ShapedType::isDynamic(k) && k % (size * stride) != 0))
      return op->emitOpError()
             << "expected size times stride of shared channels to divide " << k
             << ", got " << size << " and " << stride;
  }
  return success();
}

LogicalResult SmoothingFactorsOp::verify() {
  // (C1), (C2)
  if (failed(checkWeights(*this, getWeights(), lastSize(getAbsmax()))))
    return failure();
  // (C3)
  double alpha = getAlpha().convertToDouble();
  if (!(alpha >= 0 && alpha <= 1))
    return emitOpError() << "expected alpha to be in [0, 1], got " << alpha;
  // (C4)
  return checkShared(*this, getShared(), lastSize(getAbsmax()));
}

LogicalResult SearchSmoothingFactorsOp::verify() {
  int64_t k = lastSize(getAbsmax());
  // (C1), (C2)
  if (failed(checkWeights(*this, getWeights(), k)))
    return failure();
  for (int64_t size : tensorType(getHessian()).getShape())
    if (failed(checkSize(*this, "the sides of the Hessian", size, k,
                         "elements of absmax")))
      return failure();
  // (C3), (C4)
  if (failed(checkGrid(*this, getGrid())) ||
      failed(checkShared(*this, getShared(), k)))
    return failure();
  // (C5)
  if (getXScheme().getGranularity() == Granularity::PerTokenGroup)
    return emitOpError("expected activations per tensor or per token, got "
                       "per_token_group");
  // (C6)
  if (getPerTensor() && getScheme().getGroup() != -1)
    return emitOpError() << "expected a group of the whole row (-1) with "
                            "per_tensor, got "
                         << getScheme().getGroup();
  return success();
}

LogicalResult SaliencyFactorsOp::verify() {
  int64_t k = lastSize(getAbsmean());
  // (C1), (C2)
  if (failed(checkWeights(*this, getWeights(), k)))
    return failure();
  for (int64_t size : tensorType(getHessian()).getShape())
    if (failed(checkSize(*this, "the sides of the Hessian", size, k,
                         "elements of absmean")))
      return failure();
  // (C3), (C4)
  if (failed(checkGrid(*this, getGrid())))
    return failure();
  return checkShared(*this, getShared(), k);
}

LogicalResult ScaleColumnsOp::verify() {
  // (C1)
  if (failed(checkHasDimension(*this, "input", getInput())))
    return failure();
  // (C2)
  return checkSize(*this, "the number of factors", lastSize(getFactors()),
                   lastSize(getInput()), "last dimension of the input");
}

LogicalResult ScaleRowsOp::verify() {
  // (C1)
  return checkSize(*this, "the number of factors", lastSize(getFactors()),
                   tensorType(getInput()).getDimSize(0), "rows of the input");
}

LogicalResult GatherFactorsOp::verify() {
  // (C1)
  if (getSizes().size() != getStrides().size())
    return emitOpError() << "expected as many sizes as strides, got "
                         << getSizes().size() << " and " << getStrides().size();
  // (C4), which (C3) needs.
  std::optional<ArrayRef<int64_t>> first = getFirst(), counts = getCount();
  if (first.has_value() != counts.has_value())
    return emitOpError() << "expected first and count together, got only "
                         << (first ? "first" : "count");
  if (first && (first->size() != getSizes().size() ||
                counts->size() != getSizes().size()))
    return emitOpError() << "expected as many first and count as sizes, got "
                         << first->size() << " and " << counts->size()
                         << " for " << getSizes().size();
  int64_t count = 1, largest = 0;
  for (auto [i, size] : llvm::enumerate(getSizes())) {
    int64_t stride = getStrides()[i];
    if (size < 1 || stride < 0)
      return emitOpError()
             << "expected sizes of at least 1 and strides of at least 0, got "
             << size << " and " << stride;
    int64_t from = first ? (*first)[i] : 0, part = first ? (*counts)[i] : size;
    if (from < 0 || part < 1 || part > size || from > size - part)
      return emitOpError() << "expected first and count within " << size
                           << ", got " << from << " and " << part;
    count *= size;
    largest += (part - 1) * stride;
  }
  // (C2)
  if (failed(checkSize(*this, "the size of the result", lastSize(getResult()),
                       count, "product of sizes")))
    return failure();
  // (C3)
  int64_t factors = lastSize(getFactors());
  if (!ShapedType::isDynamic(factors) && largest >= factors)
    return emitOpError() << "expected indices below the number of factors, "
                         << factors << ", got " << largest;
  return success();
}

LogicalResult ActivationScaleOp::verify() {
  // (C1)
  if (getScheme().getGranularity() != Granularity::PerTensor)
    return emitOpError() << "expected a scheme per tensor, got "
                         << stringifyGranularity(getScheme().getGranularity());
  // (C2)
  auto type = tensorType(getScale());
  if (!llvm::all_of(type.getShape(), [](int64_t size) { return size == 1; }))
    return emitOpError() << "expected a scale with all dimensions 1, got "
                         << type;
  return success();
}

LogicalResult ClipOp::verify() {
  // (C1)
  for (int64_t size : tensorType(getHessian()).getShape())
    if (failed(checkSize(*this, "the sides of the Hessian", size,
                         lastSize(getWeight()), "K of the weight")))
      return failure();
  // (C2)
  if (failed(checkGrid(*this, getGrid())))
    return failure();
  return checkSweeps(*this, getSweeps());
}

LogicalResult RetargetOp::verify() {
  // (C1)
  for (auto [value, what] :
       {std::pair(getHessian(), "the sides of the Hessian"),
        std::pair(getCross(), "the sides of the cross moment")})
    for (int64_t size : tensorType(value).getShape())
      if (failed(checkSize(*this, what, size, lastSize(getWeight()),
                           "K of the weight")))
        return failure();
  if (Value residual = getResidual())
    if (tensorType(residual).getShape() != tensorType(getWeight()).getShape())
      return emitOpError()
             << "expected a residual moment of the weight's shape, got "
             << residual.getType() << " for " << getWeight().getType();
  // (C2)
  double alpha = getAlpha().convertToDouble();
  if (!(alpha >= 0 && alpha <= 1))
    return emitOpError() << "expected alpha to be in [0, 1], got " << alpha;
  if (!(getDamping().convertToDouble() > 0))
    return emitOpError() << "expected damping to be greater than 0, got "
                         << getDamping().convertToDouble();
  // (C3)
  if (tensorType(getResult()).getShape() != tensorType(getWeight()).getShape())
    return emitOpError() << "expected a result of the weight's shape, got "
                         << getResult().getType() << " for "
                         << getWeight().getType();
  return success();
}

LogicalResult SalientColumnsOp::verify() {
  int64_t k = lastSize(getWeight());
  // (C1)
  if (failed(checkSize(*this, "the elements of absmean", lastSize(getAbsmean()),
                       k, "K of the weight")))
    return failure();
  // (C2); the accessor is unsigned.
  auto count = static_cast<int64_t>(getCount());
  if (count < 0 || (!ShapedType::isDynamic(k) && count > k))
    return emitOpError() << "expected count to be in [0, " << k << "], got "
                         << count;
  return success();
}

LogicalResult RoundToNearestOp::verify() {
  // (C1), (C2), (C3)
  if (failed(checkRounded(*this, getWeight(), getScheme(), getSymmetric(),
                          getCodes(), getScales(), getZeroPoints())))
    return failure();
  // (C4)
  if (getScaleSearch() == ScaleSearch::Weighted)
    return emitOpError("expected scale_search to be none or mse, got weighted: "
                       "only round_compensated has a Hessian to weigh by");
  // (C5)
  if (getPerTensor() && getScheme().getGroup() != -1)
    return emitOpError() << "expected a group of the whole row (-1) with "
                            "per_tensor, got "
                         << getScheme().getGroup();
  if (getPerTensor() && getScaleSearch() != ScaleSearch::None)
    return emitOpError("expected no scale search with per_tensor");
  return success();
}

LogicalResult RoundCompensatedOp::verify() {
  // (C1)
  for (int64_t size : tensorType(getHessian()).getShape())
    if (failed(checkSize(*this, "the sides of the Hessian", size,
                         lastSize(getWeight()), "K of the weight")))
      return failure();
  // (C2)
  if (failed(checkRounded(*this, getWeight(), getScheme(), getSymmetric(),
                          getCodes(), getScales(), getZeroPoints())))
    return failure();
  // (C3)
  bool permuted = getOrder() == Order::Activation && !getStaticGroups();
  if (permuted != static_cast<bool>(getPermutation()))
    return emitOpError() << "expected " << (permuted ? "a" : "no")
                         << " permutation result with order = "
                         << stringifyOrder(getOrder())
                         << (getStaticGroups() ? " and" : " without")
                         << " static groups, got "
                         << (permuted ? "none" : "one");
  if (failed(checkPermutationAndBias(*this, getPermutation(), Value(), 0,
                                     lastSize(getWeight()))))
    return failure();
  // (C4)
  if (!(getDamping().convertToDouble() > 0))
    return emitOpError() << "expected damping to be greater than 0, got "
                         << getDamping().convertToDouble();
  // The accessors are unsigned.
  auto block = static_cast<int64_t>(getBlock());
  if (block < 1)
    return emitOpError() << "expected block to be at least 1, got " << block;
  if (failed(checkSweeps(*this, getSweeps())))
    return failure();
  auto rescales = static_cast<int64_t>(getRescales());
  if (rescales < 0)
    return emitOpError() << "expected rescales to be at least 0, got "
                         << rescales;
  // (C5)
  if (rescales > 0 && !getStaticGroups())
    return emitOpError() << "expected no rescales without static groups, got "
                         << rescales;
  return success();
}
