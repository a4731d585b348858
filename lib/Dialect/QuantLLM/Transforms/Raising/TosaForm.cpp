//===- TosaForm.cpp - Linear layers written in TOSA -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// torch-mlir makes `tosa.matmul` of a linear layer, with a batch of one in
/// front of activation and weight; TFLite a `tosa.conv2d` of size 1x1 with the
/// bias inside.
///
//===----------------------------------------------------------------------===//

#include "LinearForm.h"
#include "LookThrough.h"
#include "Product.h"
#include "StridedConstant.h"

#include "mlir/Dialect/Tosa/IR/TosaOps.h"

using namespace mlir;
using namespace qk::quant_llm;

static bool isFloatTensor(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType>(type.getElementType());
}

/// out[b,m,n] = sum over k of (a[b,m,k] - a_zp) * (b[b,k,n] - b_zp)
static LinearFinding findMatMul(tosa::MatMulOp op) {
  if (!isFloatTensor(op.getA()) || !isFloatTensor(op.getB()))
    return LinearFinding::unrelated();
  bool left = stridesOfConstant(op.getA()).has_value();
  bool right = stridesOfConstant(op.getB()).has_value();
  auto type = cast<RankedTensorType>(op.getA().getType());
  // Attention's products have a batch of one too where there is one head.
  if (!left && !right)
    return explainComputed(op.getA(), op.getB(), /*isBatched=*/true);
  if (left && right)
    return LinearFinding::rejected("both operands are constants");
  if (type.getDimSize(2) == 1)
    return rejectOuterProduct();
  if (left)
    return LinearFinding::rejected(
        "the constant is the left operand, a product W*x; expected x*W");
  if (!isFilledWith(op.getAZp(), 0.0) || !isFilledWith(op.getBZp(), 0.0))
    return LinearFinding::rejected(
        "expected zero points that are constants of value zero in a product "
        "of floats");
  Product product;
  product.op = op;
  product.x = op.getA();
  product.weight = op.getB();
  product.n = {2};
  product.k = {1};
  return findLinearAround(product);
}

/// out[n,h,w,o] = bias[o] + sum over y, x, i of
/// (input[n,h*s+y,w*s+x,i] - input_zp) * (weight[o,y,x,i] - weight_zp)
static LinearFinding findConv2D(tosa::Conv2DOp op) {
  if (!isFloatTensor(op.getInput()) || !isFloatTensor(op.getWeight()))
    return LinearFinding::unrelated();
  auto weightType = cast<RankedTensorType>(op.getWeight().getType());
  if (weightType.getDimSize(1) != 1 || weightType.getDimSize(2) != 1)
    return LinearFinding::unrelated();
  if (!stridesOfConstant(op.getWeight()))
    return explainComputed(op.getInput(), op.getWeight(), /*isBatched=*/false);
  auto isNot = [](int64_t value) {
    return [=](int64_t other) { return other != value; };
  };
  if (llvm::any_of(op.getStride(), isNot(1)) ||
      llvm::any_of(op.getPad(), isNot(0)))
    return LinearFinding::rejected(
        "a convolution of size 1x1 with stride or padding; expected stride 1 "
        "and no padding");
  if (!isFilledWith(op.getInputZp(), 0.0) ||
      !isFilledWith(op.getWeightZp(), 0.0))
    return LinearFinding::rejected(
        "expected zero points that are constants of value zero in a product "
        "of floats");
  Product product;
  product.op = op;
  product.x = op.getInput();
  product.weight = op.getWeight();
  product.n = {0};
  product.k = {3};
  // One bias for all channels is written as one element.
  if (!isFilledWith(op.getBias(), 0.0)) {
    auto biasType = dyn_cast<RankedTensorType>(op.getBias().getType());
    if (!biasType || biasType.getDimSize(0) != weightType.getDimSize(0))
      return LinearFinding::rejected(
          "one bias for all channels; expected one each, or zero");
    product.init = op.getBias();
  }
  return findLinearAround(product);
}

LinearFinding qk::quant_llm::findTosaLinear(Operation *op) {
  if (auto matmul = dyn_cast<tosa::MatMulOp>(op))
    return findMatMul(matmul);
  if (auto conv = dyn_cast<tosa::Conv2DOp>(op))
    return findConv2D(conv);
  return LinearFinding::unrelated();
}
