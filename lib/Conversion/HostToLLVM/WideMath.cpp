//===- WideMath.cpp - Functions as arithmetic of f64 ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WideMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <numbers>

using namespace mlir;

namespace {

/// Arithmetic of f64.
struct Wide {
  Wide(Location loc, PatternRewriter &rewriter) : b(loc, rewriter) {}

  Value constant(double value) {
    return arith::ConstantOp::create(b, b.getF64FloatAttr(value));
  }
  Value integer(int64_t value) {
    return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
  }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
  Value fma(Value x, Value y, Value z) {
    return math::FmaOp::create(b, x, y, z);
  }
  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, condition, x, y);
  }
  Value is(arith::CmpFPredicate predicate, Value x, Value y) {
    return arith::CmpFOp::create(b, predicate, x, y);
  }
  Value bits(Value x) { return arith::BitcastOp::create(b, b.getI64Type(), x); }
  Value fromBits(Value x) {
    return arith::BitcastOp::create(b, b.getF64Type(), x);
  }
  /// 2^n of an integer n for which it is normal.
  Value power(Value n) {
    return fromBits(arith::ShLIOp::create(
        b, arith::AddIOp::create(b, n, integer(1023)), integer(52)));
  }

  /// e^x = 2^n e^r, |r| ≤ ln(2) / 2. Taylor's series: the first term left out
  /// is 4e-18.
  Value exp(Value x) {
    // Beyond these it is infinite, or 0; a NaN goes through them as a number.
    Value n = select(is(arith::CmpFPredicate::OGT, x, constant(-746)), x,
                     constant(-746));
    n = select(is(arith::CmpFPredicate::OLT, n, constant(710)), n,
               constant(710));
    Value r = n;
    n = math::RoundEvenOp::create(b, mul(n, constant(std::numbers::log2e)));
    // ln 2 in two parts, of which the first has no bits where n has some.
    r = fma(n, constant(-0x1.62e42fefa0000p-1), r);
    r = fma(n, constant(-0x1.cf79abc9e3b3ap-40), r);
    double factorial = 6227020800; // of 13
    Value sum = constant(1 / factorial);
    for (int i = 13; i > 0; --i)
      sum = fma(sum, r, constant(1 / (factorial /= i)));
    // In two steps: 2^n by itself may be more, or less, than f64 has.
    Value whole = arith::FPToSIOp::create(b, b.getI64Type(), n);
    Value half = arith::ShRSIOp::create(b, whole, integer(1));
    sum = mul(sum, power(half));
    sum = mul(sum, power(arith::SubIOp::create(b, whole, half)));
    return select(is(arith::CmpFPredicate::UNO, x, x), x, sum);
  }

  /// ln x = n ln 2 + ln m, m from √½ to √2: ln m = 2 artanh s of s = (m - 1) /
  /// (m + 1), |s| < 0.172, whose series' first term left out is 2e-19.
  Value log(Value x) {
    // A subnormal number has no exponent of its own.
    Value isSmall = is(arith::CmpFPredicate::OLT, x, constant(0x1p-1022));
    Value scaled = select(isSmall, mul(x, constant(0x1p54)), x);
    Value shifted = arith::SubIOp::create(
        b, bits(scaled), bits(constant(std::numbers::sqrt2 / 2)));
    Value exponent = arith::ShRSIOp::create(b, shifted, integer(52));
    Value m = fromBits(arith::SubIOp::create(
        b, bits(scaled), arith::ShLIOp::create(b, exponent, integer(52))));
    Value n = arith::SIToFPOp::create(b, b.getF64Type(), exponent);
    n = select(isSmall, add(n, constant(-54)), n);
    Value s =
        arith::DivFOp::create(b, add(m, constant(-1)), add(m, constant(1)));
    Value square = mul(s, s), sum = constant(2.0 / 23);
    for (int i = 21; i > 0; i -= 2)
      sum = fma(sum, square, constant(2.0 / i));
    Value result = fma(n, constant(std::numbers::ln2), mul(s, sum));
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    result = select(is(arith::CmpFPredicate::OGT, x, constant(0)), result,
                    constant(std::numeric_limits<double>::quiet_NaN()));
    result = select(is(arith::CmpFPredicate::OEQ, x, constant(0)),
                    constant(-kInfinity), result);
    return select(is(arith::CmpFPredicate::OEQ, x, constant(kInfinity)), x,
                  result);
  }

  Value log2(Value x) { return mul(log(x), constant(std::numbers::log2e)); }
  Value log10(Value x) { return mul(log(x), constant(std::numbers::log10e)); }

  /// ln(1 + x): what rounding 1 + x to u takes from x, x / (u - 1) gives back.
  Value log1p(Value x) {
    Value u = add(x, constant(1)), moved = add(u, constant(-1));
    Value result = mul(log(u), arith::DivFOp::create(b, x, moved));
    result =
        select(is(arith::CmpFPredicate::OEQ, moved, constant(0)), x, result);
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    return select(is(arith::CmpFPredicate::OEQ, x, constant(kInfinity)), x,
                  result);
  }

  /// e^x - 1, whose first places cancel near 0: Taylor's series is there.
  Value expm1(Value x) {
    Value series = constant(1.0 / 120);
    for (double next : {1.0 / 24, 1.0 / 6, 0.5, 1.0})
      series = fma(series, x, constant(next));
    Value isSmall = is(arith::CmpFPredicate::OLT, math::AbsFOp::create(b, x),
                       constant(0x1p-8));
    return select(isSmall, mul(series, x), add(exp(x), constant(-1)));
  }

  /// x - q y, q being x / y without what is behind its point: exact where q is
  /// less than 2^52, as then q is at most one off.
  Value rem(Value x, Value y) {
    y = math::AbsFOp::create(b, y);
    Value q = math::TruncOp::create(b, arith::DivFOp::create(b, x, y));
    Value r = fma(arith::NegFOp::create(b, q), y, x);
    Value step = math::CopySignOp::create(b, y, x);
    Value isOther = is(arith::CmpFPredicate::OLT, mul(r, step), constant(0));
    r = select(isOther, add(r, step), r);
    Value isWhole =
        is(arith::CmpFPredicate::OGE, math::AbsFOp::create(b, r), y);
    r = select(isWhole, arith::SubFOp::create(b, r, step), r);
    // Of an infinite y, q y is NaN; a zero has x's sign.
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    Value isInfinite = is(arith::CmpFPredicate::OEQ, y, constant(kInfinity));
    Value isFinite = is(arith::CmpFPredicate::OLT, math::AbsFOp::create(b, x),
                        constant(kInfinity));
    r = select(arith::AndIOp::create(b, isInfinite, isFinite), x, r);
    return math::CopySignOp::create(b, r, x);
  }

  /// |x|^y by exp and log, some 1e-13 of it at f64's ends; of a negative x for
  /// integers y, whose oddness is the sign.
  Value pow(Value x, Value y) {
    Value result = exp(mul(y, log(math::AbsFOp::create(b, x))));
    Value half = mul(y, constant(0.5));
    Value isEven =
        is(arith::CmpFPredicate::OEQ, math::FloorOp::create(b, half), half);
    Value isWhole =
        is(arith::CmpFPredicate::OEQ, math::FloorOp::create(b, y), y);
    Value negative = select(
        isWhole, select(isEven, result, arith::NegFOp::create(b, result)),
        constant(std::numeric_limits<double>::quiet_NaN()));
    result =
        select(is(arith::CmpFPredicate::OLT, x, constant(0)), negative, result);
    // Also of what y times an infinite logarithm is NaN.
    Value isOne =
        arith::OrIOp::create(b, is(arith::CmpFPredicate::OEQ, y, constant(0)),
                             is(arith::CmpFPredicate::OEQ, x, constant(1)));
    return select(isOne, constant(1), result);
  }

  ImplicitLocOpBuilder b;
};

