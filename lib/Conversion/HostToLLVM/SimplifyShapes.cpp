//===- SimplifyShapes.cpp - Undo how exporters write dynamic shapes -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "qk/Conversion/HostToLLVM/Passes.h"

namespace qk {
#define GEN_PASS_DEF_SIMPLIFYSHAPES
#include "qk/Conversion/HostToLLVM/Passes.h.inc"
} // namespace qk

using namespace mlir;
using Variable = ValueBoundsConstraintSet::Variable;

/// `value` before conversions between index and integers, which keep sizes.
static Value stripCasts(Value value) {
  while (auto cast = value.getDefiningOp<arith::IndexCastOp>())
    value = cast.getIn();
  return value;
}

static bool areEqual(Variable a, Variable b) {
  FailureOr<bool> equal = ValueBoundsConstraintSet::areEqual(a, b);
  return succeeded(equal) && *equal;
}

namespace {

/// tensor.reshape to a shape whose dimensions group those of the source.
struct ReshapeByGroups : OpRewritePattern<tensor::ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto source = dyn_cast<RankedTensorType>(op.getSource().getType());
    auto target = dyn_cast<RankedTensorType>(op.getType());
    auto sizes = op.getShape().getDefiningOp<tensor::FromElementsOp>();
    if (!source || !target || !sizes || source.getRank() == target.getRank())
      return rewriter.notifyMatchFailure(op, "not between ranks, or the shape "
                                             "is computed elsewhere");
    auto groups = getReassociationIndicesForReshape(source, target);
    if (!groups)
      return rewriter.notifyMatchFailure(op, "dimensions don't group");
    bool expands = source.getRank() < target.getRank();
    if (!isDetermined(op, source, target, sizes, *groups, expands))
      return rewriter.notifyMatchFailure(op, "sizes may differ");
    if (!expands) {
      rewriter.replaceOpWithNewOp<tensor::CollapseShapeOp>(
          op, target, op.getSource(), *groups);
      return success();
    }
    SmallVector<OpFoldResult> shape;
    for (auto [dim, size] : llvm::enumerate(target.getShape())) {
      if (!ShapedType::isDynamic(size)) {
        shape.push_back(rewriter.getIndexAttr(size));
        continue;
      }
      Value element = stripCasts(sizes.getElements()[dim]);
      if (!element.getType().isIndex())
        element = arith::IndexCastOp::create(rewriter, op.getLoc(),
                                             rewriter.getIndexType(), element);
      shape.push_back(element);
    }
    rewriter.replaceOpWithNewOp<tensor::ExpandShapeOp>(
        op, target, op.getSource(), *groups, shape);
    return success();
  }

private:
  /// With one dynamic dimension on each side, equal numbers of elements fix it.
  /// With more, each must be known to be that of the other side.
  static bool isDetermined(tensor::ReshapeOp op, RankedTensorType source,
                           RankedTensorType target,
                           tensor::FromElementsOp sizes,
                           ArrayRef<ReassociationIndices> groups,
                           bool expands) {
    if (source.getNumDynamicDims() <= 1 && target.getNumDynamicDims() <= 1)
      return true;
    for (auto [single, group] : llvm::enumerate(groups)) {
      ArrayRef<int64_t> wide = (expands ? target : source).getShape();
      SmallVector<int64_t> dynamic = llvm::filter_to_vector(
          group, [&](int64_t dim) { return ShapedType::isDynamic(wide[dim]); });
      if (dynamic.empty())
        continue;
      // Other dimensions of the group must not hide a factor.
      for (int64_t dim : group)
        if (dim != dynamic.front() && wide[dim] != 1)
          return false;
      int64_t sourceDim = expands ? single : dynamic.front();
      int64_t targetDim = expands ? dynamic.front() : single;
      Value size = stripCasts(sizes.getElements()[targetDim]);
      if (!size.getType().isIndex() ||
          !areEqual(Variable(size), Variable(op.getSource(), sourceDim)))
        return false;
    }
    return true;
  }
};

/// A generic that reads a tensor at its own loop indices, written with
/// tensor.extract in its body, takes that tensor as an operand instead.
struct ExtractToOperand : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 ||
        !op.getIndexingMapsArray().back().isIdentity())
      return rewriter.notifyMatchFailure(op, "not over its whole result");
    for (auto extract : op.getBody()->getOps<tensor::ExtractOp>()) {
      Value source = extract.getTensor();
      if (source.getParentRegion() == &op.getRegion())
        continue;
      std::optional<AffineMap> map = mapOf(op, extract);
      if (!map)
        continue;
      addInput(rewriter, op, extract, *map);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "reads nothing at its own indices");
  }

