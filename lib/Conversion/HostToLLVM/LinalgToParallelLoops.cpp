//===- LinalgToParallelLoops.cpp - Parallel loops over rows ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "qk/Conversion/HostToLLVM/Passes.h"

namespace qk {
#define GEN_PASS_DEF_LINALGTOPARALLELLOOPS
#include "qk/Conversion/HostToLLVM/Passes.h.inc"
} // namespace qk

using namespace mlir;

/// The extent of a buffer's dimension, by the value that made it where there is
/// one, so that equal extents are equal values.
static OpFoldResult extentOf(OpBuilder &builder, Location loc, Value buffer,
                             int64_t dim) {
  auto type = cast<MemRefType>(buffer.getType());
  if (!type.isDynamicDim(dim))
    return builder.getIndexAttr(type.getDimSize(dim));
  if (auto alloc = buffer.getDefiningOp<memref::AllocOp>())
    return alloc.getDynamicSizes()[type.getDynamicDimIndex(dim)];
  if (auto expand = buffer.getDefiningOp<memref::ExpandShapeOp>())
    return expand.getMixedOutputShape()[dim];
  return builder.createOrFold<memref::DimOp>(loc, buffer, dim);
}

/// The buffer that a view shows a part of.
static Value rootOf(Value buffer) {
  while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>())
    buffer = view.getViewSource();
  return buffer;
}

namespace {

/// Writes the loops of one linalg operation.
class NestWriter {
public:
  NestWriter(OpBuilder &builder, linalg::LinalgOp op)
      : builder(builder), op(op), loc(op.getLoc()),
        kinds(op.getIteratorTypesArray()) {}

  /// How many outer loops may run in parallel: all leading parallel ones, but
  /// one loop stays inside for the vectorizer.
  unsigned parallelDepth() const {
    unsigned leading = 0;
    while (leading < kinds.size() &&
           kinds[leading] == utils::IteratorType::parallel)
      ++leading;
    return leading == kinds.size() && leading > 0 ? leading - 1 : leading;
  }

  /// The extents of all loops, made at the builder's insertion point.
  SmallVector<OpFoldResult> extents() {
    SmallVector<OpFoldResult> result(kinds.size());
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<MemRefType>(operand.get().getType()))
        continue;
      AffineMap map = op.getMatchingIndexingMap(&operand);
      for (auto [position, expr] : llvm::enumerate(map.getResults()))
        if (auto dim = dyn_cast<AffineDimExpr>(expr);
            dim && !result[dim.getPosition()])
          result[dim.getPosition()] =
              extentOf(builder, loc, operand.get(), position);
    }
    return result;
  }

  /// Writes the loops from `outer.size()` inwards.
  void write(ArrayRef<Value> outer, ArrayRef<OpFoldResult> extents) {
    ivs.assign(outer.begin(), outer.end());
    loadAvailable();
    // From here inwards only reductions: results live in registers.
    firstCarried = kinds.size();
    while (firstCarried > outer.size() &&
           kinds[firstCarried - 1] == utils::IteratorType::reduction)
      --firstCarried;
    writeLoop(outer.size(), extents);
  }

