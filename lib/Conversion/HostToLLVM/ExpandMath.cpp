//===- ExpandMath.cpp - Vectorizable math as arithmetic -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "qk/Conversion/HostToLLVM/Passes.h"

namespace qk {
#define GEN_PASS_DEF_EXPANDMATH
#include "qk/Conversion/HostToLLVM/Passes.h.inc"
} // namespace qk

using namespace mlir;

namespace {
struct ExpandMath : qk::impl::ExpandMathBase<ExpandMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathAlgebraicSimplificationPatterns(patterns);
    auto isExp = [](StringRef name) {
      return name == math::ExpOp::getOperationName();
    };
    populateMathF32ExpansionPatterns(patterns, isExp);
    auto module = getOperation()->getParentOfType<ModuleOp>();
    if (!module || !module->hasAttr(qk::plainArithmeticAttrName))
      populateMathPolynomialApproximationPatterns(patterns, isExp);
    // Not all that arith-expand has: it would turn a maximum into comparisons
    // that no reduction is vectorized through.
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    arith::populateExpandBFloat16Patterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
