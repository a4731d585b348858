//===- RowFusion.cpp - Which ops compute rows -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Backwards from the consumer: an operation joins where all users of its
/// result have joined, and where it takes and gives rows in the order that its
/// users need. Order is that of elements in memory, so that reshapes change
/// nothing: element i of a `row` value is column i mod K of row i div K,
/// element i of a `token` value belongs to row i. Dimensions of size one are
/// looked past.
///
//===----------------------------------------------------------------------===//

#include "RowFusion.h"

#include "MatmulSpec.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace qk::nvvm {

/// The number that all elements of `value` are, if it is known.
static TypedAttr constantOf(Value value) {
  Attribute attribute;
  if (!matchPattern(value, m_Constant(&attribute)))
    return {};
  if (auto splat = dyn_cast<SplatElementsAttr>(attribute))
    attribute = splat.getSplatValue<Attribute>();
  return isa<FloatAttr, IntegerAttr>(attribute) ? cast<TypedAttr>(attribute)
                                                : TypedAttr();
}

RowFusion::RowFusion(Operation *consumer, Value x)
    : consumer(consumer), x(x),
      k(cast<RankedTensorType>(x.getType()).getShape().back()) {
  collect();
}

bool RowFusion::isUseful() const {
  return !reads.empty() && llvm::any_of(members, [](Operation *op) {
    return isa<linalg::LinalgOp>(op);
  });
}

/// Whether a kernel can read `value` where no member computes it.
bool RowFusion::canRead(Value value) const {
  Operation *op = value.getDefiningOp();
  return constantOf(value) || (elementTypeOf(getElementTypeOrSelf(value)) &&
                               !isa_and_present<tensor::EmptyOp>(op));
}

void RowFusion::collect() {
  while (!collectOnce()) {
  }
}

/// Whether all that is read can be; else who reads it is refused.
bool RowFusion::collectOnce() {
  kinds.clear();
  members.clear();
  reads.clear();
  kinds[x] = RowSource::Row;
  llvm::DenseSet<Operation *> joined{consumer};
  for (Operation *op = consumer->getPrevNode(); op; op = op->getPrevNode()) {
    if (op->getNumResults() != 1 || refused.contains(op))
      continue;
    auto kind = kinds.find(op->getResult(0));
    if (kind == kinds.end())
      continue;
    Wanted operands;
    if (!accept(op, kind->second, operands))
      continue;
    // What reads no tensor is computed again for whoever needs it: a fill.
    bool isCheap = llvm::all_of(operands, [](auto &operand) {
      return bool(constantOf(operand.first));
    });
    if (!isCheap && !llvm::all_of(op->getUsers(), [&](Operation *user) {
          return joined.contains(user);
        }))
      continue;
    llvm::erase_if(operands, [](auto &operand) {
      return bool(constantOf(operand.first));
    });
    if (llvm::any_of(operands, [&](auto &operand) {
          auto known = kinds.find(operand.first);
          return known != kinds.end() && known->second != operand.second;
        }))
      continue;
    kinds.insert(operands.begin(), operands.end());
    joined.insert(op);
    members.push_back(op);
  }
  std::reverse(members.begin(), members.end());

  llvm::DenseSet<Value> computed, seen;
  bool isDone = true;
  for (Operation *op : members) {
    Wanted operands;
    accept(op, kinds.at(op->getResult(0)), operands);
    for (auto [value, where] : operands) {
      if (computed.contains(value) || constantOf(value))
        continue;
      if (!canRead(value)) {
        refused.insert(op);
        isDone = false;
      } else if (seen.insert(value).second) {
        reads.push_back({value, where});
      }
    }
    computed.insert(op->getResult(0));
  }
  return isDone;
}

bool RowFusion::accept(Operation *op, RowSource kind, Wanted &operands) const {
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op))
    return acceptView(op, kind, operands);
  auto loop = dyn_cast<linalg::LinalgOp>(op);
  return loop && acceptLoop(loop, kind, operands);
}

bool RowFusion::acceptView(Operation *op, RowSource kind,
                           Wanted &operands) const {
  auto from = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
  if (!from)
    return false;
  // An operation on [heads, K / heads] has loops of another kind.
  SmallVector<int64_t> sizes(from.getShape());
  llvm::erase(sizes, 1);
  bool hasColumns = kind == RowSource::Row || kind == RowSource::Column;
  if (hasColumns && (sizes.empty() || sizes.back() != k))
    return false;
  operands.emplace_back(op->getOperand(0), kind);
  return true;
}

