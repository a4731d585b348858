//===- CheckBounds.cpp - Assertions where a module would read elsewhere ---===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexCheck.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "qk/Conversion/HostToLLVM/Passes.h"
#include "llvm/ADT/TypeSwitch.h"

#include <set>

namespace qk {
#define GEN_PASS_DEF_CHECKBOUNDS
#include "qk/Conversion/HostToLLVM/Passes.h.inc"
} // namespace qk

using namespace mlir;

namespace {
struct CheckBounds : qk::impl::CheckBoundsBase<CheckBounds> {
  void runOnOperation() override {
    if (getOperation().isDeclaration())
      return;
    qk::SizeNumbering numbering;
    sizes = &numbering;
    inside.clear();
    expanded.clear();
    SmallVector<Operation *> ops;
    getOperation().getBody().walk<WalkOrder::PreOrder>(
        [&](Operation *op) { ops.push_back(op); });
    for (Operation *op : ops) {
      check(op);
      numbering.visit(op);
    }
  }

private:
  /// In a thread team and on a GPU an assertion can't end the run.
  static bool isOnHost(Operation *op) {
    Operation *parent = op->getParentOp();
    if (isa<tensor::ExtractOp>(op) && isa<linalg::LinalgOp>(parent))
      parent = parent->getParentOp();
    while (isa<scf::IfOp, scf::ForOp, scf::WhileOp>(parent))
      parent = parent->getParentOp();
    return isa<func::FuncOp>(parent);
  }

