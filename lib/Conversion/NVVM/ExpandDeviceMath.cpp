//===- ExpandDeviceMath.cpp - Functions of kernels as arithmetic ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../HostToLLVM/WideMath.h"

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

/// Halves away from zero.
struct ExpandRound : OpRewritePattern<math::RoundOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::RoundOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<FloatType>(op.getType());
    if (!type)
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto constant = [&](double value) -> Value {
      return arith::ConstantOp::create(b, b.getFloatAttr(type, value));
    };
    Value x = op.getOperand(), whole = math::TruncOp::create(b, x);
    Value rest = math::AbsFOp::create(b, arith::SubFOp::create(b, x, whole));
    Value isHalf = arith::CmpFOp::create(b, arith::CmpFPredicate::OGE, rest,
                                         constant(0.5));
    Value next = arith::AddFOp::create(
        b, whole, math::CopySignOp::create(b, constant(1), x));
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, isHalf, next, whole);
    return success();
  }
};

/// The larger or smaller of two, the other one of a NaN.
template <typename Op, arith::CmpFPredicate predicate>
struct ExpandChoice : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value x = op.getLhs(), y = op.getRhs();
    Value first = arith::SelectOp::create(
        b, arith::CmpFOp::create(b, predicate, x, y), x, y);
    Value isNaN = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, y, y);
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, isNaN, x, first);
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
    // Shorter floats first: what is expanded in their arithmetic loses places.
    auto always = [](StringRef name) {
      return name != math::SqrtOp::getOperationName() &&
             name != math::FmaOp::getOperationName();
    };
    RewritePatternSet longer(&getContext());
    populateMathF32ExpansionPatterns(longer, always);
    if (failed(applyPatternsGreedily(getOperation(), std::move(longer))))
      return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    populateMathAlgebraicSimplificationPatterns(patterns);
    math::populateExpansionPatterns(patterns, {"rsqrt", "fpowi", "exp2", "sinh",
                                               "cosh", "tan", "asinh", "acosh",
                                               "atanh", "clampf"});
    populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
      return name != math::SinOp::getOperationName() &&
             name != math::CosOp::getOperationName() &&
             name != math::Log1pOp::getOperationName() &&
             name != math::ExpM1Op::getOperationName();
    });
    patterns.add<ExpandTurn<math::SinOp>, ExpandTurn<math::CosOp>>(
        &getContext());
    qk::populateWideMathPatterns(patterns);
    // The GPU's conversion would make calls of libdevice of the first two, too.
    patterns.add<ExpandChoice<arith::MaxNumFOp, arith::CmpFPredicate::OGT>,
                 ExpandChoice<arith::MinNumFOp, arith::CmpFPredicate::OLT>,
                 ExpandRound>(&getContext());
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
