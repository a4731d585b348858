//===- IndexCheck.cpp - Indices of a loop that come from data -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexCheck.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/InferIntRangeInterface.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

using namespace mlir;

static bool isDataArgument(BlockArgument argument) {
  Operation *parent = argument.getOwner()->getParentOp();
  if (auto loop = dyn_cast<LoopLikeOpInterface>(parent)) {
    auto indices = loop.getLoopInductionVars();
    return !indices || !llvm::is_contained(*indices, Value(argument));
  }
  return isa<linalg::LinalgOp, FunctionOpInterface>(parent);
}

bool qk::dependsOnData(Value index) {
  SmallVector<Value> pending{index};
  llvm::SmallDenseSet<Value> seen;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      if (isDataArgument(argument))
        return true;
      continue;
    }
    Operation *op = value.getDefiningOp();
    if (isa<tensor::ExtractOp>(op))
      return true;
    if (!isa<tensor::DimOp>(op))
      llvm::append_range(pending, op->getOperands());
  }
  return false;
}

/// Of what is computed in a few steps, as clamps are. (IntegerRangeAnalysis
/// takes the whole function.)
static ConstantIntRanges rangeOf(Value value, int steps = 8) {
  unsigned width = ConstantIntRanges::getStorageBitwidth(value.getType());
  auto range = ConstantIntRanges::maxRange(width);
  auto op = value.getDefiningOp<InferIntRangeInterface>();
  if (!op || steps == 0)
    return range;
  SmallVector<ConstantIntRanges> operands;
  for (Value operand : op->getOperands()) {
    if (ConstantIntRanges::getStorageBitwidth(operand.getType()) == 0)
      return range;
    operands.push_back(rangeOf(operand, steps - 1));
  }
  op.inferResultRanges(operands,
                       [&](Value result, const ConstantIntRanges &inferred) {
                         if (result == value)
                           range = inferred;
                       });
  return range;
}

bool qk::isInRange(Value index, Value tensor, int64_t dim) {
  int64_t size = cast<RankedTensorType>(tensor.getType()).getDimSize(dim);
  return !ShapedType::isDynamic(size) && rangeOf(index).umax().ult(size);
}

bool qk::isGuarded(Operation *user, Value index, Value tensor, int64_t dim,
                   SizeNumbering &sizes) {
  int64_t size = cast<RankedTensorType>(tensor.getType()).getDimSize(dim);
  bool below = false, above = false;
  for (Operation &op : *user->getBlock()) {
    if (&op == user)
      break;
    auto assertion = dyn_cast<cf::AssertOp>(op);
    auto compare =
        assertion ? assertion.getArg().getDefiningOp<arith::CmpIOp>() : nullptr;
    if (!compare || !sizes.areEqual(sizes.of(OpFoldResult(compare.getLhs())),
                                    sizes.of(OpFoldResult(index))))
      continue;
    std::optional<int64_t> bound = getConstantIntValue(compare.getRhs());
    bool isSize = sizes.areEqual(sizes.of(OpFoldResult(compare.getRhs())),
                                 sizes.of(tensor, dim)) ||
                  (bound && *bound >= 0 && !ShapedType::isDynamic(size) &&
                   *bound <= size);
    switch (compare.getPredicate()) {
    case arith::CmpIPredicate::ult:
      below |= isSize;
      [[fallthrough]];
    case arith::CmpIPredicate::slt:
      above |= isSize;
      break;
    case arith::CmpIPredicate::sgt:
      below |= bound && *bound >= -1;
      break;
    case arith::CmpIPredicate::sge:
      below |= bound && *bound >= 0;
      break;
    default:
      break;
    }
  }
  return below && above;
}

bool qk::isSelected(tensor::ExtractOp op) {
  return llvm::all_of(op->getUses(), [](OpOperand &use) {
    return isa<arith::SelectOp>(use.getOwner()) && use.getOperandNumber() != 0;
  });
}

namespace {
/// What of a linalg op's body an index is computed from.
struct Slice {
  /// In the body's order.
  SmallVector<Operation *> ops;
  /// Operands of the op, by number.
  llvm::SmallSetVector<unsigned, 4> operands;
  llvm::SmallBitVector loops;

  /// Fails where it depends on the op's own results or is not pure.
  LogicalResult collect(linalg::LinalgOp op, Value index) {
    loops.resize(op.getNumLoops());
    Block *body = op.getBlock();
    SmallVector<Value> pending{index};
    llvm::SmallDenseSet<Operation *> needed;
    while (!pending.empty()) {
      Value value = pending.pop_back_val();
      if (auto argument = dyn_cast<BlockArgument>(value)) {
        if (argument.getOwner() != body)
          continue;
        OpOperand *operand = op.getMatchingOpOperand(argument);
        if (op.isDpsInit(operand))
          return failure();
        operands.insert(operand->getOperandNumber());
        continue;
      }
      Operation *definition = value.getDefiningOp();
      if (definition->getBlock() != body || !needed.insert(definition).second)
        continue;
      if (auto position = dyn_cast<linalg::IndexOp>(definition))
        loops.set(position.getDim());
      else if (definition->getNumRegions() != 0 ||
               !isMemoryEffectFree(definition))
        return failure();
      llvm::append_range(pending, definition->getOperands());
    }
    for (Operation &inner : *body)
      if (needed.contains(&inner))
        ops.push_back(&inner);
    return success();
  }
};
} // namespace

