//===- QuantLLMVerifiers.cpp - Constraints of ops -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The numbered constraints of the ODS files, in their order. A dynamic
/// dimension fits any size.
///
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace qk::quant_llm;

static RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static bool fits(int64_t a, int64_t b) {
  return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
}

/// Checks that a dimension of `what` is `expected`.
static LogicalResult checkSize(Operation *op, const Twine &what, int64_t got,
                               int64_t expected, const Twine &why) {
  if (fits(got, expected))
    return success();
  return op->emitOpError() << "expected " << what << " to be " << expected
                           << " (" << why << "), got " << got;
}

static LogicalResult checkHasDimension(Operation *op, StringRef name,
                                       Value value) {
  if (tensorType(value).getRank() >= 1)
    return success();
  return op->emitOpError() << "expected " << name
                           << " to have at least one dimension, got 0";
}

static LogicalResult checkStatic(Operation *op, StringRef name, Value value) {
  if (tensorType(value).hasStaticShape())
    return success();
  return op->emitOpError() << "expected " << name
                           << " to have a static shape, got "
                           << value.getType();
}

static LogicalResult checkLayer(Operation *op, StringRef layer) {
  if (!layer.empty())
    return success();
  return op->emitOpError("expected a layer name, got an empty string");
}

static int64_t lastSize(Value value) {
  return tensorType(value).getShape().back();
}

/// Codes, scales and zero points fit the scheme: codes [N,K] static of the
/// storage type, scales [N,G] of the scale type, zero points [N,G] of i8 or
/// i16.
static LogicalResult checkQuantized(Operation *op, SchemeAttr scheme,
                                    Value codes, Value scales,
                                    Value zeroPoints) {
  if (failed(checkStatic(op, "codes", codes)))
    return failure();
  auto codesType = tensorType(codes);
  if (codesType.getElementType() != scheme.getStorageType())
    return op->emitOpError()
           << "expected codes of type " << scheme.getStorageType()
           << " (scheme " << stringifyCodeType(scheme.getCodeType())
           << "), got " << codesType.getElementType();
  int64_t n = codesType.getDimSize(0);
  int64_t groups = scheme.getScheme().groups(codesType.getDimSize(1));
  auto expectedScales =
      RankedTensorType::get({n, groups}, scheme.getScaleType());
  if (scales.getType() != expectedScales)
    return op->emitOpError()
           << "expected scales of type " << expectedScales
           << " (N rows, ceil(K/group) columns), got " << scales.getType();
  auto expectedZeros =
      RankedTensorType::get({n, groups}, scheme.getZeroPointType());
  if (zeroPoints && zeroPoints.getType() != expectedZeros)
    return op->emitOpError()
           << "expected zero points of type " << expectedZeros
           << " (as many as scales), got " << zeroPoints.getType();
  return success();
}

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

/// `permutation` has K elements, `bias` N.
static LogicalResult checkPermutationAndBias(Operation *op, Value permutation,
                                             Value bias, int64_t n, int64_t k) {
  if (permutation &&
      failed(checkSize(op, "the size of the permutation", lastSize(permutation),
                       k, "K of the weight")))
    return failure();
  if (bias && failed(checkSize(op, "the size of the bias", lastSize(bias), n,
                               "N of the weight")))
    return failure();
  return success();
}

/// x_scales and x_scheme are there just where x is an integer tensor, and fit
/// it: one scale (per tensor), or x's leading dimensions and the groups of `k`
/// elements.
static LogicalResult checkInputScales(Operation *op, Value x, Value xScales,
                                      ActivationSchemeAttr xScheme, int64_t k) {
  Type element = tensorType(x).getElementType();
  bool quantized = isa<IntegerType>(element);
  if (quantized && !xScales)
    return op->emitOpError()
           << "expected x_scales for x of type " << x.getType() << ", got none";
  if (!quantized && xScales)
    return op->emitOpError()
           << "expected no x_scales for x of type " << x.getType();
  if (quantized != static_cast<bool>(xScheme))
    return op->emitOpError()
           << "expected x_scheme just where x is quantised, got x of type "
           << x.getType() << (xScheme ? " with" : " without") << " x_scheme";
  if (!quantized)
    return success();
  if (!element.isInteger(xScheme.getBits()))
    return op->emitOpError() << "expected x of i" << xScheme.getBits()
                             << " (x_scheme), got " << x.getType();
  SmallVector<int64_t> shape(tensorType(x).getShape());
  if (xScheme.getGranularity() == Granularity::PerTensor)
    llvm::fill(shape, 1);
  else
    shape.back() = xScheme.getGroups(k);
  auto scales = tensorType(xScales);
  if (scales.getRank() != static_cast<int64_t>(shape.size()) ||
      !llvm::all_of_zip(scales.getShape(), shape, fits))
    return op->emitOpError() << "expected x_scales to fit "
                             << scales.clone(ArrayRef<int64_t>(shape))
                             << " (x_scheme), got " << scales;
  return success();
}

