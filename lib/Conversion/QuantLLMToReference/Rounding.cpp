//===- Rounding.cpp - Quantisers of activations and weights as linalg -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Codes.h"
#include "QuantLLMToReference.h"
#include "TensorProgram.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;
using Input = TensorProgram::Input;
using Sizes = TensorProgram::Sizes;
static constexpr int64_t kOne = TensorProgram::kOne;

/// a == 0 ? b : c
static Value ifZero(ImplicitLocOpBuilder &b, Value a, Value then,
                    Value otherwise) {
  Value isZero = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, a,
                                       constantOf(b, a.getType(), 0));
  return arith::SelectOp::create(b, isZero, then, otherwise);
}

/// max |x| over the last `reduced` of `sizes`.
static Value absMax(TensorProgram &program, ArrayRef<OpFoldResult> sizes,
                    int64_t reduced, Input x) {
  return program.reduce(sizes, reduced, program.getF32FloatAttr(0), x,
                        [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                          Value magnitude = math::AbsFOp::create(b, args[0]);
                          return arith::MaximumFOp::create(b, args[1],
                                                           magnitude);
                        });
}

/// The one element of `tensor` as a tensor of `rank` dimensions.
static Value reshapeOne(TensorProgram &program, Value tensor, int64_t rank) {
  int64_t from = TensorProgram::typeOf(tensor).getRank();
  if (from == rank)
    return tensor;
  Value zero = arith::ConstantIndexOp::create(program, 0);
  Value element = tensor::ExtractOp::create(program, tensor,
                                            SmallVector<Value>(from, zero));
  SmallVector<int64_t> shape(rank, 1);
  return tensor::FromElementsOp::create(
      program, RankedTensorType::get(shape, element.getType()), element);
}

namespace {

/// s = max |x| / cmax; c = clamp(round(x / s), -cmax, cmax), x divided by
/// factors first
struct LowerQuantize : public OpConversionPattern<QuantizeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(QuantizeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    TensorProgram program(op.getLoc(), rewriter);
    ActivationSchemeAttr scheme = op.getScheme();
    Value x = program.toF32(program.flatten(adaptor.getX()));
    if (Value factors = adaptor.getFactors())
      x = program.compute(
          program.sizesOf(x), program.getF32Type(),
          {Input{x, {0, 1}}, Input{factors, {1}}},
          [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
            return arith::DivFOp::create(b, args[0], args[1]);
          });
    int64_t k = TensorProgram::typeOf(x).getDimSize(1);
    int64_t rank = TensorProgram::typeOf(adaptor.getX()).getRank();
    bool perTensor = scheme.getGranularity() == Granularity::PerTensor;
    bool grouped = scheme.getGranularity() == Granularity::PerTokenGroup;
    Value groups =
        program.splitGroups(x, grouped ? std::min(scheme.getGroup(), k) : k);

    // Scales as [M,G], for the whole tensor as [1,1].
    Value scales;
    if (adaptor.getStaticScale())
      scales = reshapeOne(program, adaptor.getStaticScale(), 2);
    else
      scales = scalesOf(program, groups, perTensor, scheme.getMaxCode());

    int64_t row = perTensor ? kOne : 0, column = perTensor ? kOne : 1;
    Type element = TensorProgram::elementOf(op.getCodes());
    Value codes = program.compute(
        program.sizesOf(groups), element,
        {Input{groups, {0, 1, 2}}, Input{scales, {row, column}}},
        [&](ImplicitLocOpBuilder &b, ValueRange args) {
          Value steps = arith::DivFOp::create(b, args[0], args[1]);
          if (scheme.getIsFloat())
            return encodeE4M3(b, steps);
          return roundAndClamp(b, steps, -scheme.getMaxCode(),
                               scheme.getMaxCode(), element);
        });
    codes = program.unflatten(program.joinGroups(codes, k), adaptor.getX());
    scales = perTensor ? reshapeOne(program, scales, rank)
                       : program.unflatten(scales, adaptor.getX());
    rewriter.replaceOp(op, {program.castTo(codes, op.getCodes().getType()),
                            program.castTo(scales, op.getScales().getType())});
    return success();
  }

private:
  static Value scalesOf(TensorProgram &program, Value groups, bool perTensor,
                        int64_t maxCode) {
    Sizes sizes = program.sizesOf(groups);
    Value largest = absMax(program, sizes, 1, {groups, {0, 1, 2}});
    if (perTensor) {
      // That of each row first: rows are what a GPU's threads, or a vector,
      // share out.
      OpFoldResult one = program.getIndexAttr(1);
      largest = absMax(program, Sizes{one, one, sizes[0], sizes[1]}, 2,
                       {largest, {2, 3}});
    }
    return program.compute(
        program.sizesOf(largest), program.getF32Type(), Input{largest, {0, 1}},
        [&](ImplicitLocOpBuilder &b, ValueRange args) {
          Value scale = arith::DivFOp::create(
              b, args[0], constantOf(b, b.getF32Type(), maxCode));
          return ifZero(b, scale, constantOf(b, b.getF32Type(), 1), scale);
        });
  }
};

