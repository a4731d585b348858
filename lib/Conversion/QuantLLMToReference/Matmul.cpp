//===- Matmul.cpp - Quantised linears as linalg ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Codes.h"
#include "QuantLLMToReference.h"
#include "TensorProgram.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <numeric>

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;
using Input = TensorProgram::Input;
using Sizes = TensorProgram::Sizes;
static constexpr int64_t kOne = TensorProgram::kOne;

/// out[m,k] = x[m, p(k)]
static Value permuteColumns(TensorProgram &program, Value x,
                            Value permutation) {
  return program.compute(
      program.sizesOf(x), TensorProgram::elementOf(x), {{permutation, {1}}},
      [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Value row = linalg::IndexOp::create(b, 0);
        Value column = arith::IndexCastOp::create(b, b.getIndexType(), args[0]);
        return tensor::ExtractOp::create(b, x, ValueRange{row, column});
      });
}

namespace {

/// A quantised activation in two dimensions: codes [M,K]; scales and zero
/// points [M,G] (or [1,1]) over `length` consecutive elements.
struct QuantizedInput {
  Value codes, scales, zeroPoints;
  int64_t length;
  bool perTensor;

  /// Where an expression's row is in the scales.
  int64_t row(int64_t dim) const { return perTensor ? kOne : dim; }
};

} // namespace

/// x - z as i32, [M,K].
static Value centreInput(TensorProgram &program, const QuantizedInput &x) {
  int64_t k = TensorProgram::typeOf(x.codes).getDimSize(1);
  Value groups = program.splitGroups(x.codes, x.length);
  SmallVector<Input> inputs = {{groups, {0, 1, 2}}};
  if (x.zeroPoints)
    inputs.push_back({x.zeroPoints, {x.row(0), x.perTensor ? kOne : 1}});
  Value centred = program.compute(
      program.sizesOf(groups), program.getI32Type(), inputs,
      [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Value code = arith::ExtSIOp::create(b, b.getI32Type(), args[0]);
        if (!x.zeroPoints)
          return code;
        return arith::SubIOp::create(
            b, code, arith::ExtSIOp::create(b, b.getI32Type(), args[1]));
      });
  return program.joinGroups(centred, k);
}

/// s[m,k/g] * (x[m,k] - z[m,k/g]) as f32, [M,K].
static Value dequantizeInput(TensorProgram &program, const QuantizedInput &x) {
  int64_t k = TensorProgram::typeOf(x.codes).getDimSize(1);
  Value groups = program.splitGroups(centreInput(program, x), x.length);
  Value values = program.compute(
      program.sizesOf(groups), program.getF32Type(),
      {Input{groups, {0, 1, 2}},
       Input{x.scales, {x.row(0), x.perTensor ? kOne : 1}}},
      [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        return arith::MulFOp::create(
            b, args[1], arith::SIToFPOp::create(b, b.getF32Type(), args[0]));
      });
  return program.joinGroups(values, k);
}

/// `scales` [R,G] over groups of `length`, for stretches of `stretch`: the
/// input of an expression whose dimension `row` is R and whose dimension
/// `column` counts stretches.
static Input scalesOfStretches(TensorProgram &program, Value scales,
                               int64_t length, int64_t stretch, int64_t k,
                               int64_t row, int64_t column) {
  if (length >= k)
    return {scales, {row, kOne}};
  if (length == stretch)
    return {scales, {row, column}};
  // Each group is several stretches. (An index computed in the body: a map
  // with a floordiv is what the vectorizer and tiling get wrong.)
  Sizes sizes = program.sizesOf(scales);
  sizes[1] = program.getIndexAttr((k + stretch - 1) / stretch);
  Value repeated = program.compute(
      sizes, TensorProgram::elementOf(scales), {},
      [&](ImplicitLocOpBuilder &b, ValueRange) -> Value {
        Value group = arith::DivUIOp::create(
            b, linalg::IndexOp::create(b, 1),
            arith::ConstantIndexOp::create(b, length / stretch));
        Value at = linalg::IndexOp::create(b, 0);
        return tensor::ExtractOp::create(b, scales, ValueRange{at, group});
      });
  return {repeated, {row, column}};
}

