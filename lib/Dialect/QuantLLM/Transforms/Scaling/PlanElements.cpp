//===- PlanElements.cpp - Dividing what linalg ops make ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FoldPlanner.h"

#include "../Raising/Constants.h"
#include "../Raising/LookThrough.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace qk::quant_llm;

/// The number that a scalar of `op`'s body always is. Where a tensor of equal
/// elements gives it, it still has channels, unless it has one element.
static std::optional<double> constantScalar(linalg::LinalgOp op, Value scalar,
                                            bool ofTensors) {
  while (
      isa_and_present<arith::ExtFOp, arith::TruncFOp>(scalar.getDefiningOp()))
    scalar = scalar.getDefiningOp()->getOperand(0);
  FloatAttr number;
  if (matchPattern(scalar, m_Constant(&number)))
    return number.getValueAsDouble();
  auto argument = dyn_cast<BlockArgument>(scalar);
  if (!argument || argument.getOwner() != op.getBlock() ||
      argument.getArgNumber() >= static_cast<unsigned>(op.getNumDpsInputs()))
    return std::nullopt;
  Value operand = op.getDpsInputOperand(argument.getArgNumber())->get();
  std::optional<ConstantView> view = viewOfConstant(operand);
  if (!view)
    return std::nullopt;
  std::optional<ConstantTensor> constant = getConstant(view->root);
  auto dense = constant ? dyn_cast_or_null<DenseFPElementsAttr>(constant->value)
                        : DenseFPElementsAttr();
  if (!dense || !dense.isSplat() || (!ofTensors && dense.size() != 1))
    return std::nullopt;
  return dense.getSplatValue<APFloat>().convertToDouble();
}

static bool isZero(linalg::LinalgOp op, Value scalar) {
  std::optional<double> number = constantScalar(op, scalar, /*ofTensors=*/true);
  return number && *number == 0;
}

/// Whether a product is summed into zeros.
static bool isZeroFilled(Value value) {
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
  if (auto cast = value.getDefiningOp<tensor::CastOp>())
    return isZeroFilled(cast.getSource());
  return matchPattern(value, m_AnyZeroFloat());
}

LogicalResult FoldPlanner::divideLinalg(linalg::LinalgOp op,
                                        const ChannelMap &map, double offset) {
  if (op.getNumParallelLoops() != op.getNumLoops()) {
    if (offset == 0 && linalg::isaContractionOpInterface(op))
      return divideContraction(op, map);
    return fail(op->getLoc(), "division does not go through a reduction");
  }
  std::optional<ChannelMap> loops =
      channelsOfLoops(map, op.getIndexingMapsArray().back());
  if (!loops)
    return fail(op->getLoc(), "its indices can't be followed");
  auto yield = cast<linalg::YieldOp>(op.getBlock()->getTerminator());
  return divideScalar(op, yield->getOpOperand(0), *loops, offset);
}

LogicalResult FoldPlanner::divideContraction(linalg::LinalgOp op,
                                             const ChannelMap &map) {
  std::optional<ChannelMap> loops =
      channelsOfLoops(map, op.getIndexingMapsArray().back());
  if (!loops || !isZeroFilled(op.getDpsInitOperand(0)->get()))
    return fail(op->getLoc(), "its indices can't be followed");
  // The operand with most of the channels: attention's values, which heads may
  // share, rather than its weights.
  struct Side {
    OpOperand *operand;
    ChannelMap map;
    SmallVector<ChannelDigit> shared;
    int64_t sharing = 1;
  };
  std::vector<Side> sides;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    Side side;
    side.operand = operand;
    std::optional<ChannelMap> source = channelsOfOperand(
        *loops, op.getMatchingIndexingMap(operand), side.shared);
    if (!source)
      return fail(op->getLoc(), "its indices can't be followed");
    side.map = *source;
    for (ChannelDigit digit : side.shared)
      side.sharing *= digit.size;
    sides.push_back(std::move(side));
  }
  const Side &best =
      *llvm::min_element(sides, [](const Side &a, const Side &b) {
        return a.sharing < b.sharing;
      });
  if (failed(share(best.shared, op)))
    return failure();
  return divideOperand(*best.operand, best.map);
}