  void check(Operation *op) {
    if (!isOnHost(op))
      return;
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](linalg::LinalgOp op) { checkLoops(op); })
        .Case([&](tensor::ConcatOp op) { checkConcat(op); })
        .Case([&](tensor::ExtractOp op) {
          checkElement(op, op.getTensor(), op.getIndices());
        })
        .Case([&](tensor::InsertOp op) {
          checkElement(op, op.getDest(), op.getIndices());
        })
        .Case([&](tensor::ExpandShapeOp op) { checkExpand(op); })
        .Case(
            [&](tensor::ExtractSliceOp op) { checkSlice(op, op.getSource()); })
        .Case([&](tensor::InsertSliceOp op) {
          checkSlice(op, op.getDest());
          checkSource(op);
        })
        .Case([&](cf::AssertOp op) { learn(op); });
  }

  bool isTop(Block *block) {
    return block == &getOperation().getBody().front();
  }
  bool isAtTop(Operation *op) { return isTop(op->getBlock()); }

  /// Before `op`, or at the function's top as early as `values` are there: an
  /// assertion between two loops keeps them from being one.
  OpBuilder builderFor(Operation *op, ArrayRef<Value> values) {
    OpBuilder builder(op);
    if (!isAtTop(op) || !llvm::all_of(values, [&](Value value) {
          return isTop(value.getParentBlock());
        }))
      return builder;
    builder.setInsertionPointToStart(op->getBlock());
    Operation *last = nullptr;
    for (Value value : values)
      if (Operation *definition = value.getDefiningOp();
          definition && (!last || last->isBeforeInBlock(definition)))
        last = definition;
    if (last)
      builder.setInsertionPointAfter(last);
    return builder;
  }

  std::string describe(Value tensor, int64_t dim) {
    std::string text = "dimension " + std::to_string(dim) + " of ";
    auto argument = dyn_cast<BlockArgument>(tensor);
    if (argument && isTop(argument.getOwner()))
      return text + "argument " + std::to_string(argument.getArgNumber());
    llvm::raw_string_ostream(text) << tensor.getType();
    return text;
  }

  /// What the module itself asserts holds from there on.
  void learn(cf::AssertOp op) {
    auto compare = op.getArg().getDefiningOp<arith::CmpIOp>();
    if (compare && compare.getPredicate() == arith::CmpIPredicate::eq &&
        isAtTop(op))
      sizes->merge(sizes->of(OpFoldResult(compare.getLhs())),
                   sizes->of(OpFoldResult(compare.getRhs())));
  }

  //===--------------------------------------------------------------------===//
  // Sizes that are one
  //===--------------------------------------------------------------------===//

  /// Dimensions that one loop runs over have one size.
  void checkLoops(linalg::LinalgOp op) {
    if (!op.hasPureTensorSemantics())
      return;
    SmallVector<std::pair<Value, int64_t>> first(op.getNumLoops());
    // Results first: their sizes are the loop's.
    SmallVector<OpOperand *> operands = llvm::map_to_vector(
        op.getDpsInitsMutable(), [](OpOperand &init) { return &init; });
    llvm::append_range(operands, op.getDpsInputOperands());
    for (OpOperand *operand : operands) {
      if (!isa<RankedTensorType>(operand->get().getType()))
        continue;
      AffineMap map = op.getMatchingIndexingMap(operand);
      for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
        auto loop = dyn_cast<AffineDimExpr>(expr);
        if (!loop)
          continue;
        auto &[tensor, position] = first[loop.getPosition()];
        if (tensor) {
          assertEqual(op, operand->get(), dim, tensor, position);
          continue;
        }
        tensor = operand->get();
        position = dim;
      }
    }
  }

  void checkConcat(tensor::ConcatOp op) {
    Value first = op.getInputs().front();
    int64_t rank = cast<RankedTensorType>(first.getType()).getRank();
    for (Value input : op.getInputs().drop_front())
      for (int64_t dim = 0; dim < rank; ++dim)
        if (dim != static_cast<int64_t>(op.getDim()))
          assertEqual(op, input, dim, first, dim);
  }

  void assertEqual(Operation *op, Value a, int64_t aDim, Value b,
                   int64_t bDim) {
    unsigned aSize = sizes->of(a, aDim), bSize = sizes->of(b, bDim);
    if (sizes->areEqual(aSize, bSize))
      return;
    // Of the tensors that had these sizes first: often they are arguments.
    auto first = [&](unsigned size, Value &tensor, int64_t &dim) {
      auto [source, position] = sizes->firstOf(size);
      if (!source || !isTop(source.getParentBlock()))
        return;
      tensor = source;
      dim = position;
    };
    first(aSize, a, aDim);
    first(bSize, b, bDim);
    OpBuilder builder = builderFor(op, {a, b});
    Location location = op->getLoc();
    Value equal = arith::CmpIOp::create(
        builder, location, arith::CmpIPredicate::eq,
        tensor::DimOp::create(builder, location, a, aDim),
        tensor::DimOp::create(builder, location, b, bDim));
    cf::AssertOp::create(builder, location, equal,
                         describe(a, aDim) + " must have the size of " +
                             describe(b, bDim) + " in " +
                             op->getName().getStringRef().str());
    if (isAtTop(op))
      sizes->merge(aSize, bSize);
  }

  /// A dimension that is made several has as many elements as they.
  void checkExpand(tensor::ExpandShapeOp op) {
    SmallVector<OpFoldResult> shape = op.getMixedOutputShape();
    for (auto [dim, group] : llvm::enumerate(op.getReassociationIndices())) {
      SmallVector<OpFoldResult> factors;
      for (int64_t position : group)
        if (!isConstantIntValue(shape[position], 1))
          factors.push_back(shape[position]);
      unsigned size = sizes->of(op.getSrc(), dim);
      bool isNumber = llvm::all_of(factors, [](OpFoldResult factor) {
        return getConstantIntValue(factor).has_value();
      });
      // The verifier has seen to numbers.
      if ((isNumber && !op.getSrcType().isDynamicDim(dim)) ||
          (factors.size() == 1 &&
           sizes->areEqual(sizes->of(factors[0]), size)) ||
          !isNew(op, expanded, size, factors))
        continue;
      SmallVector<Value> values{op.getSrc()};
      for (OpFoldResult factor : factors)
        if (auto value = dyn_cast<Value>(factor))
          values.push_back(value);
      OpBuilder builder = builderFor(op, values);
      Location location = op.getLoc();
      Value product = arith::ConstantIndexOp::create(builder, location, 1);
      for (OpFoldResult factor : factors)
        product = arith::MulIOp::create(
            builder, location, product,
            getValueOrCreateConstantIndexOp(builder, location, factor));
      assertThat(builder, location, arith::CmpIPredicate::eq, product,
                 tensor::DimOp::create(builder, location, op.getSrc(), dim),
                 "sizes must have the product of " +
                     describe(op.getSrc(), dim) + " in tensor.expand_shape");
      if (factors.size() == 1 && isAtTop(op))
        sizes->merge(sizes->of(factors[0]), size);
    }
  }

  //===--------------------------------------------------------------------===//
  // Indices
  //===--------------------------------------------------------------------===//

  /// An index that comes from data is inside the tensor.
  void checkElement(Operation *op, Value tensor, OperandRange indices) {
    for (auto [dim, index] : llvm::enumerate(indices))
      if (qk::dependsOnData(index) && !qk::isInRange(index, tensor, dim) &&
          !qk::isGuarded(op, index, tensor, dim, *sizes))
        checkIndex(op, tensor, dim, index);
  }

  void checkIndex(Operation *op, Value tensor, int64_t dim, Value index) {
    Operation *parent = op->getParentOp();
    auto extract = dyn_cast<tensor::ExtractOp>(op);
    OpBuilder builder(op);
    auto isInside = [&](Operation *before) -> Value {
      OpBuilder outer(before);
      Value size = tensor::DimOp::create(outer, op->getLoc(), tensor, dim);
      // Unsigned: a negative index is large.
      return arith::CmpIOp::create(builder, op->getLoc(),
                                   arith::CmpIPredicate::ult, index, size);
    };
    Value condition;
    if (auto loop = dyn_cast<linalg::LinalgOp>(parent)) {
      if (!extract || !loop.hasPureTensorSemantics() ||
          parent->hasAttr(qk::inRangeAttrName))
        return;
      if (qk::isSelected(extract)) {
        Value zero = arith::ConstantIndexOp::create(builder, op->getLoc(), 0);
        Value clamped = arith::SelectOp::create(builder, op->getLoc(),
                                                isInside(parent), index, zero);
        extract.getIndicesMutable()[dim].set(clamped);
        return;
      }
      condition = qk::createIndexCheck(extract, index, dim);
      if (!condition)
        return;
      builder.setInsertionPoint(parent);
    } else {
      condition = isInside(op);
    }
    cf::AssertOp::create(builder, op->getLoc(), condition,
                         "index out of range in " + describe(tensor, dim));
  }

  //===--------------------------------------------------------------------===//
  // Slices
  //===--------------------------------------------------------------------===//

  /// 0 <= offset <= size, 0 <= length, 1 <= stride, and the last element
  /// inside.
  void checkSlice(OffsetSizeAndStrideOpInterface op, Value tensor) {
    SmallVector<OpFoldResult> offsets = op.getMixedOffsets(),
                              lengths = op.getMixedSizes(),
                              strides = op.getMixedStrides();
    auto type = cast<RankedTensorType>(tensor.getType());
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      std::optional<int64_t> offset = getConstantIntValue(offsets[dim]),
                             length = getConstantIntValue(lengths[dim]),
                             stride = getConstantIntValue(strides[dim]);
      // All numbers: the verifier has seen to it.
      bool isNumber = offset && length && stride && !type.isDynamicDim(dim);
      unsigned size = sizes->of(tensor, dim);
      bool isWhole = offset == 0 && stride == 1 &&
                     sizes->areEqual(sizes->of(lengths[dim]), size);
      OpFoldResult parts[] = {offsets[dim], lengths[dim], strides[dim]};
      if (!isNumber && !isWhole && isNew(op, inside, size, parts))
        assertInside(op, tensor, dim, offsets[dim], lengths[dim], strides[dim]);
    }
  }

  void assertInside(Operation *op, Value tensor, int64_t dim,
                    OpFoldResult offset, OpFoldResult length,
                    OpFoldResult stride) {
    SmallVector<Value> values{tensor};
    for (OpFoldResult part : {offset, length, stride})
      if (auto value = dyn_cast<Value>(part))
        values.push_back(value);
    OpBuilder builder = builderFor(op, values);
    Location location = op->getLoc();
    auto value = [&](OpFoldResult part) {
      return getValueOrCreateConstantIndexOp(builder, location, part);
    };
    auto constant = [&](int64_t number) -> Value {
      return arith::ConstantIndexOp::create(builder, location, number);
    };
    std::string where =
        " of a slice is out of range in " + describe(tensor, dim);
    Value size = tensor::DimOp::create(builder, location, tensor, dim);
    Value rest = size;
    if (!isConstantIntValue(offset, 0)) {
      assertThat(builder, location, arith::CmpIPredicate::ule, value(offset),
                 size, "the offset" + where);
      rest = arith::SubIOp::create(builder, location, size, value(offset));
    }
    if (!isConstantIntValue(stride, 1)) {
      if (!getConstantIntValue(stride))
        assertThat(builder, location, arith::CmpIPredicate::sge, value(stride),
                   constant(1), "the stride" + where);
      // As many as fit, rounded up: without products, which might overflow.
      rest = arith::CeilDivSIOp::create(builder, location, rest, value(stride));
    }
    // Unsigned: a negative length is large.
    assertThat(builder, location, arith::CmpIPredicate::ule, value(length),
               rest, "the length" + where);
  }

  /// What is inserted has the slice's sizes.
  void checkSource(tensor::InsertSliceOp op) {
    llvm::SmallBitVector dropped = op.getDroppedDims();
    int64_t dim = 0;
    for (auto [position, length] : llvm::enumerate(op.getMixedSizes())) {
      if (dropped[position])
        continue;
      int64_t source = dim++;
      unsigned size = sizes->of(op.getSource(), source);
      if (sizes->areEqual(sizes->of(length), size))
        continue;
      SmallVector<Value> values{op.getSource()};
      if (auto value = dyn_cast<Value>(length))
        values.push_back(value);
      OpBuilder builder = builderFor(op, values);
      Location location = op.getLoc();
      assertThat(
          builder, location, arith::CmpIPredicate::eq,
          getValueOrCreateConstantIndexOp(builder, location, length),
          tensor::DimOp::create(builder, location, op.getSource(), source),
          "the length of a slice must be " + describe(op.getSource(), source) +
              " in tensor.insert_slice");
      if (isAtTop(op))
        sizes->merge(sizes->of(length), size);
    }
  }

  static void assertThat(OpBuilder &builder, Location location,
                         arith::CmpIPredicate predicate, Value a, Value b,
                         const std::string &message) {
    Value holds = arith::CmpIOp::create(builder, location, predicate, a, b);
    cf::AssertOp::create(builder, location, holds, message);
  }

  /// What was asserted at the function's top, where it holds for the rest: the
  /// number of a dimension's size, then those of the parts compared with it.
  using Facts = std::set<std::vector<unsigned>>;

  bool isNew(Operation *op, Facts &facts, unsigned size,
             ArrayRef<OpFoldResult> parts) {
    std::vector<unsigned> fact{sizes->find(size)};
    for (OpFoldResult part : parts)
      fact.push_back(sizes->find(sizes->of(part)));
    if (!isAtTop(op))
      return !facts.count(fact);
    return facts.insert(std::move(fact)).second;
  }

  qk::SizeNumbering *sizes = nullptr;
  /// Of slices, and of dimensions that are made several.
  Facts inside, expanded;
};
} // namespace