/// sum over stretches of sx * sw * (integer sum of the stretch), f32 [M,N]. A
/// stretch is as many consecutive columns as always share all their scales.
static Value integerMatmul(TensorProgram &program, const QuantizedInput &x,
                           Value centredWeight, Value scales,
                           int64_t groupLength) {
  int64_t k = TensorProgram::typeOf(centredWeight).getDimSize(1);
  int64_t stretch = x.length >= k      ? groupLength
                    : groupLength >= k ? x.length
                                       : std::gcd(x.length, groupLength);
  Value a = program.splitGroups(centreInput(program, x), stretch);
  Value b = program.splitGroups(centredWeight, stretch);
  Sizes sizes = {program.sizesOf(a)[0], program.sizesOf(b)[0],
                 program.getIndexAttr((k + stretch - 1) / stretch),
                 program.getIndexAttr(stretch)};
  // 64 bits hold the sum for any zero points and any K.
  Value sums = program.reduce(
      sizes, 1, program.getI64IntegerAttr(0),
      {Input{a, {0, 2, 3}}, Input{b, {1, 2, 3}}},
      [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Value left = arith::ExtSIOp::create(b, b.getI64Type(), args[0]);
        Value right = arith::ExtSIOp::create(b, b.getI64Type(), args[1]);
        return arith::AddIOp::create(b, args[2],
                                     arith::MulIOp::create(b, left, right));
      });
  return program.reduce(
      ArrayRef(sizes).drop_back(), 1, program.getF32FloatAttr(0),
      {Input{sums, {0, 1, 2}},
       scalesOfStretches(program, x.scales, x.length, stretch, k, x.row(0), 2),
       scalesOfStretches(program, scales, groupLength, stretch, k, 1, 2)},
      [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Value scale =
            arith::MulFOp::create(b, args[1], extendToF32(b, args[2]));
        Value sum = arith::SIToFPOp::create(b, b.getF32Type(), args[0]);
        return arith::AddFOp::create(b, args[3],
                                     arith::MulFOp::create(b, scale, sum));
      });
}

namespace {

/// y[m,n] = round( sum_k X[m, p(k)] * s[n, k/g] * (c[n,k] - z[n, k/g]) + b[n] )
struct LowerMatmul : public OpConversionPattern<MatmulOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MatmulOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    TensorProgram program(op.getLoc(), rewriter);
    Value sum = adaptor.getXScales() ? lowerInteger(op, adaptor, program)
                                     : lowerFloat(op, adaptor, program);
    Value y = program.addBias(sum, adaptor.getBias(),
                              TensorProgram::elementOf(op.getY()));
    y = program.unflatten(y, adaptor.getX());
    rewriter.replaceOp(op, program.castTo(y, op.getY().getType()));
    return success();
  }

private:
  /// x as [M,K] with K static.
  static Value flatInput(OpAdaptor adaptor, TensorProgram &program) {
    Value x = program.flatten(adaptor.getX());
    RankedTensorType type = TensorProgram::typeOf(x);
    int64_t k = TensorProgram::typeOf(adaptor.getCodes()).getDimSize(1);
    return program.castTo(x, type.clone({type.getDimSize(0), k}));
  }

  static Value multiplyF32(Value x, MatmulOp op, OpAdaptor adaptor,
                           TensorProgram &program) {
    if (adaptor.getPermutation())
      x = permuteColumns(program, x, adaptor.getPermutation());
    return program.matmul(x, dequantizeToF32(program, adaptor.getCodes(),
                                             adaptor.getScales(),
                                             adaptor.getZeroPoints(),
                                             op.getScheme().getScheme()));
  }

  static Value lowerFloat(MatmulOp op, OpAdaptor adaptor,
                          TensorProgram &program) {
    Value x = program.toF32(flatInput(adaptor, program));
    return multiplyF32(x, op, adaptor, program);
  }

  static Value lowerInteger(MatmulOp op, OpAdaptor adaptor,
                            TensorProgram &program) {
    ActivationSchemeAttr xScheme = op.getXSchemeAttr();
    int64_t k = TensorProgram::typeOf(adaptor.getCodes()).getDimSize(1);
    bool grouped = xScheme.getGranularity() == Granularity::PerTokenGroup;
    QuantizedInput x;
    x.codes = flatInput(adaptor, program);
    x.scales = program.flatten(adaptor.getXScales());
    if (adaptor.getXZeroPoints())
      x.zeroPoints = program.flatten(adaptor.getXZeroPoints());
    x.length = grouped ? std::min(xScheme.getGroup(), k) : k;
    x.perTensor = xScheme.getGranularity() == Granularity::PerTensor;

    if (adaptor.getPermutation() && x.length < k)
      return multiplyF32(dequantizeInput(program, x), op, adaptor, program);
    if (adaptor.getPermutation())
      x.codes = permuteColumns(program, x.codes, adaptor.getPermutation());
    numerics::Scheme scheme = op.getScheme().getScheme();
    Value weight = subtractZeroPoints(program, adaptor.getCodes(),
                                      adaptor.getZeroPoints(), scheme);
    return integerMatmul(program, x, weight, adaptor.getScales(),
                         scheme.groupLength(k));
  }
};

/// w[n,k] = round( s[n, k/g] * (c[n,k] - z[n, k/g]) )
struct LowerDequantize : public OpConversionPattern<DequantizeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DequantizeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    TensorProgram program(op.getLoc(), rewriter);
    Value weight =
        dequantizeToF32(program, adaptor.getCodes(), adaptor.getScales(),
                        adaptor.getZeroPoints(), op.getScheme().getScheme());
    rewriter.replaceOp(
        op, program.fromF32(weight, TensorProgram::elementOf(op.getWeight())));
    return success();
  }
};

} // namespace

void qk::populateMatmulToReferencePatterns(const TypeConverter &converter,
                                           RewritePatternSet &patterns) {
  patterns.add<LowerDequantize, LowerMatmul>(converter, patterns.getContext());
}
