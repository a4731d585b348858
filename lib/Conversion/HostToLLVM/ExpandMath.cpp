//===- ExpandMath.cpp - Vectorizable math as arithmetic -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WideMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "qk/Conversion/HostToLLVM/Passes.h"

namespace qk {
#define GEN_PASS_DEF_EXPANDMATH
#include "qk/Conversion/HostToLLVM/Passes.h.inc"
} // namespace qk

using namespace mlir;

namespace {
/// exp of f32 without a branch or a table, so that it is vectorized. In f64:
/// e^x = 2^n e^r, n the integer next to x / ln 2, e^r a polynomial of degree 8
/// within 2^-40 of it for |r| <= ln(2) / 2 (interpolated in Chebyshev's
/// points). The only rounding that counts is that to f32 at the end: the result
/// is the nearest f32 but for about five arguments in a million that are next
/// to half way between two (glibc 2.36: six hundred). In f32 the same needs the
/// rounding errors of each step added again, about as much work in all.
struct ExpandExp : OpRewritePattern<math::ExpOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::ExpOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return rewriter.notifyMatchFailure(op, "expected f32");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Type f64 = b.getF64Type(), i64 = b.getI64Type();
    auto constant = [&](double value) -> Value {
      return arith::ConstantOp::create(b, b.getF64FloatAttr(value));
    };
    auto integer = [&](int64_t value) -> Value {
      return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
    };
    auto multiplyAdd = [&](Value x, Value y, Value z) -> Value {
      return math::FmaOp::create(b, x, y, z);
    };

    // Beyond these e^x is infinite in f32, or rounds to 0. NaN stays NaN.
    Value x = op.getOperand();
    auto bound = [&](arith::CmpFPredicate beyond, float value) {
      Value limit =
          arith::ConstantOp::create(b, b.getF32FloatAttr(value)).getResult();
      Value isBeyond = arith::CmpFOp::create(b, beyond, x, limit);
      x = arith::SelectOp::create(b, isBeyond, limit, x);
    };
    bound(arith::CmpFPredicate::OGT, 89.0f);
    bound(arith::CmpFPredicate::OLT, -104.0f);
    x = arith::ExtFOp::create(b, f64, x);

    // Adding 1.5 * 2^52 rounds to an integer, which is then in the low bits.
    Value magic = constant(0x1.8p52);
    Value shifted = multiplyAdd(x, constant(0x1.71547652b82fep0), magic);
    Value n = arith::SubFOp::create(b, shifted, magic);
    Value r = multiplyAdd(n, constant(-0x1.62e42fefa39efp-1), x);
    Value power = constant(0x1.a15a4f98eb4a5p-16);
    for (double coefficient :
         {0x1.a1aa7f143c60ap-13, 0x1.6c164df443c8cp-10, 0x1.111080ae06089p-7,
          0x1.5555557428d91p-5, 0x1.555555a26dedbp-3, 0x1.fffffffff71cfp-2,
          0x1.ffffffffd38c1p-1, 0x1.0p+0})
      power = multiplyAdd(power, r, constant(coefficient));

    // Times 2^n: n added to the exponent, which has room for it.
    Value bits = arith::BitcastOp::create(b, i64, shifted);
    Value exponent = arith::ShLIOp::create(b, bits, integer(52));
    bits = arith::AddIOp::create(b, arith::BitcastOp::create(b, i64, power),
                                 exponent);
    Value result = arith::BitcastOp::create(b, f64, bits);
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, op.getType(), result);
    return success();
  }
};

struct ExpandMath : qk::impl::ExpandMathBase<ExpandMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathAlgebraicSimplificationPatterns(patterns);
    auto isExpanded = [](StringRef name) {
      return name == math::ExpOp::getOperationName() ||
             name == math::Log1pOp::getOperationName() ||
             name == math::ExpM1Op::getOperationName();
    };
    populateMathF32ExpansionPatterns(patterns, isExpanded);
    auto module = getOperation()->getParentOfType<ModuleOp>();
    if (!module || !module->hasAttr(qk::plainArithmeticAttrName)) {
      patterns.add<ExpandExp>(&getContext());
      qk::populateNearZeroMathPatterns(patterns);
    }
    // Not all that arith-expand has: it would turn a maximum into comparisons
    // that no reduction is vectorized through.
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    arith::populateExpandBFloat16Patterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
