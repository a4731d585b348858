//===- PlanFold.cpp - Where a division can be moved to --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScaleFolding.h"

#include "../Raising/Constants.h"
#include "../Raising/LookThrough.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace {

/// One attempt to divide a value.
class Planner {
public:
  explicit Planner(int64_t channels) : channels(channels) {}

  FoldFinding plan(ArrayRef<OpOperand *> uses);

private:
  /// What is undone when a way turns out to lead nowhere.
  struct State {
    FoldPlan plan;
    llvm::DenseMap<Value, ChannelMap> divided;
    SmallVector<Value> order;
    llvm::DenseSet<OpOperand *> consumed;
  };

  LogicalResult divide(Value value, const ChannelMap &map, double offset = 0);
  LogicalResult divideOperand(OpOperand &operand, const ChannelMap &map,
                              double offset = 0);
  LogicalResult divideOp(Operation *op, const ChannelMap &map);
  LogicalResult divideLinear(Operation *op, const ChannelMap &map);
  LogicalResult divideLinalg(linalg::LinalgOp op, const ChannelMap &map,
                             double offset);
  LogicalResult divideContraction(linalg::LinalgOp op, const ChannelMap &map);
  LogicalResult divideScalar(linalg::LinalgOp op, OpOperand &use,
                             const ChannelMap &loops, double offset = 0);
  LogicalResult divideOneOf(linalg::LinalgOp op, OpOperand &a, OpOperand &b,
                            const ChannelMap &loops);
  LogicalResult share(ArrayRef<ChannelDigit> digits, Operation *op);
  LogicalResult checkUses(size_t first);
  LogicalResult fail(Location location, const Twine &why) {
    reason = why.str();
    where = location;
    return failure();
  }

  int64_t channels;
  State state;
  std::string reason;
  std::optional<Location> where;
};

} // namespace

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

/// Whether `value` is a constant, seen through its layout.
static bool isConstantView(Value value, const ChannelMap &map) {
  ChannelMap at = map;
  while (!isConstant(value)) {
    std::optional<LayoutSource> source = getLayoutSource(value, at);
    if (!source)
      return false;
    value = source->operand->get();
    at = source->map;
  }
  return true;
}

LogicalResult Planner::share(ArrayRef<ChannelDigit> digits, Operation *op) {
  for (ChannelDigit digit : digits)
    if (!llvm::is_contained(state.plan.shared, digit))
      state.plan.shared.push_back(digit);
  int64_t left = channels;
  for (ChannelDigit digit : state.plan.shared)
    left /= digit.size;
  if (left > 1)
    return success();
  return fail(op->getLoc(), "one number is multiplied with all channels");
}

LogicalResult Planner::divideOperand(OpOperand &operand, const ChannelMap &map,
                                     double offset) {
  if (!state.consumed.insert(&operand).second)
    return success();
  if (!isConstantView(operand.get(), map))
    return divide(operand.get(), map, offset);
  // Only the last dimension, or the rows of a matrix.
  ChannelMap at = map;
  Value root = operand.get();
  while (!isConstant(root)) {
    std::optional<LayoutSource> source = getLayoutSource(root, at);
    root = source->operand->get();
    at = source->map;
  }
  bool rows = at.size() == 2 && at.back().empty() && offset == 0;
  std::optional<ConstantTensor> constant = getConstant(root);
  if (!isOnLastDim(at) && !rows)
    return fail(operand.getOwner()->getLoc(),
                "the channels are not the last dimension of a constant");
  if (!constant || !constant->type.hasStaticShape() ||
      !isa<RankedTensorType>(root.getType()))
    return fail(operand.getOwner()->getLoc(),
                "a constant of another dialect's type");
  state.plan.constants.push_back({&operand, map, offset});
  return success();
}

LogicalResult Planner::divide(Value value, const ChannelMap &map,
                              double offset) {
  auto known = state.divided.find(value);
  if (known != state.divided.end()) {
    if (known->second == map)
      return success();
    return fail(value.getLoc(), "its channels are read in two orders");
  }
  state.divided[value] = map;
  state.order.push_back(value);
  if (std::optional<LayoutSource> source = getReshapeSource(value, map))
    return divideOperand(*source->operand, source->map, offset);
  Operation *op = value.getDefiningOp();
  if (!op)
    return fail(value.getLoc(), "it is an argument of the function");
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
      linalgOp && op->getNumResults() == 1 && linalgOp.hasPureTensorSemantics())
    return divideLinalg(linalgOp, map, offset);
  if (offset != 0)
    return fail(op->getLoc(), "a sum with a number that no constant is in");
  return divideOp(op, map);
}