/// The operands that the loop of the check reads, and for the sizes of loops
/// that none of them has an empty tensor.
static void addOperands(OpBuilder &b, linalg::LinalgOp op, Slice &slice,
                        SmallVectorImpl<Value> &inputs,
                        SmallVectorImpl<AffineMap> &maps) {
  llvm::SmallBitVector sized(op.getNumLoops());
  for (unsigned number : slice.operands) {
    AffineMap map = op.getMatchingIndexingMap(&op->getOpOperand(number));
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
      if (map.isFunctionOfDim(loop))
        slice.loops.set(loop);
    for (AffineExpr expr : map.getResults())
      if (auto loop = dyn_cast<AffineDimExpr>(expr))
        sized.set(loop.getPosition());
  }
  SmallVector<AffineExpr> loops(op.getNumLoops());
  unsigned count = 0;
  for (unsigned loop : slice.loops.set_bits())
    loops[loop] = b.getAffineDimExpr(count++);
  // Loops that the operands don't depend on have no expression to be replaced.
  for (AffineExpr &expr : loops)
    if (!expr)
      expr = b.getAffineConstantExpr(0);
  for (unsigned number : slice.operands) {
    OpOperand &operand = op->getOpOperand(number);
    inputs.push_back(operand.get());
    maps.push_back(op.getMatchingIndexingMap(&operand).replaceDimsAndSymbols(
        loops, {}, count, 0));
  }
  llvm::SmallBitVector unsized = slice.loops;
  unsized.reset(sized);
  if (unsized.none())
    return;
  SmallVector<Range> ranges = op.createLoopRanges(b, op->getLoc());
  SmallVector<OpFoldResult> shape;
  SmallVector<AffineExpr> exprs;
  for (unsigned loop : unsized.set_bits()) {
    shape.push_back(ranges[loop].size);
    exprs.push_back(loops[loop]);
  }
  inputs.push_back(
      tensor::EmptyOp::create(b, op->getLoc(), shape, b.getI1Type()));
  maps.push_back(AffineMap::get(count, 0, exprs, b.getContext()));
}

Value qk::createIndexCheck(tensor::ExtractOp extract, Value index,
                           int64_t dim) {
  auto op = cast<linalg::LinalgOp>(extract->getParentOp());
  Slice slice;
  if (failed(slice.collect(op, index)))
    return nullptr;
  OpBuilder b(op);
  Location location = extract.getLoc();
  Type i64 = b.getI64Type();
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  addOperands(b, op, slice, inputs, maps);
  unsigned loops = slice.loops.count();
  maps.push_back(AffineMap::get(loops, 0, b.getContext()));
  Value size = tensor::DimOp::create(b, location, extract.getTensor(), dim);
  auto type = RankedTensorType::get({}, i64);
  Value none = arith::ConstantOp::create(
      b, location, type, DenseElementsAttr::get(type, APInt(64, 0)));
  SmallVector<unsigned> positions(slice.loops.set_bits());
  auto body = [&](OpBuilder &b, Location location, ValueRange arguments) {
    IRMapping mapping;
    for (auto [number, argument] : llvm::zip(slice.operands, arguments))
      mapping.map(op.getMatchingBlockArgument(&op->getOpOperand(number)),
                  argument);
    for (Operation *inner : slice.ops) {
      auto position = dyn_cast<linalg::IndexOp>(inner);
      if (!position) {
        b.clone(*inner, mapping);
        continue;
      }
      int64_t loop =
          llvm::find(positions, position.getDim()) - positions.begin();
      mapping.map(position.getResult(),
                  linalg::IndexOp::create(b, location, loop).getResult());
    }
    Value value = mapping.lookupOrDefault(index);
    // Unsigned: a negative index is large.
    Value inside = arith::CmpIOp::create(b, location, arith::CmpIPredicate::ult,
                                         value, size);
    Value wide = arith::IndexCastOp::create(b, location, i64, value);
    // Nothing is inside of nothing, not even 0, which says that all are.
    Value zero = arith::ConstantIntOp::create(b, location, 0, 64);
    Value isZero = arith::CmpIOp::create(b, location, arith::CmpIPredicate::eq,
                                         wide, zero);
    Value minusOne = arith::ConstantIntOp::create(b, location, -1, 64);
    Value outside =
        arith::SelectOp::create(b, location, isZero, minusOne, wide);
    Value worst =
        arith::SelectOp::create(b, location, inside, arguments.back(), outside);
    linalg::YieldOp::create(b, location, worst);
  };
  auto check = linalg::GenericOp::create(
      b, location, TypeRange{type}, inputs, ValueRange{none}, maps,
      SmallVector<utils::IteratorType>(loops, utils::IteratorType::reduction),
      body);
  Value worst =
      tensor::ExtractOp::create(b, location, check.getResult(0), ValueRange());
  worst = arith::IndexCastOp::create(b, location, b.getIndexType(), worst);
  Value one = arith::ConstantIndexOp::create(b, location, 1);
  Value limit = arith::MaxSIOp::create(b, location, size, one);
  return arith::CmpIOp::create(b, location, arith::CmpIPredicate::ult, worst,
                               limit);
}
