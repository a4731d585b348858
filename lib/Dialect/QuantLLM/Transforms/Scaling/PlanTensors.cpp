//===- PlanTensors.cpp - Dividing what ops on whole tensors make ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FoldPlanner.h"

#include "../Raising/UnlinkedOps.h"

using namespace mlir;
using namespace qk::quant_llm;

LogicalResult FoldPlanner::divideAccess(const ElementAccess &access,
                                        double offset) {
  if (failed(share(access.shared, access.tensor->getOwner())))
    return failure();
  return divideOperand(*access.tensor, access.map, offset);
}

LogicalResult FoldPlanner::divideRepeated(OpOperand &operand,
                                          const ChannelMap &map,
                                          double offset) {
  // Zero divided is zero.
  if (getUniformNumber(operand.get()) == 0.0) {
    state.consumed.insert(&operand);
    return success();
  }
  std::optional<ElementAccess> access = getRepeatedOperand(operand, map);
  if (!access)
    return fail(operand.getOwner()->getLoc(), "its indices can't be followed");
  return divideAccess(*access, offset);
}

LogicalResult FoldPlanner::divideTensorSum(Operation *op, const ChannelMap &map,
                                           double offset) {
  bool subtracts = getTensorOpKind(op) == TensorOpKind::Difference;
  // (1 + w): a constant with a number.
  for (unsigned side : {0u, 1u}) {
    OpOperand &other = op->getOpOperand(1 - side);
    std::optional<double> number = getUniformNumber(op->getOperand(side));
    if (!number || *number == 0)
      continue;
    std::optional<ElementAccess> access = getRepeatedOperand(other, map);
    if (!access || !access->shared.empty() || (subtracts && side == 0) ||
        !getConstantChannels(other, access->map))
      return fail(op->getLoc(), "a number is added");
    state.consumed.insert(&op->getOpOperand(side));
    return divideAccess(*access,
                        subtracts ? offset - *number : offset + *number);
  }
  if (offset != 0)
    return fail(op->getLoc(), "a number is added");
  for (OpOperand *operand : getTensorOperands(op))
    if (failed(divideRepeated(*operand, map)))
      return failure();
  return success();
}

LogicalResult FoldPlanner::divideTensorProduct(Operation *op,
                                               const ChannelMap &map) {
  SmallVector<OpOperand *> sides = getTensorOperands(op);
  if (sides.size() == 1)
    return divideRepeated(*sides[0], map);
  // Constants first: a norm's weight rather than what it multiplies.
  auto isConstantSide = [&](OpOperand &side) {
    std::optional<ElementAccess> access = getRepeatedOperand(side, map);
    return access && getConstantChannels(side, access->map);
  };
  if (isConstantSide(*sides[1]) && !isConstantSide(*sides[0]))
    std::swap(sides[0], sides[1]);
  return divideOneOf({[&] { return divideRepeated(*sides[0], map); },
                      [&] { return divideRepeated(*sides[1], map); }});
}

LogicalResult FoldPlanner::divideTensorContraction(Operation *op,
                                                   const ChannelMap &map) {
  if (getUnlinkedName(op) == "torch.aten.baddbmm")
    return fail(op->getLoc(), "something is added to a product");
  // The operand with most of the channels: attention's values, which heads may
  // share, rather than its weights.
  std::optional<ElementAccess> best;
  int64_t least = 0;
  for (const ContractedSide &side : getContractedSides(op)) {
    std::optional<ElementAccess> access =
        getContractedOperand(side, op->getResult(0), map);
    if (!access)
      return fail(op->getLoc(), "its indices can't be followed");
    int64_t sharing = 1;
    for (ChannelDigit digit : access->shared)
      sharing *= digit.size;
    if (!best || sharing < least) {
      best = access;
      least = sharing;
    }
  }
  if (!best)
    return fail(op->getLoc(), "its indices can't be followed");
  return divideAccess(*best);
}

/// Tensors that are joined along no dimension of the channels: a cache's and
/// new tokens.
LogicalResult FoldPlanner::divideConcatenation(Operation *op,
                                               const ChannelMap &map) {
  std::optional<int64_t> dim = getConcatenatedDim(op);
  SmallVector<OpOperand *> operands = getTensorOperands(op);
  if (!dim || operands.empty() || !map[*dim].empty())
    return failThrough(op);
  for (OpOperand *operand : operands) {
    RankedTensorType type = getTensorType(operand->get());
    // A cache of no tokens yet, which torch lets be of any rank.
    if (llvm::is_contained(type.getShape(), 0))
      state.consumed.insert(operand);
    else if (type.getRank() != static_cast<int64_t>(map.size()))
      return failThrough(op);
    else if (failed(divideOperand(*operand, map)))
      return failure();
  }
  return success();
}

LogicalResult FoldPlanner::divideTensorOp(Operation *op, const ChannelMap &map,
                                          double offset) {
  TensorOpKind kind = getTensorOpKind(op);
  if (kind == TensorOpKind::Sum || kind == TensorOpKind::Difference)
    return divideTensorSum(op, map, offset);
  if (offset != 0)
    return fail(op->getLoc(), "a sum with a number that no constant is in");
  SmallVector<OpOperand *> operands = getTensorOperands(op);
  switch (kind) {
  case TensorOpKind::Product:
    return divideTensorProduct(op, map);
  case TensorOpKind::Contraction:
    return divideTensorContraction(op, map);
  case TensorOpKind::Quotient:
  case TensorOpKind::Homogeneous:
    return divideRepeated(*operands.front(), map);
  case TensorOpKind::Extremum:
    for (OpOperand *operand : operands)
      if (failed(divideRepeated(*operand, map)))
        return failure();
    return success();
  case TensorOpKind::Norm:
    // Without a weight there is nothing to divide.
    if (operands.empty())
      return failThrough(op);
    for (OpOperand *operand : operands)
      if (failed(divideRepeated(*operand, map)))
        return failure();
    return success();
  case TensorOpKind::Concatenation:
    return divideConcatenation(op, map);
  default:
    return failThrough(op);
  }
}