private:
  static std::optional<AffineMap> mapOf(linalg::GenericOp op,
                                        tensor::ExtractOp extract) {
    auto type = cast<RankedTensorType>(extract.getTensor().getType());
    SmallVector<AffineExpr> results;
    for (auto [position, index] : llvm::enumerate(extract.getIndices())) {
      std::optional<AffineExpr> expr = exprOf(op, extract, position, index);
      if (!expr)
        return std::nullopt;
      // A constant in a map reads a dimension of size one only.
      if (isa<AffineConstantExpr>(*expr) && type.getDimSize(position) != 1)
        return std::nullopt;
      results.push_back(*expr);
    }
    return AffineMap::get(op.getNumLoops(), 0, results, op.getContext());
  }

  static std::optional<AffineExpr> exprOf(linalg::GenericOp op,
                                          tensor::ExtractOp extract,
                                          int64_t position, Value index) {
    Value source = extract.getTensor();
    if (cast<RankedTensorType>(source.getType()).getDimSize(position) == 1)
      return getAffineConstantExpr(0, op.getContext());
    if (auto select = index.getDefiningOp<arith::SelectOp>())
      index = withoutBroadcastGuard(op, select);
    auto loop = index ? index.getDefiningOp<linalg::IndexOp>() : nullptr;
    if (!loop || loop->getParentOp() != op)
      return std::nullopt;
    Value init = op.getDpsInits()[0];
    if (!areEqual(Variable(source, position),
                  Variable(init, static_cast<int64_t>(loop.getDim()))))
      return std::nullopt;
    return getAffineDimExpr(loop.getDim(), op.getContext());
  }

  /// `select(extent == 1, 0, i)` is i where the extent is that of i's loop.
  static Value withoutBroadcastGuard(linalg::GenericOp op,
                                     arith::SelectOp select) {
    auto compare = select.getCondition().getDefiningOp<arith::CmpIOp>();
    auto loop = select.getFalseValue().getDefiningOp<linalg::IndexOp>();
    if (!compare || !loop || loop->getParentOp() != op ||
        compare.getPredicate() != arith::CmpIPredicate::eq ||
        !isConstantIntValue(select.getTrueValue(), 0) ||
        !isConstantIntValue(compare.getRhs(), 1))
      return nullptr;
    Value extent = stripCasts(compare.getLhs());
    if (!extent.getType().isIndex() ||
        !areEqual(
            Variable(extent),
            Variable(op.getDpsInits()[0], static_cast<int64_t>(loop.getDim()))))
      return nullptr;
    return loop;
  }

  static void addInput(PatternRewriter &rewriter, linalg::GenericOp op,
                       tensor::ExtractOp extract, AffineMap map) {
    SmallVector<Value> inputs(op.getInputs());
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    unsigned position = inputs.size();
    inputs.push_back(extract.getTensor());
    maps.insert(maps.begin() + position, map);
    auto wider = linalg::GenericOp::create(
        rewriter, op.getLoc(), op.getResultTypes(), inputs, op.getOutputs(),
        maps, op.getIteratorTypesArray());
    wider->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.inlineRegionBefore(op.getRegion(), wider.getRegion(),
                                wider.getRegion().begin());
    Value element = wider.getBody()->insertArgument(position, extract.getType(),
                                                    extract.getLoc());
    rewriter.replaceOp(extract, element);
    rewriter.replaceOp(op, wider.getResults());
  }
};

/// Drops results that nobody uses and no other result is computed from.
struct DropUnusedResults : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || op.getNumDpsInits() < 2)
      return rewriter.notifyMatchFailure(op, "has a single result");
    Block *body = op.getBody();
    for (unsigned result = 0; result < op.getNumResults(); ++result) {
      if (!op.getResult(result).use_empty())
        continue;
      SetVector<Operation *> needed;
      llvm::SmallDenseSet<Value> seen;
      for (auto [other, yielded] :
           llvm::enumerate(body->getTerminator()->getOperands()))
        if (other != result)
          collect(yielded, body, needed, seen);
      for (Operation &inner : body->without_terminator())
        if (!isMemoryEffectFree(&inner))
          for (Value operand : inner.getOperands())
            collect(operand, body, needed, seen);
      BlockArgument init = body->getArgument(op.getNumDpsInputs() + result);
      SmallVector<AffineMap> maps = op.getIndexingMapsArray();
      maps.erase(maps.begin() + op.getNumDpsInputs() + result);
      if (seen.contains(init) ||
          !inversePermutation(concatAffineMaps(maps, op.getContext())))
        continue;
      drop(rewriter, op, result, maps);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "all results are used");
  }

private:
  static void collect(Value value, Block *body, SetVector<Operation *> &needed,
                      llvm::SmallDenseSet<Value> &seen) {
    if (!seen.insert(value).second)
      return;
    Operation *op = value.getDefiningOp();
    if (!op || op->getBlock() != body || !needed.insert(op))
      return;
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        collect(operand, body, needed, seen);
    });
  }

  static void drop(PatternRewriter &rewriter, linalg::GenericOp op,
                   unsigned result, ArrayRef<AffineMap> maps) {
    SmallVector<Value> outputs(op.getOutputs());
    outputs.erase(outputs.begin() + result);
    SmallVector<Type> types(op.getResultTypes());
    types.erase(types.begin() + result);
    auto narrow = linalg::GenericOp::create(
        rewriter, op.getLoc(), types, op.getInputs(), outputs,
        SmallVector<AffineMap>(maps), op.getIteratorTypesArray());
    narrow->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.inlineRegionBefore(op.getRegion(), narrow.getRegion(),
                                narrow.getRegion().begin());
    Block *body = narrow.getBody();
    unsigned argument = narrow.getNumDpsInputs() + result;
    Operation *yield = body->getTerminator();
    rewriter.modifyOpInPlace(yield, [&] { yield->eraseOperand(result); });
    // What computed only the dropped result is dead, last user first.
    SmallVector<Operation *> inner;
    for (Operation &each : body->without_terminator())
      inner.push_back(&each);
    for (Operation *each : llvm::reverse(inner))
      if (each->use_empty() && isMemoryEffectFree(each))
        rewriter.eraseOp(each);
    body->eraseArgument(argument);
    SmallVector<Value> replacements;
    for (unsigned i = 0, next = 0; i < op.getNumResults(); ++i)
      replacements.push_back(i == result ? op.getOutputs()[i]
                                         : narrow.getResult(next++));
    rewriter.replaceOp(op, replacements);
  }
};

struct SimplifyShapes : qk::impl::SimplifyShapesBase<SimplifyShapes> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ReshapeByGroups, ExtractToOperand, DropUnusedResults>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