/// y has x's leading dimensions and, for float x, its element type.
static LogicalResult checkOutput(Operation *op, Value x, Value y) {
  auto xs = tensorType(x).getShape(), ys = tensorType(y).getShape();
  if (xs.size() != ys.size() ||
      !llvm::all_of_zip(xs.drop_back(), ys.drop_back(), fits))
    return op->emitOpError() << "expected y to have the leading dimensions of "
                             << x.getType() << ", got " << y.getType();
  Type element = tensorType(x).getElementType();
  if (isa<FloatType>(element) && element != tensorType(y).getElementType())
    return op->emitOpError() << "expected y to have x's element type "
                             << element << ", got " << y.getType();
  return success();
}

//===----------------------------------------------------------------------===//
// Model
//===----------------------------------------------------------------------===//

LogicalResult ParameterOp::verify() {
  // (C1)
  if (failed(checkStatic(*this, "the result", getResult())))
    return failure();
  // (C2)
  if (getName().empty())
    return emitOpError("expected a parameter name, got an empty string");
  // (C3)
  if (std::optional<ElementsAttr> value = getValue())
    if (value->getShapedType() != getStorageType())
      return emitOpError() << "expected a value of type " << getStorageType()
                           << " (the storage type of " << getResult().getType()
                           << "), got " << value->getShapedType();
  return success();
}

LogicalResult LinearOp::verify() {
  // (C1)
  if (failed(checkHasDimension(*this, "x", getX())))
    return failure();
  auto weight = tensorType(getWeight());
  // (C2)
  if (failed(checkSize(*this, "the last dimension of x", lastSize(getX()),
                       weight.getDimSize(1), "K of the weight")))
    return failure();
  // (C3)
  if (failed(checkPermutationAndBias(*this, Value(), getBias(),
                                     weight.getDimSize(0),
                                     weight.getDimSize(1))))
    return failure();
  // (C4)
  return checkStatic(*this, "the weight", getWeight());
}

//===----------------------------------------------------------------------===//
// Statistics
//===----------------------------------------------------------------------===//

LogicalResult ObserveOp::verify() {
  // (C1)
  if (failed(checkHasDimension(*this, "x", getX())))
    return failure();
  if (ShapedType::isDynamic(lastSize(getX())))
    return emitOpError() << "expected a static last dimension of x, got "
                         << getX().getType();
  // (C2)
  return checkLayer(*this, getLayer());
}

LogicalResult StatisticOp::verify() {
  auto type = tensorType(getResult());
  // (C1)
  if (failed(checkStatic(*this, "the statistic", getResult())))
    return failure();
  bool hessian = getKind() == StatisticKind::Hessian;
  bool square = type.getRank() == 2 && type.getDimSize(0) == type.getDimSize(1);
  if (hessian && !square)
    return emitOpError() << "expected a square Hessian, got " << type;
  if (!hessian && type.getRank() != 1)
    return emitOpError() << "expected " << stringifyStatisticKind(getKind())
                         << " to have one dimension, got " << type;
  // (C2)
  return checkLayer(*this, getLayer());
}

LogicalResult ScaleStatisticOp::verify() {
  auto type = tensorType(getStatistic());
  // (C1)
  if (type.getRank() != 1 &&
      !(type.getRank() == 2 && fits(type.getDimSize(0), type.getDimSize(1))))
    return emitOpError()
           << "expected a statistic of one dimension or a square one, got "
           << type;
  // (C2)
  return checkSize(*this, "the number of factors", lastSize(getFactors()),
                   type.getDimSize(0), "size of the statistic");
}

