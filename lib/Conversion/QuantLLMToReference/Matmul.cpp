//===- Matmul.cpp - Quantised linears as linalg ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Codes.h"
#include "QuantLLMToReference.h"
#include "QuantizedInput.h"
#include "TensorProgram.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

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
    int64_t k = TensorProgram::typeOf(adaptor.getCodes()).getDimSize(1);
    Value x = program.toF32(flattenInput(program, adaptor.getX(), k));
    return multiplyF32(x, op, adaptor, program);
  }

  static Value lowerInteger(MatmulOp op, OpAdaptor adaptor,
                            TensorProgram &program) {
    int64_t k = TensorProgram::typeOf(adaptor.getCodes()).getDimSize(1);
    QuantizedInput x =
        readQuantizedInput(program, adaptor.getX(), adaptor.getXScales(),
                           adaptor.getXZeroPoints(), op.getXSchemeAttr(), k);
    // Products of floats are summed in f32.
    bool areFloats = op.getScheme().getScheme().isFloat() || x.isFloat;
    if (areFloats || (adaptor.getPermutation() && x.length < k))
      return multiplyF32(dequantizeInput(program, x), op, adaptor, program);
    if (adaptor.getPermutation())
      x.codes = permuteColumns(program, x.codes, adaptor.getPermutation());
    numerics::Scheme scheme = op.getScheme().getScheme();
    Value weight = subtractZeroPoints(program, adaptor.getCodes(),
                                      adaptor.getZeroPoints(), scheme);
    int64_t length = scheme.groupLength(k);
    weight = program.splitGroups(weight, stretchLength(x.length, length, k));
    // 64 bits hold the sum for any zero points and any K.
    return integerMatmul(program, x, weight, adaptor.getScales(), length,
                         program.getI64Type());
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
