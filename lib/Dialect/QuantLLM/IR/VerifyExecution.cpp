//===- VerifyExecution.cpp - Constraints of quantised execution -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Verifiers.h"

using namespace mlir;
using namespace qk::quant_llm;
using namespace qk::quant_llm::verifiers;

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
  if (Value scale = getStaticScale()) {
    if (getScheme().getGranularity() != Granularity::PerTensor)
      return emitOpError()
             << "expected a static scale with per_tensor only, got one with "
             << stringifyGranularity(getScheme().getGranularity());
    if (scale.getType() != scales)
      return emitOpError()
             << "expected the static scale to have the type of the scales "
             << scales << ", got " << scale.getType();
  }
  // (C5)
  if (Value factors = getFactors())
    return checkSize(*this, "the number of factors", lastSize(factors),
                     lastSize(getX()), "last dimension of x");
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