/// Range, scale, zero point and codes of each group of a weight.
struct LowerRoundToNearest : public OpConversionPattern<RoundToNearestOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(RoundToNearestOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    TensorProgram program(op.getLoc(), rewriter);
    numerics::Scheme scheme = op.getScheme().getScheme();
    Value weight = program.toF32(adaptor.getWeight());
    int64_t k = TensorProgram::typeOf(weight).getDimSize(1);
    Value groups = program.splitGroups(weight, scheme.groupLength(k));

    Value hi = extreme(program, groups, /*largest=*/true);
    Value lo = extreme(program, groups, /*largest=*/false);
    if (op.getSymmetric()) {
      hi = program.compute(
          program.sizesOf(hi), program.getF32Type(),
          {Input{lo, {0, 1}}, Input{hi, {0, 1}}},
          [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
            Value negated = arith::NegFOp::create(b, args[0]);
            return arith::MaximumFOp::create(b, negated, args[1]);
          });
      lo = program.compute(
          program.sizesOf(hi), program.getF32Type(), Input{hi, {0, 1}},
          [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
            return arith::NegFOp::create(b, args[0]);
          });
    }
    if (op.getScaleSearch() == ScaleSearch::MSE)
      shrinkToLeastError(program, groups, lo, hi, op);
    Value scales = scalesOf(program, lo, hi, op.getScheme());
    SmallVector<Value> results(2);
    SmallVector<Input> inputs = {{groups, {0, 1, 2}}, {scales, {0, 1}}};
    if (!op.getSymmetric()) {
      results.push_back(zeroPointsOf(program, lo, hi, scales, op.getScheme()));
      inputs.push_back({results[2], {0, 1}});
    }
    Value codes =
        program.compute(program.sizesOf(groups), program.getI8Type(), inputs,
                        [&](ImplicitLocOpBuilder &b, ValueRange args) {
                          return codeOf(b, args, scheme);
                        });
    results[0] = program.joinGroups(codes, k);
    results[1] = scales;
    rewriter.replaceOp(op, results);
    return success();
  }

