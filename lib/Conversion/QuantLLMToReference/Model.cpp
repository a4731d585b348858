//===- Model.cpp - Parameters, linears and scalings as linalg -------------===//
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

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;
using Input = TensorProgram::Input;

/// Codes of `bits` < 8 bits, one a byte, out of rows of packed bytes: element
/// i is in bits [bits*i, bits*(i+1)) of its row, least significant first, so
/// it lies in one byte or (3 bits) in two.
static Value unpackRows(TensorProgram &program, Value packed, int64_t bits,
                        RankedTensorType type) {
  TensorProgram::Sizes sizes;
  for (int64_t size : type.getShape())
    sizes.push_back(program.getIndexAttr(size));
  int64_t last = TensorProgram::typeOf(packed).getShape().back() - 1;
  return program.compute(
      sizes, program.getI8Type(), {},
      [&](ImplicitLocOpBuilder &b, ValueRange) -> Value {
        auto index = [&](int64_t value) -> Value {
          return arith::ConstantIndexOp::create(b, value);
        };
        SmallVector<Value> indices;
        for (int64_t dim = 0; dim < type.getRank(); ++dim)
          indices.push_back(linalg::IndexOp::create(b, dim));
        Value bit = arith::MulIOp::create(b, indices.back(), index(bits));
        Value low = arith::DivUIOp::create(b, bit, index(8));
        // Beyond the last byte there are no bits to be had: any byte will do.
        Value high = arith::MinUIOp::create(
            b, arith::AddIOp::create(b, low, index(1)), index(last));
        auto byteAt = [&](Value at) -> Value {
          indices.back() = at;
          Value byte = tensor::ExtractOp::create(b, packed, indices);
          return arith::ExtUIOp::create(b, b.getIntegerType(16), byte);
        };
        auto i16 = [&](int64_t value) -> Value {
          return arith::ConstantOp::create(b, b.getI16IntegerAttr(value));
        };
        Value shift = arith::IndexCastUIOp::create(
            b, b.getIntegerType(16), arith::RemUIOp::create(b, bit, index(8)));
        Value word = arith::OrIOp::create(
            b, byteAt(low), arith::ShLIOp::create(b, byteAt(high), i16(8)));
        Value code = arith::AndIOp::create(
            b, arith::ShRUIOp::create(b, word, shift), i16((1 << bits) - 1));
        return arith::TruncIOp::create(b, b.getI8Type(), code);
      });
}

namespace {

/// parameter : tensor<...xKxiB> ==> unpack(parameter :
/// tensor<...xceil(K*B/8)xi8>)
struct LowerParameter : public OpConversionPattern<ParameterOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ParameterOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getResult().getType());
    if (op.getStorageType() == type)
      return rewriter.notifyMatchFailure(op, "elements are whole bytes");
    TensorProgram program(op.getLoc(), rewriter);
    Value bytes = ParameterOp::create(program, op.getStorageType(),
                                      op.getScopeAttr(), op.getNameAttr(),
                                      op.getValueAttr(), op.getPartAttr());
    rewriter.replaceOp(
        op, unpackRows(program, bytes, type.getElementTypeBitWidth(), type));
    return success();
  }
};

/// result[n,k] = weight[k,n]
struct LowerTranspose : public OpConversionPattern<TransposeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(TransposeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    TensorProgram program(op.getLoc(), rewriter);
    TensorProgram::Sizes sizes = program.sizesOf(adaptor.getWeight());
    std::swap(sizes[0], sizes[1]);
    Value empty = tensor::EmptyOp::create(
        program, sizes, TensorProgram::elementOf(adaptor.getWeight()));
    rewriter.replaceOpWithNewOp<linalg::TransposeOp>(
        op, adaptor.getWeight(), empty, ArrayRef<int64_t>{1, 0});
    return success();
  }
};

/// y[..., n] = round( sum_k x[..., k] * weight[n, k] + bias[n] )
struct LowerLinear : public OpConversionPattern<LinearOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(LinearOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    TensorProgram program(op.getLoc(), rewriter);
    Value x = program.toF32(program.flatten(adaptor.getX()));
    // A weight that the model stores as [K,N] is read as it lies.
    auto transpose = op.getWeight().getDefiningOp<TransposeOp>();
    Value sum = transpose
                    ? program.matmul(x,
                                     program.toF32(rewriter.getRemappedValue(
                                         transpose.getWeight())),
                                     /*transposed=*/false)
                    : program.matmul(x, program.toF32(adaptor.getWeight()));
    Value y = program.addBias(sum, adaptor.getBias(),
                              TensorProgram::elementOf(op.getY()));
    y = program.unflatten(y, adaptor.getX());
    rewriter.replaceOp(op, program.castTo(y, op.getY().getType()));
    return success();
  }
};

/// result[..., k] = round( input[..., k] * s[k] ), or divided by it
struct LowerScaleColumns : public OpConversionPattern<ScaleColumnsOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ScaleColumnsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    TensorProgram program(op.getLoc(), rewriter);
    Value input = adaptor.getInput();
    Type element = TensorProgram::elementOf(input);
    int64_t rank = TensorProgram::typeOf(input).getRank();
    auto dims = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    Value result = program.compute(
        program.sizesOf(input), element,
        {Input{input, dims}, Input{adaptor.getFactors(), {rank - 1}}},
        [&](ImplicitLocOpBuilder &b, ValueRange args) {
          Value value = extendToF32(b, args[0]);
          Value offset;
          if (!op.getOffset().isZero()) {
            offset =
                constantOf(b, b.getF32Type(), op.getOffset().convertToDouble());
            value = arith::AddFOp::create(b, value, offset);
          }
          value = op.getInverse()
                      ? arith::DivFOp::create(b, value, args[1]).getResult()
                      : arith::MulFOp::create(b, value, args[1]).getResult();
          if (offset)
            value = arith::SubFOp::create(b, value, offset);
          return roundFromF32(b, value, element);
        });
    rewriter.replaceOp(op, program.castTo(result, op.getResult().getType()));
    return success();
  }
};

/// result[n,k] = round( input[n,k] * s[n] ), or divided by it
struct LowerScaleRows : public OpConversionPattern<ScaleRowsOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ScaleRowsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    TensorProgram program(op.getLoc(), rewriter);
    Value input = adaptor.getInput();
    Type element = TensorProgram::elementOf(input);
    Value result = program.compute(
        program.sizesOf(input), element,
        {Input{input, {0, 1}}, Input{adaptor.getFactors(), {0}}},
        [&](ImplicitLocOpBuilder &b, ValueRange args) {
          Value value = extendToF32(b, args[0]);
          value = op.getInverse()
                      ? arith::DivFOp::create(b, value, args[1]).getResult()
                      : arith::MulFOp::create(b, value, args[1]).getResult();
          return roundFromF32(b, value, element);
        });
    rewriter.replaceOp(op, program.castTo(result, op.getResult().getType()));
    return success();
  }
};

} // namespace

void qk::populateModelToReferencePatterns(const TypeConverter &converter,
                                          RewritePatternSet &patterns) {
  patterns.add<LowerLinear, LowerParameter, LowerScaleColumns, LowerScaleRows,
               LowerTranspose>(converter, patterns.getContext());
}