private:
  void writeLoop(unsigned depth, ArrayRef<OpFoldResult> extents) {
    if (depth == firstCarried) {
      SmallVector<Value> results;
      for (OpOperand &init : op.getDpsInitsMutable())
        results.push_back(op.payloadUsesValueFromOperand(&init) ||
                                  depth < kinds.size()
                              ? load(init)
                              : Value());
      results = writeCarried(depth, extents, results);
      for (auto [init, result] :
           llvm::zip_equal(op.getDpsInitsMutable(), results))
        memref::StoreOp::create(builder, loc, result, init.get(),
                                indicesOf(init));
      return;
    }
    scf::ForOp each = forOp(extents[depth], {});
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(each.getBody());
    ivs.push_back(each.getInductionVar());
    loadAvailable();
    writeLoop(depth + 1, extents);
    ivs.pop_back();
  }

  /// Loads the inputs that the loops so far determine: further in, a store
  /// could be to the same place for all that LLVM knows, and they (and what is
  /// computed from them) would be loaded again and again.
  void loadAvailable() {
    for (OpOperand *input : op.getDpsInputOperands()) {
      if (loaded.contains(input) || !op.payloadUsesValueFromOperand(input))
        continue;
      bool available =
          ivs.size() == kinds.size() ||
          llvm::all_of(op.getMatchingIndexingMap(input).getResults(),
                       [&](AffineExpr expr) {
                         auto dim = dyn_cast<AffineDimExpr>(expr);
                         return isa<AffineConstantExpr>(expr) ||
                                (dim && dim.getPosition() < ivs.size());
                       });
      if (available)
        loaded[input] = load(*input);
    }
  }

  SmallVector<Value> writeCarried(unsigned depth,
                                  ArrayRef<OpFoldResult> extents,
                                  ArrayRef<Value> results) {
    if (depth == kinds.size())
      return writeBody(results);
    scf::ForOp each = forOp(extents[depth], results);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(each.getBody());
    ivs.push_back(each.getInductionVar());
    loadAvailable();
    SmallVector<Value> carried(each.getRegionIterArgs());
    carried = writeCarried(depth + 1, extents, carried);
    ivs.pop_back();
    scf::YieldOp::create(builder, loc, carried);
    return SmallVector<Value>(each.getResults());
  }

  scf::ForOp forOp(OpFoldResult extent, ValueRange carried) {
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    Value end = getValueOrCreateConstantIndexOp(builder, loc, extent);
    return scf::ForOp::create(builder, loc, zero, end, one, carried);
  }

  SmallVector<Value> indicesOf(OpOperand &operand) {
    SmallVector<Value> indices;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (AffineExpr expr : map.getResults()) {
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        indices.push_back(ivs[dim.getPosition()]);
      else if (auto constant = dyn_cast<AffineConstantExpr>(expr))
        indices.push_back(
            arith::ConstantIndexOp::create(builder, loc, constant.getValue()));
      else
        indices.push_back(affine::AffineApplyOp::create(
            builder, loc, AffineMap::get(map.getNumDims(), 0, expr), ivs));
    }
    return indices;
  }

  Value load(OpOperand &operand) {
    if (!isa<MemRefType>(operand.get().getType()))
      return operand.get();
    return memref::LoadOp::create(builder, loc, operand.get(),
                                  indicesOf(operand));
  }

  /// One iteration; takes and gives the values of the results.
  SmallVector<Value> writeBody(ArrayRef<Value> results) {
    Block *body = op.getBlock();
    IRMapping mapping;
    for (auto [input, value] : loaded)
      mapping.map(op.getMatchingBlockArgument(input), value);
    for (auto [init, result] :
         llvm::zip_equal(op.getDpsInitsMutable(), results))
      if (result)
        mapping.map(op.getMatchingBlockArgument(&init), result);
    for (Operation &inner : body->without_terminator()) {
      if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
        mapping.map(index.getResult(), ivs[index.getDim()]);
        continue;
      }
      Operation *copy = builder.clone(inner, mapping);
      SmallVector<linalg::IndexOp> nested;
      copy->walk([&](linalg::IndexOp index) { nested.push_back(index); });
      for (linalg::IndexOp index : nested) {
        index.replaceAllUsesWith(ivs[index.getDim()]);
        index.erase();
      }
      if (firstCarried < kinds.size())
        allowReordering(inner, *copy);
    }
    return llvm::map_to_vector(
        body->getTerminator()->getOperands(),
        [&](Value yielded) { return mapping.lookupOrDefault(yielded); });
  }

  /// Marks the addition of a sum: without it no float reduction is vectorized.
  void allowReordering(Operation &inner, Operation &copy) {
    if (!isa<arith::AddFOp, arith::MulFOp>(inner))
      return;
    bool combines = llvm::any_of(inner.getOperands(), [&](Value operand) {
      auto argument = dyn_cast<BlockArgument>(operand);
      return argument && argument.getOwner() == op.getBlock() &&
             argument.getArgNumber() >= op.getNumDpsInputs();
    });
    auto flags = dyn_cast<arith::ArithFastMathInterface>(copy);
    if (!combines || !flags)
      return;
    copy.setAttr(flags.getFastMathAttrName(),
                 arith::FastMathFlagsAttr::get(
                     op.getContext(), flags.getFastMathFlagsAttr().getValue() |
                                          arith::FastMathFlags::reassoc));
  }

  OpBuilder &builder;
  linalg::LinalgOp op;
  Location loc;
  SmallVector<utils::IteratorType> kinds;
  SmallVector<Value> ivs;
  llvm::SmallMapVector<OpOperand *, Value, 4> loaded;
  unsigned firstCarried = 0;
};

