//===- QuantLLMFolds.cpp - Folders and canonicalisation -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Only what is exact and cheap: nothing here evaluates a recipe or reads a
/// parameter's file.
///
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace qk::quant_llm;

/// The constant that `value` is, where it is written in the module: a constant
/// op or a parameter with an inline value of at least byte elements.
static DenseElementsAttr getInlineConstant(Value value) {
  if (auto parameter = value.getDefiningOp<ParameterOp>()) {
    if (parameter.getStorageType() != parameter.getResult().getType())
      return {};
    return dyn_cast_or_null<DenseElementsAttr>(parameter.getValueAttr());
  }
  DenseElementsAttr constant;
  return matchPattern(value, m_Constant(&constant)) ? constant
                                                    : DenseElementsAttr();
}

/// x * 1 and x / 1 are x, bit for bit.
static bool isAllOnes(Value value) {
  DenseElementsAttr constant = getInlineConstant(value);
  return constant && constant.isSplat() &&
         isa<FloatType>(constant.getElementType()) &&
         constant.getSplatValue<APFloat>().isExactlyValue(1.0);
}

OpFoldResult ScaleStatisticOp::fold(FoldAdaptor) {
  return isAllOnes(getFactors()) ? getStatistic() : Value();
}

OpFoldResult ScaleColumnsOp::fold(FoldAdaptor) {
  return isAllOnes(getFactors()) ? getInput() : Value();
}

OpFoldResult ScaleRowsOp::fold(FoldAdaptor) {
  return isAllOnes(getFactors()) ? getInput() : Value();
}

namespace {

/// Zero points that all are what absent ones mean are dropped.
struct DropDefaultZeroPoints : public OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MatmulOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getZeroPoints())
      return rewriter.notifyMatchFailure(op, "no zero points");
    DenseElementsAttr zeros = getInlineConstant(op.getZeroPoints());
    if (!zeros)
      return rewriter.notifyMatchFailure(op, "zero points are not inline");
    int64_t absent = op.getScheme().getScheme().defaultZeroPoint();
    if (!llvm::all_of(zeros.getValues<APInt>(), [&](const APInt &zero) {
          return zero.getSExtValue() == absent;
        }))
      return rewriter.notifyMatchFailure(op, "not the default zero point");
    rewriter.modifyOpInPlace(op, [&] { op.getZeroPointsMutable().clear(); });
    return success();
  }
};

/// A permutation that moves nothing is dropped.
struct DropIdentityPermutation : public OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MatmulOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getPermutation())
      return rewriter.notifyMatchFailure(op, "no permutation");
    DenseElementsAttr permutation = getInlineConstant(op.getPermutation());
    if (!permutation)
      return rewriter.notifyMatchFailure(op, "permutation is not inline");
    for (auto [i, value] : llvm::enumerate(permutation.getValues<int32_t>()))
      if (value != static_cast<int64_t>(i))
        return rewriter.notifyMatchFailure(op, "not the identity");
    rewriter.modifyOpInPlace(op, [&] { op.getPermutationMutable().clear(); });
    return success();
  }
};

} // namespace

void MatmulOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                           MLIRContext *context) {
  patterns.add<DropDefaultZeroPoints, DropIdentityPermutation>(context);
}