private:
  /// max(0, the largest) or min(0, the smallest) of each group, [N,G].
  static Value extreme(TensorProgram &program, Value groups, bool largest) {
    return program.reduce(
        program.sizesOf(groups), 1, program.getF32FloatAttr(0),
        Input{groups, {0, 1, 2}},
        [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          if (largest)
            return arith::MaximumFOp::create(b, args[0], args[1]);
          return arith::MinimumFOp::create(b, args[0], args[1]);
        });
  }

  static constexpr int64_t kSearchSteps = 80;

  /// x·(1 - step / 100)
  static Value shrunk(ImplicitLocOpBuilder &b, Value x, Value step) {
    Type f32 = b.getF32Type();
    Value part = arith::DivFOp::create(b, step, constantOf(b, f32, 100));
    Value factor = arith::SubFOp::create(b, constantOf(b, f32, 1), part);
    return arith::MulFOp::create(b, x, factor);
  }

  /// Replaces the ranges [N,G] by those of the 80 steps that have the smallest
  /// sum |w - q|^2.4, the first of equal ones.
  static void shrinkToLeastError(TensorProgram &program, Value groups,
                                 Value &lo, Value &hi, RoundToNearestOp op) {
    Type f32 = program.getF32Type();
    OpFoldResult steps = program.getIndexAttr(kSearchSteps);
    Sizes sizes = program.sizesOf(groups);
    // Which of the steps, in f32 (exact).
    auto stepOf = [&](ImplicitLocOpBuilder &b) -> Value {
      Value index = arith::IndexCastOp::create(b, b.getI32Type(),
                                               linalg::IndexOp::create(b, 2));
      return arith::SIToFPOp::create(b, f32, index);
    };
    Value errors = program.reduce(
        Sizes{sizes[0], sizes[1], steps, sizes[2]}, 1,
        program.getF32FloatAttr(0),
        {Input{groups, {0, 1, 3}}, Input{lo, {0, 1}}, Input{hi, {0, 1}}},
        [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          Value step = stepOf(b), low = shrunk(b, args[1], step),
                high = shrunk(b, args[2], step);
          Value scale = extendToF32(b, scaleOf(b, low, high, op.getScheme()));
          SmallVector<Value> group = {args[0], scale};
          if (!op.getSymmetric())
            group.push_back(zeroPointOf(b, low, high, scale, op.getScheme()));
          Value error = errorOf(b, group, op.getScheme().getScheme());
          return arith::AddFOp::create(b, args[3], error);
        });
    Value least = program.reduce(
        program.sizesOf(errors), 1,
        program.getFloatAttr(f32, std::numeric_limits<float>::infinity()),
        Input{errors, {0, 1, 2}},
        [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          return arith::MinimumFOp::create(b, args[0], args[1]);
        });
    Value first = program.reduce(
        program.sizesOf(errors), 1, program.getF32FloatAttr(kSearchSteps),
        {Input{errors, {0, 1, 2}}, Input{least, {0, 1}}},
        [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          Value best = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ,
                                             args[0], args[1]);
          Value step = arith::SelectOp::create(b, best, stepOf(b), args[2]);
          return arith::MinimumFOp::create(b, args[2], step);
        });
    for (Value *bound : {&lo, &hi})
      *bound = program.compute(program.sizesOf(first), f32,
                               {Input{*bound, {0, 1}}, Input{first, {0, 1}}},
                               [](ImplicitLocOpBuilder &b, ValueRange args) {
                                 return shrunk(b, args[0], args[1]);
                               });
  }

  /// |w - q|^2.4 of args w, s and, if there is one, z.
  static Value errorOf(ImplicitLocOpBuilder &b, ArrayRef<Value> args,
                       const numerics::Scheme &scheme) {
    Type f32 = b.getF32Type();
    Value code = codeOf(b, args, scheme);
    // Codes of u8 are unsigned bytes.
    code = scheme.isSigned()
               ? arith::SIToFPOp::create(b, f32, code).getResult()
               : arith::UIToFPOp::create(b, f32, code).getResult();
    Value zero = args.size() > 2
                     ? arith::SIToFPOp::create(b, f32, args[2]).getResult()
                     : constantOf(b, f32, scheme.defaultZeroPoint());
    Value centred = arith::SubFOp::create(b, code, zero);
    Value value = arith::MulFOp::create(b, args[1], centred);
    Value error = math::AbsFOp::create(
        b, arith::SubFOp::create(b, value, args[0]).getResult());
    Value exponent =
        arith::ConstantOp::create(b, b.getF32FloatAttr(2.4f)).getResult();
    return math::PowFOp::create(b, error, exponent);
  }

  /// scaleOf of each group, [N,G].
  static Value scalesOf(TensorProgram &program, Value lo, Value hi,
                        SchemeAttr scheme) {
    return program.compute(program.sizesOf(lo), scheme.getScaleType(),
                           {Input{lo, {0, 1}}, Input{hi, {0, 1}}},
                           [&](ImplicitLocOpBuilder &b, ValueRange args) {
                             return scaleOf(b, args[0], args[1], scheme);
                           });
  }

  /// (hi - lo) / (2^b - 1), rounded to the scale type and kept within what it
  /// can divide by; 1 where the group is all zeros.
  static Value scaleOf(ImplicitLocOpBuilder &b, Value lo, Value hi,
                       SchemeAttr scheme) {
    Type type = scheme.getScaleType(), f32 = b.getF32Type();
    const auto &semantics = cast<FloatType>(type).getFloatSemantics();
    double largest = APFloat::getLargest(semantics).convertToDouble();
    // Subnormal f16 survives every conversion; subnormal f32 and bf16 do not.
    double smallest = (type.isF16() ? APFloat::getSmallest(semantics)
                                    : APFloat::getSmallestNormalized(semantics))
                          .convertToDouble();
    int64_t steps = scheme.getScheme().codeMax() - scheme.getScheme().codeMin();
    Value range = arith::SubFOp::create(b, hi, lo);
    Value ideal = arith::DivFOp::create(b, range, constantOf(b, f32, steps));
    Value stored = extendToF32(b, roundFromF32(b, ideal, type));
    stored = arith::MinimumFOp::create(b, stored, constantOf(b, f32, largest));
    stored = arith::MaximumFOp::create(b, stored, constantOf(b, f32, smallest));
    stored = ifZero(b, ideal, constantOf(b, f32, 1), stored);
    return roundFromF32(b, stored, type);
  }

  /// zeroPointOf each group, [N,G].
  static Value zeroPointsOf(TensorProgram &program, Value lo, Value hi,
                            Value scales, SchemeAttr scheme) {
    return program.compute(
        program.sizesOf(lo), scheme.getZeroPointType(),
        {Input{lo, {0, 1}}, Input{hi, {0, 1}}, Input{scales, {0, 1}}},
        [&](ImplicitLocOpBuilder &b, ValueRange args) {
          return zeroPointOf(b, args[0], args[1], extendToF32(b, args[2]),
                             scheme);
        });
  }

  /// cmin + round(-lo / s), a code; the default where the group is all zeros.
  static Value zeroPointOf(ImplicitLocOpBuilder &b, Value lo, Value hi,
                           Value scale, SchemeAttr attr) {
    numerics::Scheme scheme = attr.getScheme();
    Type type = attr.getZeroPointType();
    Value negated = arith::NegFOp::create(b, lo);
    Value steps = arith::DivFOp::create(b, negated, scale);
    Value zero = roundAndClamp(b, steps, 0, scheme.codeMax() - scheme.codeMin(),
                               b.getI32Type());
    zero = arith::AddIOp::create(
        b, zero, constantOf(b, b.getI32Type(), scheme.codeMin()));
    zero = arith::TruncIOp::create(b, type, zero);
    return ifZero(b, arith::SubFOp::create(b, hi, lo),
                  constantOf(b, type, scheme.defaultZeroPoint()), zero);
  }

  /// clamp(round(w / s) + z, cmin, cmax) of args w, s and, if there is one, z.
  static Value codeOf(ImplicitLocOpBuilder &b, ValueRange args,
                      const numerics::Scheme &scheme) {
    Type f32 = b.getF32Type();
    Value steps = arith::DivFOp::create(b, args[0], extendToF32(b, args[1]));
    Value rounded = math::RoundEvenOp::create(b, steps);
    Value zero = args.size() > 2
                     ? arith::SIToFPOp::create(b, f32, args[2]).getResult()
                     : constantOf(b, f32, scheme.defaultZeroPoint());
    return roundAndClamp(b, arith::AddFOp::create(b, rounded, zero),
                         scheme.codeMin(), scheme.codeMax(), b.getI8Type());
  }
};

} // namespace

void qk::populateRoundingToReferencePatterns(const TypeConverter &converter,
                                             RewritePatternSet &patterns) {
  patterns.add<LowerQuantize, LowerRoundToNearest>(converter,
                                                   patterns.getContext());
}
