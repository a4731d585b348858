//===- PlanFold.cpp - Where a division can be moved to -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FoldPlanner.h"

#include "../Raising/Constants.h"
#include "../Raising/UnlinkedOps.h"
#include "../Recipe.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/Dialect/Shape/IR/Shape.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace qk::quant_llm;

LogicalResult
FoldPlanner::divideOneOf(ArrayRef<function_ref<LogicalResult()>> sides) {
  State before = state;
  std::string firstReason;
  std::optional<Location> firstWhere;
  for (function_ref<LogicalResult()> side : sides) {
    size_t first = state.order.size();
    if (succeeded(side()) && succeeded(checkUses(first)))
      return success();
    if (firstReason.empty()) {
      firstReason = reason;
      firstWhere = where;
    }
    state = before;
  }
  reason = firstReason;
  where = firstWhere;
  return failure();
}

LogicalResult FoldPlanner::share(ArrayRef<ChannelDigit> digits, Operation *op) {
  for (ChannelDigit digit : digits)
    if (!llvm::is_contained(state.plan.shared, digit))
      state.plan.shared.push_back(digit);
  int64_t left = channels;
  for (ChannelDigit digit : state.plan.shared) {
    if (digit.isPartial())
      return fail(op->getLoc(), "only a part of the channels is read");
    left /= digit.size;
  }
  if (left > 1)
    return success();
  return fail(op->getLoc(), "one number is multiplied with all channels");
}

LogicalResult FoldPlanner::divideOperand(OpOperand &operand,
                                         const ChannelMap &map, double offset) {
  if (!state.consumed.insert(&operand).second)
    return success();
  std::optional<ConstantChannels> view = getConstantChannels(operand, map);
  if (!view)
    return divide(operand.get(), map, offset);
  // Only the last dimension, or the rows of a matrix.
  bool rows = view->map.size() == 2 && view->map.back().empty() && offset == 0;
  if (!isOnLastDim(view->map) && !rows)
    return fail(operand.getOwner()->getLoc(),
                "the channels are not the last dimension of a constant");
  RankedTensorType type = getTensorType(view->root);
  if (!type.hasStaticShape())
    return fail(operand.getOwner()->getLoc(), "a constant of a dynamic shape");
  // A number that is written once and would be data of all tokens.
  if (!rows && type.getNumElements() > type.getShape().back() &&
      getUniformNumber(operand.get()))
    return fail(operand.getOwner()->getLoc(),
                "one number is multiplied with all channels");
  state.plan.constants.push_back({&operand, map, offset});
  return success();
}

LogicalResult FoldPlanner::divide(Value value, const ChannelMap &map,
                                  double offset) {
  auto known = state.divided.find(value);
  if (known != state.divided.end()) {
    if (known->second == map)
      return success();
    return fail(value.getLoc(), "its channels are read in two orders");
  }
  state.divided[value] = map;
  state.order.push_back(value);
  Operation *op = value.getDefiningOp();
  if (!op)
    return fail(value.getLoc(), "it is an argument of the function");
  // A region that only guards what it computes.
  if (auto assuming = dyn_cast<shape::AssumingOp>(op))
    return divideOperand(
        assuming.getDoRegion().front().getTerminator()->getOpOperand(
            cast<OpResult>(value).getResultNumber()),
        map, offset);
  if (std::optional<LayoutSource> source = getReshapeSource(value, map))
    return divideOperand(*source->operand, source->map, offset);
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
      linalgOp && op->getNumResults() == 1 && linalgOp.hasPureTensorSemantics())
    return divideLinalg(linalgOp, map, offset);
  if (std::optional<TensorSlice> slice = getTensorSlice(value))
    return divideSlice(*slice, op, map, offset);
  if (op->getNumResults() == 1 && getTensorOpKind(op) != TensorOpKind::Other)
    return divideTensorOp(op, map, offset);
  if (std::optional<ElementAccess> repeated = getTensorLayout(value, map)) {
    if (failed(share(repeated->shared, op)))
      return failure();
    return divideOperand(*repeated->tensor, repeated->map, offset);
  }
  if (offset != 0)
    return fail(op->getLoc(), "a sum with a number that no constant is in");
  if (isa<LinearOp, MatmulOp>(op))
    return divideLinear(op, map);
  if (auto scale = dyn_cast<ScaleColumnsOp>(op))
    return divideOperand(scale.getInputMutable(), map);
  if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    if (!map[concat.getDim()].empty())
      return failThrough(op);
    for (OpOperand &input : concat->getOpOperands())
      if (failed(divideOperand(input, map)))
        return failure();
    return success();
  }
  return failThrough(op);
}

