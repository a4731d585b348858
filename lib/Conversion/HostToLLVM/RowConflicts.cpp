//===- RowConflicts.cpp - What operations need of each other --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RowConflicts.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace qk;

Value qk::rootOf(Value buffer) {
  while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>())
    buffer = view.getViewSource();
  return buffer;
}

/// Which of the group's loops indexes each dimension of a buffer; -1: none of
/// them, or not alone.
using Tags = SmallVector<int>;

/// What the dimensions of a view's source are indexed by.
static Tags tagsOfSource(Operation *view, const Tags &tags) {
  auto source = cast<MemRefType>(
      cast<ViewLikeOpInterface>(view).getViewSource().getType());
  Tags result(source.getRank(), -1);
  auto keepSingle = [](ArrayRef<int64_t> group, MemRefType type) {
    int64_t single = -1;
    for (int64_t dim : group)
      if (type.getDimSize(dim) != 1) {
        if (single >= 0)
          return int64_t(-1);
        single = dim;
      }
    return single;
  };
  if (auto expand = dyn_cast<memref::ExpandShapeOp>(view)) {
    for (auto [dim, group] : llvm::enumerate(expand.getReassociationIndices()))
      if (int64_t one = keepSingle(group, expand.getResultType()); one >= 0)
        result[dim] = tags[one];
  } else if (auto collapse = dyn_cast<memref::CollapseShapeOp>(view)) {
    for (auto [dim, group] :
         llvm::enumerate(collapse.getReassociationIndices()))
      if (int64_t one = keepSingle(group, source); one >= 0)
        result[one] = tags[dim];
  } else if (auto part = dyn_cast<memref::SubViewOp>(view)) {
    llvm::SmallBitVector dropped = part.getDroppedDims();
    for (int64_t dim = 0, next = 0; dim < source.getRank(); ++dim) {
      if (dropped.test(dim))
        continue;
      if (isConstantIntValue(part.getMixedOffsets()[dim], 0) &&
          isConstantIntValue(part.getMixedStrides()[dim], 1))
        result[dim] = tags[next];
      ++next;
    }
  } else if (isa<memref::CastOp>(view)) {
    return tags;
  }
  return result;
}

/// The tags of the dimensions of `source` in an access through `operand`,
/// which is a view of it.
static Tags tagsOf(const NestMember &member, OpOperand &operand, Value source) {
  linalg::LinalgOp op = member.op;
  Tags tags;
  for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    auto *found =
        dim ? llvm::find(member.outer, dim.getPosition()) : member.outer.end();
    tags.push_back(found == member.outer.end()
                       ? -1
                       : std::distance(member.outer.begin(), found));
  }
  Value buffer = operand.get();
  while (buffer != source) {
    auto view = buffer.getDefiningOp<ViewLikeOpInterface>();
    tags = tagsOfSource(view, tags);
    buffer = view.getViewSource();
  }
  return tags;
}

/// The last buffer or view from which both were made.
static Value nearestCommonView(Value a, Value b) {
  llvm::SmallDenseSet<Value> seen = {a};
  while (auto view = a.getDefiningOp<ViewLikeOpInterface>())
    seen.insert(a = view.getViewSource());
  while (!seen.contains(b))
    b = b.getDefiningOp<ViewLikeOpInterface>().getViewSource();
  return b;
}

bool qk::mayConflict(const NestMember &next, OpOperand &mine,
                     const NestMember &member, OpOperand &theirs) {
  linalg::LinalgOp a = next.op, b = member.op;
  if (!isa<MemRefType>(mine.get().getType()) ||
      !isa<MemRefType>(theirs.get().getType()))
    return false;
  if (!a.isDpsInit(&mine) && !b.isDpsInit(&theirs))
    return false;
  Value root = rootOf(mine.get()), other = rootOf(theirs.get());
  if (root != other) {
    // Two buffers are apart if one was made here; two arguments may not be.
    return !root.getDefiningOp<memref::AllocOp>() &&
           !other.getDefiningOp<memref::AllocOp>();
  }
  Value common = nearestCommonView(mine.get(), theirs.get());
  Tags first = tagsOf(next, mine, common),
       second = tagsOf(member, theirs, common);
  for (int loop = 0, end = next.outer.size(); loop < end; ++loop) {
    bool aligned = false;
    for (auto [x, y] : llvm::zip_equal(first, second))
      aligned |= x == loop && y == loop;
    if (!aligned)
      return true;
  }
  return false;
}