LogicalResult FoldPlanner::divideProduct(linalg::LinalgOp op, OpOperand &a,
                                         OpOperand &b,
                                         const ChannelMap &loops) {
  // Constants first: a norm's weight rather than what it multiplies.
  auto isConstantSide = [&](OpOperand &side) {
    std::optional<ElementAccess> access = getAccess(op, side.get(), loops);
    return access && getConstantChannels(*access->tensor, access->map);
  };
  OpOperand *sides[] = {&a, &b};
  if (isConstantSide(b) && !isConstantSide(a))
    std::swap(sides[0], sides[1]);
  return divideOneOf({[&] { return divideScalar(op, *sides[0], loops); },
                      [&] { return divideScalar(op, *sides[1], loops); }});
}

LogicalResult FoldPlanner::divideSum(linalg::LinalgOp op, Operation *sum,
                                     const ChannelMap &loops, double offset) {
  // (1 + w): a constant with a number.
  for (unsigned side : {0u, 1u}) {
    OpOperand &other = sum->getOpOperand(1 - side);
    std::optional<double> number =
        constantScalar(op, sum->getOperand(side), /*ofTensors=*/false);
    if (!number || *number == 0)
      continue;
    bool subtracts = isa<arith::SubFOp>(sum);
    std::optional<ElementAccess> access = getAccess(op, other.get(), loops);
    if (!access || !getConstantChannels(*access->tensor, access->map) ||
        (subtracts && side == 0))
      return fail(op->getLoc(), "a number is added");
    state.consumed.insert(&sum->getOpOperand(side));
    return divideScalar(op, other, loops,
                        subtracts ? offset - *number : offset + *number);
  }
  if (offset != 0)
    return fail(op->getLoc(), "a number is added");
  return failure(failed(divideScalar(op, sum->getOpOperand(0), loops)) ||
                 failed(divideScalar(op, sum->getOpOperand(1), loops)));
}

LogicalResult FoldPlanner::divideScalar(linalg::LinalgOp op, OpOperand &use,
                                        const ChannelMap &loops,
                                        double offset) {
  state.consumed.insert(&use);
  Value scalar = use.get();
  if (isZero(op, scalar))
    return success();
  auto inBody = [&](Value value) {
    return value.getParentBlock() == op.getBlock();
  };
  if (!inBody(scalar))
    return fail(op->getLoc(), "it depends on a number");
  if (std::optional<ElementAccess> access = getAccess(op, scalar, loops)) {
    if (state.divided.try_emplace(scalar).second)
      state.order.push_back(scalar);
    if (failed(share(access->shared, op)))
      return failure();
    return divideOperand(*access->tensor, access->map, offset);
  }
  if (state.divided.count(scalar))
    return success();
  state.divided[scalar];
  state.order.push_back(scalar);
  Operation *def = scalar.getDefiningOp();
  if (!def)
    return fail(op->getLoc(), "it depends on what the result is written over");
  auto operand = [&](unsigned index) -> OpOperand & {
    return def->getOpOperand(index);
  };
  if (isa<arith::ExtFOp, arith::TruncFOp>(def))
    return divideScalar(op, operand(0), loops, offset);
  if (isa<arith::AddFOp, arith::SubFOp>(def))
    return divideSum(op, def, loops, offset);
  if (offset != 0)
    return fail(op->getLoc(), "a number is added");
  if (isa<arith::MulFOp>(def))
    return divideProduct(op, operand(0), operand(1), loops);
  if (isa<arith::DivFOp, arith::NegFOp, math::AbsFOp>(def))
    return divideScalar(op, operand(0), loops);
  // max(a, 0), min(a, 0): the zero divided is zero.
  if (isa<arith::MaximumFOp, arith::MaxNumFOp, arith::MinimumFOp,
          arith::MinNumFOp>(def))
    return failure(failed(divideScalar(op, operand(0), loops)) ||
                   failed(divideScalar(op, operand(1), loops)));
  if (auto select = dyn_cast<arith::SelectOp>(def)) {
    // The sign of a value is that of the value divided.
    if (auto compare = select.getCondition().getDefiningOp<arith::CmpFOp>())
      for (unsigned side : {0u, 1u})
        if (isZero(op, compare->getOperand(1 - side)))
          state.consumed.insert(&compare->getOpOperand(side));
    return failure(failed(divideScalar(op, operand(1), loops)) ||
                   failed(divideScalar(op, operand(2), loops)));
  }
  return failThrough(def, op->getLoc());
}
