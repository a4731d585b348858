//===- ExpandDeviceMath.cpp - Functions of kernels as arithmetic ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Conversion/NVVM/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/TypeSwitch.h"

#include <numbers>

namespace qk {
#define GEN_PASS_DEF_EXPANDDEVICEMATH
#include "qk/Conversion/NVVM/Passes.h.inc"
} // namespace qk

using namespace mlir;

namespace {

/// sin and cos of f32 by f64: a rotary embedding's angle is a position times a
/// frequency, and a reduction of it to a quarter turn in f32 would lose what a
/// long text's positions need.
template <typename Op> struct ExpandTurn : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type f64 = b.getF64Type();
    auto constant = [&](double value) -> Value {
      return arith::ConstantFloatOp::create(b, cast<FloatType>(f64),
                                            APFloat(value));
    };
    auto fma = [&](Value x, Value y, Value z) -> Value {
      return math::FmaOp::create(b, x, y, z);
    };
    auto mul = [&](Value x, Value y) -> Value {
      return arith::MulFOp::create(b, x, y);
    };
    // x = quarters · π/2 + r, |r| ≤ π/4. π/2 in two parts: the product with
    // the first is rounded, its rest is not lost.
    constexpr double kHigh = std::numbers::pi / 2;
    constexpr double kLow = 6.123233995736766e-17;
    Value x = arith::ExtFOp::create(b, f64, op.getOperand());
    Value quarters =
        math::RoundEvenOp::create(b, mul(x, constant(2 / std::numbers::pi)));
    Value minus = arith::NegFOp::create(b, quarters);
    Value r = fma(minus, constant(kHigh), x);
    r = fma(minus, constant(kLow), r);
    Value square = mul(r, r);
    // Taylor's series: at π/4 the first term left out is 7e-12 (sin) and
    // 4e-13 (cos).
    auto series = [&](int first) {
      double term = 1;
      SmallVector<double> terms{1};
      for (int i = first + 1; i < 12; i += 2)
        terms.push_back(term /= -double(i * (i + 1)));
      Value sum = constant(terms.back());
      for (double next : llvm::reverse(ArrayRef(terms).drop_back()))
        sum = fma(sum, square, constant(next));
      return sum;
    };
    Value sine = mul(series(1), r), cosine = series(0);
    // Which quarter, as a float: 0, 1, 2 or 3; cos is a quarter ahead.
    if (isa<math::CosOp>(op))
      quarters = arith::AddFOp::create(b, quarters, constant(1));
    Value turns = math::FloorOp::create(b, mul(quarters, constant(0.25)));
    Value quarter = fma(turns, constant(-4), quarters);
    auto is = [&](arith::CmpFPredicate predicate, double value) -> Value {
      return arith::CmpFOp::create(b, predicate, quarter, constant(value));
    };
    Value odd = arith::OrIOp::create(b, is(arith::CmpFPredicate::OEQ, 1),
                                     is(arith::CmpFPredicate::OEQ, 3));
    Value result = arith::SelectOp::create(b, odd, cosine, sine);
    result = arith::SelectOp::create(b, is(arith::CmpFPredicate::OGE, 2),
                                     arith::NegFOp::create(b, result), result);
    rewriter.replaceOp(op, arith::TruncFOp::create(b, op.getType(), result));
    return success();
  }
};

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

/// exp and log of f64, for which upstream has polynomials in f32 only. (What
/// rounds to f32 in the end, like alibi's slopes, exporters compute so.)
template <typename Op, Value (Wide::*function)(Value)>
struct ExpandWide : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF64())
      return failure();
    Wide wide(op.getLoc(), rewriter);
    rewriter.replaceOp(op, (wide.*function)(op.getOperand()));
    return success();
  }
};

/// By f64 also of f32: a logarithm's error is multiplied by the exponent.
/// (Upstream's is NaN for any x < 0.)
struct ExpandPow : OpRewritePattern<math::PowFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::PowFOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<FloatType>(op.getType());
    if (!type || type.getWidth() > 64)
      return failure();
    Wide wide(op.getLoc(), rewriter);
    auto widen = [&](Value x) -> Value {
      return type.isF64()
                 ? x
                 : arith::ExtFOp::create(wide.b, wide.b.getF64Type(), x);
    };
    Value result = wide.pow(widen(op.getLhs()), widen(op.getRhs()));
    if (!type.isF64())
      result = arith::TruncFOp::create(wide.b, type, result);
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// The intrinsic of LLVM that the NVPTX back end makes instructions of. Not by
/// convert-math-to-llvm: the GPU's conversion takes those ops for calls of
/// libdevice.
StringRef intrinsicOf(Operation *op) {
  return TypeSwitch<Operation *, StringRef>(op)
      .Case([](math::AbsFOp) { return "llvm.fabs"; })
      .Case([](math::CeilOp) { return "llvm.ceil"; })
      .Case([](math::FloorOp) { return "llvm.floor"; })
      .Case([](math::RoundEvenOp) { return "llvm.roundeven"; })
      .Case([](math::TruncOp) { return "llvm.trunc"; })
      .Case([](math::SqrtOp) { return "llvm.sqrt"; })
      .Case([](math::CopySignOp) { return "llvm.copysign"; })
      .Default([](Operation *) { return ""; });
}

/// Ops that convert-math-to-llvm is right for.
bool isConvertible(Operation *op) {
  return isa<math::AbsIOp, math::FmaOp, math::CountLeadingZerosOp,
             math::CtPopOp, math::CountTrailingZerosOp, math::IsNaNOp,
             math::IsInfOp, math::IsFiniteOp>(op);
}

struct ExpandDeviceMath : qk::impl::ExpandDeviceMathBase<ExpandDeviceMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathAlgebraicSimplificationPatterns(patterns);
    math::populateExpansionPatterns(
        patterns, {"rsqrt", "fpowi", "exp2", "round", "sinh", "cosh", "tan",
                   "asinh", "acosh", "atanh", "clampf"});
    auto always = [](StringRef name) {
      return name != math::SqrtOp::getOperationName() &&
             name != math::FmaOp::getOperationName();
    };
    populateMathF32ExpansionPatterns(patterns, always);
    populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
      return name != math::SinOp::getOperationName() &&
             name != math::CosOp::getOperationName();
    });
    patterns.add<ExpandTurn<math::SinOp>, ExpandTurn<math::CosOp>>(
        &getContext());
    patterns.add<ExpandWide<math::ExpOp, &Wide::exp>,
                 ExpandWide<math::LogOp, &Wide::log>, ExpandPow>(&getContext());
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    WalkResult result = getOperation().walk([](Operation *op) {
      if (!isa<math::MathDialect>(op->getDialect()) || isConvertible(op))
        return WalkResult::advance();
      if (StringRef name = intrinsicOf(op); !name.empty()) {
        OpBuilder b(op);
        auto call = LLVM::CallIntrinsicOp::create(
            b, op->getLoc(), op->getResult(0).getType(), b.getStringAttr(name),
            op->getOperands());
        op->replaceAllUsesWith(call);
        op->erase();
        return WalkResult::advance();
      }
      op->emitError("no GPU code for '")
          << op->getName() << "' on " << op->getResult(0).getType()
          << " (model=device); lower with model=host";
      return WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