/// Functions of f64, for which upstream has polynomials in f32 only (what
/// rounds to f32 in the end, like alibi's slopes, exporters compute so); with
/// `narrowToo` also of shorter floats, where upstream's lose places: an error
/// of log1p next to 0 is 5e-5, and a power's is its logarithm's times the
/// exponent (and the power of any x < 0 NaN).
template <typename Op, auto function, bool narrowToo>
struct ExpandWide : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<FloatType>(op.getType());
    if (!type || type.getWidth() > 64 || (!narrowToo && !type.isF64()))
      return failure();
    Wide wide(op.getLoc(), rewriter);
    SmallVector<Value> operands;
    for (Value x : op->getOperands())
      operands.push_back(
          type.isF64() ? x
                       : arith::ExtFOp::create(wide.b, wide.b.getF64Type(), x));
    Value result;
    if constexpr (std::is_invocable_v<decltype(function), Wide &, Value>)
      result = (wide.*function)(operands[0]);
    else
      result = (wide.*function)(operands[0], operands[1]);
    // No instruction makes 16 bits of 64.
    if (type.getWidth() < 32)
      result = arith::TruncFOp::create(wide.b, wide.b.getF32Type(), result);
    if (!type.isF64())
      result = arith::TruncFOp::create(wide.b, type, result);
    rewriter.replaceOp(op, result);
    return success();
  }
};

} // namespace

void qk::populateNearZeroMathPatterns(RewritePatternSet &patterns) {
  patterns.add<ExpandWide<math::Log1pOp, &Wide::log1p, true>,
               ExpandWide<math::ExpM1Op, &Wide::expm1, true>>(
      patterns.getContext());
}

void qk::populateWideMathPatterns(RewritePatternSet &patterns) {
  populateNearZeroMathPatterns(patterns);
  patterns.add<ExpandWide<math::ExpOp, &Wide::exp, false>,
               ExpandWide<math::LogOp, &Wide::log, false>,
               ExpandWide<math::Log2Op, &Wide::log2, false>,
               ExpandWide<math::Log10Op, &Wide::log10, true>,
               ExpandWide<math::PowFOp, &Wide::pow, true>,
               // The GPU's conversion would make a call of libdevice of it.
               ExpandWide<arith::RemFOp, &Wide::rem, true>>(
      patterns.getContext());
}