LogicalResult Planner::divideOp(Operation *op, const ChannelMap &map) {
  auto notThrough = [&] {
    return fail(op->getLoc(), "division does not go through '" +
                                  op->getName().getStringRef() + "'");
  };
  if (isa<LinearOp, MatmulOp>(op))
    return divideLinear(op, map);
  if (auto scale = dyn_cast<ScaleColumnsOp>(op))
    return divideOperand(scale.getInputMutable(), map);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    // Whole where the channels are.
    if (slice.getSourceType().getRank() != slice.getType().getRank())
      return notThrough();
    for (auto [dim, digits] : llvm::enumerate(map))
      if (!digits.empty() &&
          (slice.getStaticOffset(dim) != 0 || slice.getStaticStride(dim) != 1 ||
           slice.getStaticSize(dim) != slice.getSourceType().getDimSize(dim)))
        return fail(op->getLoc(), "only a part of the channels is read");
    return divideOperand(slice.getSourceMutable(), map);
  }
  if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    if (!map[concat.getDim()].empty())
      return notThrough();
    for (OpOperand &input : concat->getOpOperands())
      if (failed(divideOperand(input, map)))
        return failure();
    return success();
  }
  return notThrough();
}

LogicalResult Planner::divideLinear(Operation *op, const ChannelMap &map) {
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
  if (bias && !getConstant(bias))
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

LogicalResult Planner::divideLinalg(linalg::LinalgOp op, const ChannelMap &map,
                                    double offset) {
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

LogicalResult Planner::divideContraction(linalg::LinalgOp op,
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

LogicalResult Planner::divideOneOf(linalg::LinalgOp op, OpOperand &a,
                                   OpOperand &b, const ChannelMap &loops) {
  // Constants first: a norm's weight rather than what it multiplies.
  auto isConstantSide = [&](OpOperand &side) {
    std::optional<ElementAccess> access = getAccess(op, side.get(), loops);
    return access && isConstantView(access->tensor->get(), access->map);
  };
  OpOperand *sides[] = {&a, &b};
  if (isConstantSide(b) && !isConstantSide(a))
    std::swap(sides[0], sides[1]);
  State before = state;
  std::string firstReason;
  std::optional<Location> firstWhere;
  for (OpOperand *side : sides) {
    size_t first = state.order.size();
    if (succeeded(divideScalar(op, *side, loops)) &&
        succeeded(checkUses(first)))
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

LogicalResult Planner::divideScalar(linalg::LinalgOp op, OpOperand &use,
                                    const ChannelMap &loops, double offset) {
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
  if (isa<arith::AddFOp>(def)) {
    // (1 + w): a constant with a number.
    for (unsigned side : {0u, 1u}) {
      std::optional<double> number =
          constantScalar(op, operand(side).get(), /*ofTensors=*/false);
      if (!number || *number == 0)
        continue;
      std::optional<ElementAccess> access =
          getAccess(op, operand(1 - side).get(), loops);
      if (!access || !isConstantView(access->tensor->get(), access->map))
        return fail(op->getLoc(), "a number is added");
      state.consumed.insert(&operand(side));
      return divideScalar(op, operand(1 - side), loops, offset + *number);
    }
  }
  if (offset != 0)
    return fail(op->getLoc(), "a number is added");
  if (isa<arith::AddFOp, arith::SubFOp>(def))
    return failure(failed(divideScalar(op, operand(0), loops)) ||
                   failed(divideScalar(op, operand(1), loops)));
  if (isa<arith::MulFOp>(def))
    return divideOneOf(op, operand(0), operand(1), loops);
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
  return fail(op->getLoc(), "division does not go through '" +
                                def->getName().getStringRef() + "'");
}

/// Uses that see a value's shape alone.
static bool readsShapeOnly(OpOperand &use) {
  if (isa<tensor::DimOp>(use.getOwner()))
    return true;
  auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
  return op && op.isDpsInit(&use) && !op.payloadUsesValueFromOperand(&use);
}

LogicalResult Planner::checkUses(size_t first) {
  for (size_t i = first; i < state.order.size(); ++i)
    for (OpOperand &use : state.order[i].getUses())
      if (!state.consumed.contains(&use) && !readsShapeOnly(use))
        return fail(use.getOwner()->getLoc(),
                    "'" + use.getOwner()->getName().getStringRef() +
                        "' reads it too");
  return success();
}

FoldFinding Planner::plan(ArrayRef<OpOperand *> uses) {
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
  if (works && succeeded(checkUses(0))) {
    finding.plan = state.plan;
    return finding;
  }
  finding.reason = reason;
  finding.location = where;
  return finding;
}

FoldFinding qk::quant_llm::planFold(ArrayRef<OpOperand *> uses,
                                    int64_t channels) {
  return Planner(channels).plan(uses);
}