//===----------------------------------------------------------------------===//
// Recipe
//===----------------------------------------------------------------------===//

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
  int64_t count = 1, largest = 0;
  for (auto [size, stride] : llvm::zip(getSizes(), getStrides())) {
    if (size < 1 || stride < 0)
      return emitOpError()
             << "expected sizes of at least 1 and strides of at least 0, got "
             << size << " and " << stride;
    count *= size;
    largest += (size - 1) * stride;
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
  return checkGrid(*this, getGrid());
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
  auto sweeps = static_cast<int64_t>(getSweeps());
  if (sweeps < 0)
    return emitOpError() << "expected sweeps to be at least 0, got " << sweeps;
  return success();
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

LogicalResult MatmulOp::verify() {
  // (C1)
  if (failed(checkQuantized(*this, getScheme(), getCodes(), getScales(),
                            getZeroPoints())))
    return failure();
  auto codes = tensorType(getCodes());
  int64_t n = codes.getDimSize(0), k = codes.getDimSize(1);
  // (C2)
  if (failed(checkHasDimension(*this, "x", getX())) ||
      failed(checkSize(*this, "the last dimension of x", lastSize(getX()), k,
                       "K of the codes")))
    return failure();
  // (C3)
  if (failed(checkPermutationAndBias(*this, getPermutation(), getBias(), n, k)))
    return failure();
  // (C4)
  if (failed(
          checkInputScales(*this, getX(), getXScales(), getXSchemeAttr(), k)))
    return failure();
  // (C5)
  if (failed(checkOutput(*this, getX(), getY())) ||
      failed(checkSize(*this, "the last dimension of y", lastSize(getY()), n,
                       "N of the codes")))
    return failure();
  // (C6)
  if (Value zeros = getXZeroPoints()) {
    if (!getXScales())
      return emitOpError("expected x_scales with x_zero_points, got none");
    if (tensorType(zeros).getShape() != tensorType(getXScales()).getShape())
      return emitOpError()
             << "expected x_zero_points to have the shape of x_scales "
             << getXScales().getType() << ", got " << zeros.getType();
  }
  return success();
}

LogicalResult QuantizeOp::verify() {
  // (C1)
  if (failed(checkHasDimension(*this, "x", getX())))
    return failure();
  auto x = tensorType(getX()), codes = tensorType(getCodes()),
       scales = tensorType(getScales());
  if (ShapedType::isDynamic(x.getShape().back()))
    return emitOpError() << "expected a static last dimension of x, got " << x;
  // (C2)
  auto expected =
      x.clone(IntegerType::get(getContext(), getScheme().getBits()));
  if (codes != expected)
    return emitOpError() << "expected codes of type " << expected << ", got "
                         << codes;
  // (C3)
  SmallVector<int64_t> shape(x.getShape());
  if (getScheme().getGranularity() == Granularity::PerTensor)
    llvm::fill(shape, 1);
  else
    shape.back() = getScheme().getGroups(shape.back());
  auto expectedScales = scales.clone(ArrayRef<int64_t>(shape));
  if (scales != expectedScales)
    return emitOpError() << "expected scales of type " << expectedScales
                         << ", got " << scales;
  // (C4)
  Value scale = getStaticScale();
  if (!scale)
    return success();
  if (getScheme().getGranularity() != Granularity::PerTensor)
    return emitOpError() << "expected a static scale with per_tensor only, got "
                            "one with "
                         << stringifyGranularity(getScheme().getGranularity());
  if (scale.getType() != scales)
    return emitOpError() << "expected the static scale to have the type of the "
                            "scales "
                         << scales << ", got " << scale.getType();
  return success();
}

LogicalResult DequantizeOp::verify() {
  // (C1)
  if (failed(checkQuantized(*this, getScheme(), getCodes(), getScales(),
                            getZeroPoints())))
    return failure();
  // (C2)
  if (tensorType(getWeight()).getShape() != tensorType(getCodes()).getShape())
    return emitOpError() << "expected the result to have the shape of "
                         << getCodes().getType() << ", got "
                         << getWeight().getType();
  return success();
}

LogicalResult PackOp::verify() {
  // (C1)
  if (failed(checkQuantized(*this, getScheme(), getCodes(), getScales(),
                            getZeroPoints())))
    return failure();
  // (C2)
  if (failed(checkStatic(*this, "the packed bytes", getBytes())))
    return failure();
  // (C3)
  if (getLayout().empty())
    return emitOpError("expected a layout, got an empty string");
  return success();
}

LogicalResult PackedMatmulOp::verify() {
  // (C1)
  if (getN() < 1 || getK() < 1)
    return emitOpError() << "expected n and k to be at least 1, got "
                         << static_cast<int64_t>(getN()) << " and "
                         << static_cast<int64_t>(getK());
  int64_t n = getN(), k = getK();
  if (failed(checkHasDimension(*this, "x", getX())) ||
      failed(checkSize(*this, "the last dimension of x", lastSize(getX()), k,
                       "k")) ||
      failed(checkHasDimension(*this, "y", getY())) ||
      failed(checkSize(*this, "the last dimension of y", lastSize(getY()), n,
                       "n")))
    return failure();
  // (C2)
  if (failed(checkPermutationAndBias(*this, getPermutation(), getBias(), n, k)))
    return failure();
  // (C3)
  if (failed(
          checkInputScales(*this, getX(), getXScales(), getXSchemeAttr(), k)))
    return failure();
  // (C4)
  return checkOutput(*this, getX(), getY());
}