LogicalResult FoldPlanner::divideSlice(const TensorSlice &slice, Operation *op,
                                       const ChannelMap &map, double offset) {
  RankedTensorType from = getTensorType(slice.source->get());
  ChannelMap source;
  size_t next = 0;
  for (int64_t dim = 0; dim < from.getRank(); ++dim) {
    DimDigits digits;
    if (!slice.dropped.test(dim))
      digits = map[next++];
    int64_t size = slice.sizes[dim], begin = slice.offsets[dim],
            all = from.getDimSize(dim);
    bool isStatic = !ShapedType::isDynamic(size) &&
                    !ShapedType::isDynamic(begin) &&
                    !ShapedType::isDynamic(all);
    bool matters = !digits.empty() || (slots && isStatic);
    if (matters) {
      std::optional<DimDigits> of =
          isStatic ? digitsOfSliced(digits, size, begin, all) : std::nullopt;
      if (!of)
        return fail(op->getLoc(), "only a part of the channels is read");
      digits = *of;
    }
    // The use is that of the other parts, too, which are to stay as they are.
    if (slice.isOneOfSeveral && size != all && digits.empty())
      return fail(op->getLoc(), "the other parts of a list would change, too");
    source.push_back(digits);
  }
  if (slice.isOneOfSeveral && getConstantChannels(*slice.source, source))
    return fail(op->getLoc(), "it is a part of a constant");
  if (slice.isOneOfSeveral && state.consumed.contains(slice.source))
    return divide(slice.source->get(), source, offset);
  return divideOperand(*slice.source, source, offset);
}

LogicalResult FoldPlanner::divideLinear(Operation *op, const ChannelMap &map) {
  if (!isOnLastDim(map))
    return fail(op->getLoc(), "the channels are not those of its producer");
  Value weight, bias;
  if (auto linear = dyn_cast<LinearOp>(op)) {
    weight = linear.getWeight();
    bias = linear.getBias();
  } else {
    auto matmul = cast<MatmulOp>(op);
    bias = matmul.getBias();
    weight = matmul.getCodes();
    if (!isa_and_present<RoundToNearestOp, RoundCompensatedOp>(
            weight.getDefiningOp()))
      return fail(op->getLoc(), "its producer is quantised already");
  }
  if (bias && !isConstant(bias) && !isRecipeValue(bias))
    return fail(op->getLoc(), "its producer's bias is no constant");
  // A weight used twice has one recipe.
  for (Operation *user : weight.getUsers())
    if (user != op && isa<LinearOp, MatmulOp>(user))
      return fail(op->getLoc(), "its producer's weight is used twice");
  for (const FoldPlan::ScaledLinear &linear : state.plan.linears)
    if (linear.op == op)
      return success();
  state.plan.linears.push_back({op, map.back()});
  return success();
}

bool FoldPlanner::readsOthers(Value value, OpOperand &use) const {
  auto known = state.divided.find(value);
  Operation *user = use.getOwner();
  std::optional<TensorSlice> slice = user->getNumResults() == 1
                                         ? getTensorSlice(user->getResult(0))
                                         : std::nullopt;
  if (known == state.divided.end() || !slice || slice->source != &use)
    return false;
  for (auto [dim, digits] : llvm::enumerate(known->second)) {
    if (digits.empty() || !digits.front().isPartial() ||
        ShapedType::isDynamic(slice->offsets[dim]) ||
        ShapedType::isDynamic(slice->sizes[dim]))
      continue;
    int64_t inner = 1;
    for (ChannelDigit digit : ArrayRef(digits).drop_front())
      inner *= digit.size;
    int64_t begin = digits.front().first * inner;
    int64_t end = begin + digits.front().count * inner;
    if (slice->offsets[dim] + slice->sizes[dim] <= begin ||
        slice->offsets[dim] >= end)
      return true;
  }
  return false;
}

LogicalResult FoldPlanner::checkUses(size_t first) {
  for (size_t i = first; i < state.order.size(); ++i)
    for (OpOperand &use : state.order[i].getUses())
      if (!state.consumed.contains(&use) && !readsSizesOnly(use) &&
          !readsOthers(state.order[i], use))
        return failForReader(use.getOwner());
  return success();
}

FoldFinding FoldPlanner::plan(ArrayRef<OpOperand *> uses) {
  FoldFinding finding;
  bool works = true;
  for (OpOperand *use : uses)
    state.consumed.insert(use);
  for (OpOperand *use : uses) {
    auto type = cast<RankedTensorType>(use->get().getType());
    if (works)
      works = succeeded(
          divide(use->get(), channelsOfLastDim(type.getRank(), channels)));
  }
  // What else reads a value near the layers is a better reason than what lies
  // behind it: of a residual stream, not the embedding that it starts at.
  if (succeeded(checkUses(0)) && works) {
    finding.plan = state.plan;
    return finding;
  }
  finding.reason = reason;
  finding.location = where;
  return finding;
}

FoldFinding qk::quant_llm::planFold(ArrayRef<OpOperand *> uses,
                                    int64_t channels) {
  FoldFinding whole = FoldPlanner(channels, /*slots=*/false).plan(uses);
  if (whole.plan)
    return whole;
  FoldFinding part = FoldPlanner(channels, /*slots=*/true).plan(uses);
  return part.plan ? part : whole;
}