/// Operations that share one parallel loop.
struct Group {
  SmallVector<linalg::LinalgOp> ops;
  /// Releases of buffers that stand between them.
  SmallVector<Operation *> releases;
  unsigned depth = 0;
  SmallVector<OpFoldResult> outer;
};

struct LinalgToParallelLoops
    : qk::impl::LinalgToParallelLoopsBase<LinalgToParallelLoops> {
  using Base::Base;

  void runOnOperation() override {
    copiesToLinalg();
    SmallVector<Block *> blocks;
    getOperation().walk([&](Block *block) {
      if (!isa<linalg::LinalgOp>(block->getParentOp()))
        blocks.push_back(block);
    });
    for (Block *block : blocks)
      if (failed(lower(*block)))
        return signalPassFailure();
  }

private:
  /// Copies are elementwise operations too: they fuse, and need no library.
  void copiesToLinalg() {
    SmallVector<memref::CopyOp> copies;
    getOperation().walk([&](memref::CopyOp copy) {
      auto type = dyn_cast<MemRefType>(copy.getSource().getType());
      if (type && type.getRank() > 0 &&
          isa<MemRefType>(copy.getTarget().getType()))
        copies.push_back(copy);
    });
    for (memref::CopyOp copy : copies) {
      OpBuilder builder(copy);
      auto type = cast<MemRefType>(copy.getSource().getType());
      AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
      SmallVector<utils::IteratorType> kinds(type.getRank(),
                                             utils::IteratorType::parallel);
      linalg::GenericOp::create(
          builder, copy.getLoc(), copy.getSource(), copy.getTarget(),
          ArrayRef<AffineMap>{identity, identity}, kinds,
          [](OpBuilder &inner, Location loc, ValueRange arguments) {
            linalg::YieldOp::create(inner, loc, arguments[0]);
          });
      copy.erase();
    }
  }

  LogicalResult lower(Block &block) {
    std::optional<Group> group;
    for (Operation &op : llvm::make_early_inc_range(block)) {
      auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
      if (linalgOp && linalgOp.hasPureTensorSemantics())
        return op.emitError("expected buffers, got tensors: bufferize first");
      if (linalgOp) {
        Group single = startGroup(linalgOp);
        if (group && mayJoin(*group, single, linalgOp)) {
          group->ops.push_back(linalgOp);
          continue;
        }
        if (group)
          write(*group);
        group = std::move(single);
        if (group->depth == 0) {
          write(*group);
          group.reset();
        }
        continue;
      }
      if (!group)
        continue;
      if (isa<memref::DeallocOp>(op)) {
        group->releases.push_back(&op);
        continue;
      }
      // What neither reads nor writes memory, and new buffers, may come before
      // the group as well as between its members.
      if (isa<memref::AllocOp>(op) || isMemoryEffectFree(&op))
        continue;
      write(*group);
      group.reset();
    }
    if (group)
      write(*group);
    return success();
  }

  static bool mayFail(linalg::LinalgOp op) {
    return op->walk([](cf::AssertOp) { return WalkResult::interrupt(); })
        .wasInterrupted();
  }

  bool isSmall(linalg::LinalgOp op) {
    int64_t work = 1;
    for (int64_t range : op.getStaticLoopRanges()) {
      if (ShapedType::isDynamic(range))
        return minWork == std::numeric_limits<int64_t>::max();
      work *= range;
    }
    return work < minWork;
  }

  Group startGroup(linalg::LinalgOp op) {
    Group group;
    group.ops.push_back(op);
    OpBuilder builder(op);
    NestWriter nest(builder, op);
    group.depth = mayFail(op) || isSmall(op) ? 0 : nest.parallelDepth();
    SmallVector<OpFoldResult> extents = nest.extents();
    group.outer.assign(extents.begin(), extents.begin() + group.depth);
    return group;
  }

  /// Whether iteration i of `op` needs from the group's members nothing but
  /// what they did in iteration i, for all outer dimensions.
  bool mayJoin(const Group &group, const Group &single, linalg::LinalgOp op) {
    if (group.depth == 0 || group.depth != single.depth)
      return false;
    for (auto [a, b] : llvm::zip_equal(group.outer, single.outer))
      if (!isEqualConstantIntOrValue(a, b))
        return false;
    // Whoever reads buffers by index in its body may read any row.
    auto readsFreely = [](linalg::LinalgOp op) {
      return op->walk([](memref::LoadOp) { return WalkResult::interrupt(); })
          .wasInterrupted();
    };
    if (readsFreely(op))
      return false;
    for (linalg::LinalgOp member : group.ops) {
      if (readsFreely(member))
        return false;
      for (OpOperand &mine : op->getOpOperands())
        for (OpOperand &theirs : member->getOpOperands())
          if (mayConflict(op, mine, member, theirs, group))
            return false;
    }
    return true;
  }

  static bool mayConflict(linalg::LinalgOp op, OpOperand &mine,
                          linalg::LinalgOp member, OpOperand &theirs,
                          const Group &group) {
    if (!isa<MemRefType>(mine.get().getType()) ||
        !isa<MemRefType>(theirs.get().getType()))
      return false;
    if (!op.isDpsInit(&mine) && !member.isDpsInit(&theirs))
      return false;
    Value a = rootOf(mine.get()), b = rootOf(theirs.get());
    if (a != b) {
      // Two buffers are apart if one was made here; two arguments may not be.
      return !a.getDefiningOp<memref::AllocOp>() &&
             !b.getDefiningOp<memref::AllocOp>();
    }
    if (mine.get() != theirs.get())
      return true;
    AffineMap first = op.getMatchingIndexingMap(&mine),
              second = member.getMatchingIndexingMap(&theirs);
    for (unsigned dim = 0; dim < group.depth; ++dim) {
      if (isConstantIntValue(group.outer[dim], 1))
        continue;
      bool aligned = false;
      for (auto [x, y] :
           llvm::zip_equal(first.getResults(), second.getResults())) {
        auto dx = dyn_cast<AffineDimExpr>(x), dy = dyn_cast<AffineDimExpr>(y);
        aligned |=
            dx && dy && dx.getPosition() == dim && dy.getPosition() == dim;
      }
      if (!aligned)
        return true;
    }
    return false;
  }

  void write(Group &group) {
    linalg::LinalgOp last = group.ops.back();
    OpBuilder builder(last);
    Location loc = last.getLoc();
    if (group.depth == 0) {
      NestWriter nest(builder, last);
      nest.write({}, nest.extents());
      last.erase();
      return;
    }
    SmallVector<SmallVector<OpFoldResult>> extents;
    for (linalg::LinalgOp op : group.ops)
      extents.push_back(NestWriter(builder, op).extents());
    SmallVector<Value> lower, upper, step;
    for (OpFoldResult extent : group.outer) {
      lower.push_back(arith::ConstantIndexOp::create(builder, loc, 0));
      upper.push_back(getValueOrCreateConstantIndexOp(builder, loc, extent));
      step.push_back(arith::ConstantIndexOp::create(builder, loc, 1));
    }
    auto rows = scf::ParallelOp::create(builder, loc, lower, upper, step);
    builder.setInsertionPointToStart(rows.getBody());
    SmallVector<Value> ivs(rows.getInductionVars());
    for (auto [op, sizes] : llvm::zip_equal(group.ops, extents))
      NestWriter(builder, op).write(ivs, sizes);
    for (Operation *release : group.releases)
      if (release->isBeforeInBlock(rows))
        release->moveAfter(rows);
    for (linalg::LinalgOp op : group.ops)
      op.erase();
  }
};
} // namespace