/// The loops that the results of `map` are, without those of one iteration;
/// nothing where a result is anything but a loop or 0.
static std::optional<SmallVector<unsigned>> loopsOf(AffineMap map,
                                                    ArrayRef<int64_t> extents) {
  SmallVector<unsigned> loops;
  for (AffineExpr expr : map.getResults()) {
    if (auto constant = dyn_cast<AffineConstantExpr>(expr);
        constant && constant.getValue() == 0)
      continue;
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim)
      return std::nullopt;
    if (extents[dim.getPosition()] != 1)
      loops.push_back(dim.getPosition());
  }
  return loops;
}

/// The one operation that a reduction's body adds its element up with: its
/// other operand is the element.
static Operation *combinerOf(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  BlockArgument sum = body->getArguments().back();
  Operation *combiner = body->getTerminator()->getOperand(0).getDefiningOp();
  return combiner && sum.hasOneUse() && *sum.user_begin() == combiner &&
                 isa<arith::AddFOp, arith::MulFOp, arith::MaximumFOp,
                     arith::MinimumFOp>(combiner) &&
                 combiner->getResult(0).hasOneUse()
             ? combiner
             : nullptr;
}

bool RowFusion::acceptLoop(linalg::LinalgOp op, RowSource kind,
                           Wanted &operands) const {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInits() != 1 || k < 2)
    return false;
  for (Operation &inner : op.getBlock()->without_terminator())
    if (!isa<arith::ConstantOp>(inner) &&
        !(OpTrait::hasElementwiseMappableTraits(&inner) &&
          isMemoryEffectFree(&inner) && inner.getNumResults() == 1))
      return false;

  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  OpOperand &init = op.getDpsInitsMutable()[0];
  std::optional<SmallVector<unsigned>> rows =
      loopsOf(op.getMatchingIndexingMap(&init), extents);
  if (!rows)
    return false;
  std::optional<unsigned> column;
  bool reduces = false;
  size_t parallel = 0;
  for (auto [dim, iterator] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (extents[dim] == 1)
      continue;
    if (iterator == utils::IteratorType::parallel) {
      ++parallel;
      continue;
    }
    if (iterator != utils::IteratorType::reduction || reduces)
      return false;
    reduces = true;
    column = dim;
  }
  bool hasColumns = kind == RowSource::Row || kind == RowSource::Column;
  if (rows->size() != parallel || (hasColumns && (reduces || rows->empty())))
    return false;
  if (hasColumns)
    column = rows->pop_back_val();
  if (column && extents[*column] != k)
    return false;
  bool oneForAll = kind == RowSource::Column || kind == RowSource::Scalar;
  if (oneForAll && !rows->empty())
    return false;
  if (reduces && !(combinerOf(op) && elementTypeOf(getElementTypeOrSelf(
                                         op->getResult(0).getType()))))
    return false;

  SmallVector<unsigned> all(*rows);
  if (column)
    all.push_back(*column);
  for (OpOperand &operand : op->getOpOperands()) {
    if (!op.payloadUsesValueFromOperand(&operand))
      continue;
    std::optional<SmallVector<unsigned>> loops =
        loopsOf(op.getMatchingIndexingMap(&operand), extents);
    if (!loops)
      return false;
    // Of one row only, all is the row's: one value has one name.
    bool isOneRow = rows->empty() && !oneForAll;
    RowSource where;
    if (loops->empty())
      where = isOneRow ? RowSource::Token : RowSource::Scalar;
    else if (column && *loops == ArrayRef<unsigned>(*column))
      where = isOneRow ? RowSource::Row : RowSource::Column;
    else if (*loops == *rows)
      where = RowSource::Token;
    else if (*loops == all)
      where = RowSource::Row;
    else
      return false;
    operands.emplace_back(operand.get(), where);
  }
  llvm::SetVector<Value> above;
  getUsedValuesDefinedAbove(op->getRegions(), above);
  for (Value value : above)
    operands.emplace_back(value, RowSource::Scalar);
  return true;
}

void RowFusion::eraseFused() {
  for (Operation *op : llvm::reverse(members))
    if (op->use_empty())
      op->erase();
}

} // namespace qk::nvvm
