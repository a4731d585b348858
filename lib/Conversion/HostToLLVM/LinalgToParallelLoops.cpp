//===- LinalgToParallelLoops.cpp - Parallel loops over rows ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NestWriter.h"
#include "RowConflicts.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
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
using namespace qk;

namespace {

/// Operations that share one parallel loop.
struct Group {
  SmallVector<NestMember> members;
  /// Releases of buffers that stand between them.
  SmallVector<Operation *> releases;

  unsigned depth() const { return members.front().outer.size(); }
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
    takeFills(block);
    std::optional<Group> group;
    for (Operation &op : llvm::make_early_inc_range(block)) {
      auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
      if (linalgOp && linalgOp.hasPureTensorSemantics())
        return op.emitError("expected buffers, got tensors: bufferize first");
      if (!linalgOp && isa<linalg::LinalgDialect>(op.getDialect()))
        return op.emitError("no loops are known here for '")
               << op.getName()
               << "': lower it to linalg.generic with the compiler that made "
                  "it";
      if (linalgOp) {
        NestMember member = examine(linalgOp);
        if (group && mayJoin(*group, member)) {
          group->members.push_back(std::move(member));
          continue;
        }
        if (group)
          write(*group);
        group.emplace();
        group->members.push_back(std::move(member));
        if (group->depth() == 0) {
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

  /// Makes the value of a fill the initial value of the reduction that starts
  /// from it, and drops the fill.
  void takeFills(Block &block) {
    initialValues.clear();
    for (Operation &op : llvm::make_early_inc_range(block)) {
      auto fill = dyn_cast<linalg::LinalgOp>(op);
      if (!fill || fill.getNumDpsInits() != 1 ||
          fill.getNumLoops() != fill.getNumParallelLoops())
        continue;
      Value value = fill.getBlock()->getTerminator()->getOperand(0);
      if (auto argument = dyn_cast<BlockArgument>(value);
          argument && argument.getOwner() == fill.getBlock())
        value = fill->getOperand(argument.getArgNumber());
      if (value.getParentRegion() == fill.getBlock()->getParent() ||
          isa<MemRefType>(value.getType()))
        continue;
      Value buffer = fill.getDpsInits()[0];
      auto user = dyn_cast_or_null<linalg::LinalgOp>(nextUser(&op, buffer));
      OpBuilder builder(&op);
      if (!user || user.getNumDpsInits() != 1 ||
          user.getDpsInits()[0] != buffer ||
          llvm::is_contained(user.getDpsInputs(), buffer) ||
          !NestWriter(builder, user).carriesResultsOnce() ||
          !user.getIndexingMapsArray().back().isProjectedPermutation())
        continue;
      initialValues[user] = value;
      op.erase();
    }
  }

  /// The next operation of the block that touches the buffer's memory.
  static Operation *nextUser(Operation *after, Value buffer) {
    Value root = rootOf(buffer);
    if (!root.getDefiningOp<memref::AllocOp>())
      return nullptr;
    while ((after = after->getNextNode())) {
      if (isa<ViewLikeOpInterface, memref::DimOp>(after))
        continue;
      // Bodies use buffers that are not among the operands.
      WalkResult touches = after->walk([&](Operation *op) {
        for (Value operand : op->getOperands())
          if (isa<BaseMemRefType>(operand.getType()) && rootOf(operand) == root)
            return WalkResult::interrupt();
        return WalkResult::advance();
      });
      if (touches.wasInterrupted())
        return after;
    }
    return nullptr;
  }

  static bool mayFail(linalg::LinalgOp op) {
    return op->walk([](cf::AssertOp) { return WalkResult::interrupt(); })
        .wasInterrupted();
  }

  /// Whoever reads buffers by index in its body may read any row.
  static bool readsFreely(linalg::LinalgOp op) {
    return op->walk([](memref::LoadOp) { return WalkResult::interrupt(); })
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

  NestMember examine(linalg::LinalgOp op) {
    OpBuilder builder(op);
    NestWriter nest(builder, op);
    NestMember member = {
        op, nest.extents(), {}, initialValues.lookup(op.getOperation())};
    if (mayFail(op) || isSmall(op))
      return member;
    for (unsigned dim = 0; dim < nest.parallelDepth(); ++dim)
      if (!isConstantIntValue(member.extents[dim], 1))
        member.outer.push_back(dim);
    return member;
  }

  /// Whether iteration i of `next` needs from the group's members nothing but
  /// what they did in iteration i, for all outer dimensions.
  bool mayJoin(const Group &group, const NestMember &next) {
    if (group.depth() == 0 || group.depth() != next.outer.size() ||
        readsFreely(next.op))
      return false;
    for (unsigned i = 0; i < group.depth(); ++i)
      if (!isEqualConstantIntOrValue(group.members.front().outerExtent(i),
                                     next.outerExtent(i)))
        return false;
    for (const NestMember &member : group.members) {
      if (readsFreely(member.op))
        return false;
      for (OpOperand &mine : next.op->getOpOperands())
        for (OpOperand &theirs : member.op->getOpOperands())
          if (mayConflict(next, mine, member, theirs))
            return false;
    }
    return true;
  }

  /// The member with its single inner loop among the outer ones.
  static std::optional<NestMember> withInnerLoop(const NestMember &member) {
    unsigned inner = member.extents.size() - 1;
    if (member.outer.empty() || member.outer.back() + 1 != inner)
      return std::nullopt;
    NestMember wider = member;
    wider.outer.push_back(inner);
    return wider;
  }

  /// How many of the first members can share one inner loop: what they need of
  /// each other is of the same element.
  static size_t sharedInnerLoop(ArrayRef<NestMember> members) {
    SmallVector<NestMember> shared;
    for (const NestMember &member : members) {
      std::optional<NestMember> wider = withInnerLoop(member);
      if (!wider)
        break;
      bool fits = shared.empty() ||
                  isEqualConstantIntOrValue(shared.front().extents.back(),
                                            wider->extents.back());
      for (const NestMember &other : shared)
        for (OpOperand &mine : wider->op->getOpOperands())
          for (OpOperand &theirs : other.op->getOpOperands())
            fits = fits && !mayConflict(*wider, mine, other, theirs);
      if (!fits)
        break;
      shared.push_back(std::move(*wider));
    }
    return std::max<size_t>(shared.size(), 1);
  }

  static void writeTogether(OpBuilder &builder, ArrayRef<NestMember> members,
                            scf::ParallelOp rows, Value zero, Value one) {
    std::vector<NestWriter> nests;
    std::vector<SmallVector<Value>> carried;
    SmallVector<Value> all;
    for (const NestMember &member : members) {
      SmallVector<Value> ivs;
      if (!member.outer.empty())
        ivs.assign(member.outer.back() + 1, zero);
      for (auto [which, dim] : llvm::enumerate(member.outer))
        ivs[dim] = rows.getInductionVars()[which];
      linalg::LinalgOp op = member.op;
      NestWriter &nest = nests.emplace_back(builder, op);
      nest.setInitialValue(member.initialValue);
      if (members.size() == 1)
        return nest.write(ivs, member.extents);
      carried.push_back(nest.begin(ivs));
      llvm::append_range(all, carried.back());
    }
    Location loc = nests.front().getLoc();
    Value end = getValueOrCreateConstantIndexOp(builder, loc,
                                                members.front().extents.back());
    auto loop = scf::ForOp::create(builder, loc, zero, end, one, all);
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(loop.getBody());
      ValueRange arguments = loop.getRegionIterArgs();
      SmallVector<Value> yielded;
      for (auto [nest, values] : llvm::zip_equal(nests, carried)) {
        SmallVector<Value> mine(arguments.take_front(values.size()));
        arguments = arguments.drop_front(values.size());
        llvm::append_range(yielded, nest.iterate(loop.getInductionVar(), mine));
      }
      // A loop that carries nothing has its terminator already.
      if (!all.empty())
        scf::YieldOp::create(builder, loc, yielded);
    }
    ValueRange results = loop.getResults();
    for (auto [nest, values] : llvm::zip_equal(nests, carried)) {
      nest.finish(SmallVector<Value>(results.take_front(values.size())));
      results = results.drop_front(values.size());
    }
  }

  void write(Group &group) {
    Operation *last = group.members.back().op;
    OpBuilder builder(last);
    Location loc = last->getLoc();
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    scf::ParallelOp rows;
    if (unsigned depth = group.depth()) {
      SmallVector<Value> upper;
      for (unsigned i = 0; i < depth; ++i)
        upper.push_back(getValueOrCreateConstantIndexOp(
            builder, loc, group.members.front().outerExtent(i)));
      rows =
          scf::ParallelOp::create(builder, loc, SmallVector<Value>(depth, zero),
                                  upper, SmallVector<Value>(depth, one));
      builder.setInsertionPointToStart(rows.getBody());
    }
    ArrayRef<NestMember> rest = group.members;
    while (!rest.empty()) {
      size_t count = rows ? sharedInnerLoop(rest) : 1;
      writeTogether(builder, rest.take_front(count), rows, zero, one);
      rest = rest.drop_front(count);
    }
    for (Operation *release : group.releases)
      if (rows && release->isBeforeInBlock(rows))
        release->moveAfter(rows);
    for (NestMember &member : group.members)
      member.op.erase();
  }

  llvm::DenseMap<Operation *, Value> initialValues;
};
} // namespace
