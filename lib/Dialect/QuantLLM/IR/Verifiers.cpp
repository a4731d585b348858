//===- Verifiers.cpp - What verifiers of ops share ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Verifiers.h"

using namespace mlir;
using namespace qk::quant_llm;
using namespace qk::quant_llm::verifiers;

RankedTensorType verifiers::tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

bool verifiers::fits(int64_t a, int64_t b) {
  return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
}

int64_t verifiers::lastSize(Value value) {
  return tensorType(value).getShape().back();
}

LogicalResult verifiers::checkSize(Operation *op, const Twine &what,
                                   int64_t got, int64_t expected,
                                   const Twine &why) {
  if (fits(got, expected))
    return success();
  return op->emitOpError() << "expected " << what << " to be " << expected
                           << " (" << why << "), got " << got;
}

LogicalResult verifiers::checkHasDimension(Operation *op, StringRef name,
                                           Value value) {
  if (tensorType(value).getRank() >= 1)
    return success();
  return op->emitOpError() << "expected " << name
                           << " to have at least one dimension, got 0";
}

LogicalResult verifiers::checkStatic(Operation *op, StringRef name,
                                     Value value) {
  if (tensorType(value).hasStaticShape())
    return success();
  return op->emitOpError() << "expected " << name
                           << " to have a static shape, got "
                           << value.getType();
}

LogicalResult verifiers::checkLayer(Operation *op, StringRef layer) {
  if (!layer.empty())
    return success();
  return op->emitOpError("expected a layer name, got an empty string");
}

LogicalResult verifiers::checkQuantized(Operation *op, SchemeAttr scheme,
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
  if (zeroPoints && scheme.getScheme().isFloat())
    return op->emitOpError() << "expected no zero points with codes of "
                             << stringifyCodeType(scheme.getCodeType())
                             << ", got " << zeroPoints.getType();
  auto expectedZeros =
      RankedTensorType::get({n, groups}, scheme.getZeroPointType());
  if (zeroPoints && zeroPoints.getType() != expectedZeros)
    return op->emitOpError()
           << "expected zero points of type " << expectedZeros
           << " (as many as scales), got " << zeroPoints.getType();
  return success();
}

LogicalResult verifiers::checkPermutationAndBias(Operation *op,
                                                 Value permutation, Value bias,
                                                 int64_t n, int64_t k) {
  if (permutation &&
      failed(checkSize(op, "the size of the permutation", lastSize(permutation),
                       k, "K of the weight")))
    return failure();
  if (bias && failed(checkSize(op, "the size of the bias", lastSize(bias), n,
                               "N of the weight")))
    return failure();
  return success();
}
