//===- Tail.cpp - What follows a product in a linear layer ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Follows the only user of each value, from the product through reshapes,
/// conversions, a multiplication by one and the addition of a constant vector.
///
//===----------------------------------------------------------------------===//

#include "LookThrough.h"
#include "Product.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"

using namespace mlir;
using namespace qk::quant_llm;

/// An elementwise operation of two operands, one of them the value followed.
struct Combination {
  Value other;
  /// Of `other`, from the result's dimensions; null where they are aligned,
  /// with sizes of one repeated.
  AffineMap otherMap;
};

/// Operands of the body's `OpType` that is yielded, conversions skipped; null
/// where the body does anything else. A null operand is no block argument.
template <typename OpType>
static std::optional<std::pair<Value, Value>> yieldedOperands(Block *body) {
  auto yield = dyn_cast<linalg::YieldOp>(body->getTerminator());
  if (!yield || yield.getNumOperands() != 1)
    return std::nullopt;
  auto op = skipFloatConversions(yield.getOperand(0)).getDefiningOp<OpType>();
  if (!op || op->getBlock() != body)
    return std::nullopt;
  return std::pair(skipFloatConversions(op.getLhs()),
                   skipFloatConversions(op.getRhs()));
}

/// What `user` combines with `value` by `OpType`, at the same index of its
/// result.
template <typename OpType>
static std::optional<Combination> combinedInLinalg(linalg::LinalgOp user,
                                                   Value value) {
  if (!user.hasPureTensorSemantics() || user.getNumDpsInits() != 1 ||
      user.getNumParallelLoops() != user.getNumLoops())
    return std::nullopt;
  auto operands = yieldedOperands<OpType>(user.getBlock());
  if (!operands)
    return std::nullopt;
  auto argumentOf = [&](Value operand) -> BlockArgument {
    auto argument = dyn_cast<BlockArgument>(operand);
    return argument && argument.getOwner() == user.getBlock() ? argument
                                                              : nullptr;
  };
  AffineMap resultMap = user.getMatchingIndexingMap(user.getDpsInitOperand(0));
  if (!resultMap.isIdentity())
    return std::nullopt;
  for (auto [mine, others] :
       {*operands, std::pair(operands->second, operands->first)}) {
    BlockArgument own = argumentOf(mine);
    if (!own)
      continue;
    OpOperand &ownOperand = user->getOpOperand(own.getArgNumber());
    if (ownOperand.get() != value ||
        user.getMatchingIndexingMap(&ownOperand) != resultMap)
      continue;
    if (BlockArgument other = argumentOf(others)) {
      OpOperand &operand = user->getOpOperand(other.getArgNumber());
      return Combination{operand.get(), user.getMatchingIndexingMap(&operand)};
    }
    // A scalar from outside the body.
    return Combination{others, AffineMap()};
  }
  return std::nullopt;
}

template <typename ArithOp, typename TosaOp>
static std::optional<Combination> combined(Operation *user, Value value) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(user))
    return combinedInLinalg<ArithOp>(linalgOp, value);
  if (!isa<ArithOp, TosaOp>(user) ||
      user->getResult(0).getType() != value.getType())
    return std::nullopt;
  Value other = user->getOperand(user->getOperand(0) == value ? 1 : 0);
  return Combination{other, AffineMap()};
}

static int64_t getChannels(RankedTensorType type, unsigned trailing) {
  ArrayRef<int64_t> sizes = type.getShape().take_back(trailing);
  return ShapedType::isDynamicShape(sizes) ? ShapedType::kDynamic
                                           : ShapedType::getNumElements(sizes);
}

/// Makes what `combination` adds the bias of `tail`, if it is a constant along
/// the last `trailing` dimensions of a result of rank `rank`.
static bool addBias(Tail &tail, const Combination &combination, int64_t rank,
                    unsigned trailing) {
  std::optional<StridedConstant> bias = stridesOfConstant(combination.other);
  if (!bias)
    return false;
  if (combination.otherMap) {
    // As a view of the result's shape.
    llvm::SmallVector<StridedConstant::Factors, 4> dims(rank);
    for (auto [dim, expr] :
         llvm::enumerate(combination.otherMap.getResults())) {
      auto loop = dyn_cast<AffineDimExpr>(expr);
      if (!loop) {
        if (!isa<AffineConstantExpr>(expr) || !bias->dims[dim].empty())
          return false;
        continue;
      }
      if (!dims[loop.getPosition()].empty())
        return false;
      dims[loop.getPosition()] = bias->dims[dim];
    }
    bias->dims = dims;
  }
  LinearMatch ignored;
  if (static_cast<int64_t>(bias->dims.size()) != rank ||
      !setBias(
          ignored, *bias, trailing,
          getChannels(cast<RankedTensorType>(tail.result.getType()), trailing)))
    return false;
  tail.bias = *bias;
  tail.trailing = trailing;
  return true;
}

/// How many trailing dimensions of `shape` have `size` elements together, in a
/// row-major reshape of a value whose trailing dimensions have as many.
static std::optional<unsigned> trailingOf(ArrayRef<int64_t> shape,
                                          int64_t size) {
  int64_t product = 1;
  for (unsigned count = 1; count <= shape.size(); ++count) {
    int64_t last = shape[shape.size() - count];
    if (ShapedType::isDynamic(last))
      return std::nullopt;
    product *= last;
    if (product == size)
      return count;
    if (product > size)
      return std::nullopt;
  }
  return std::nullopt;
}

std::vector<Tail> qk::quant_llm::findTails(Value y, unsigned trailing,
                                           bool hasBias) {
  auto typeOf = [](Value value) {
    return cast<RankedTensorType>(value.getType());
  };
  int64_t size = 1;
  for (int64_t extent : typeOf(y).getShape().take_back(trailing))
    size *= extent;
  Tail tail;
  tail.result = y;
  tail.elementType = typeOf(y).getElementType();
  std::vector<Tail> tails{tail};
  while (tail.result.hasOneUse()) {
    Operation *user = *tail.result.user_begin();
    if (user->getNumResults() != 1 ||
        !isa<RankedTensorType>(user->getResult(0).getType()))
      break;
    Value result = user->getResult(0);
    if (reshapedFrom(user) == tail.result) {
      auto count = trailingOf(typeOf(result).getShape(), size);
      if (!count)
        break;
      trailing = *count;
      tail.reshapes.push_back(user);
      tail.result = result;
      continue;
    }
    if (convertedFrom(user) == tail.result) {
      if (!isLayerType(typeOf(result).getElementType()))
        break;
      // Widening what is in the layer's type already is the reader's business,
      // unless more of the layer follows.
      bool narrows = typeOf(result).getElementTypeBitWidth() <=
                     tail.elementType.getIntOrFloatBitWidth();
      tail.result = result;
      tail.elementType = typeOf(result).getElementType();
      if (narrows)
        tails.push_back(tail);
      continue;
    }
    if (auto scale = combined<arith::MulFOp, tosa::MulOp>(user, tail.result);
        scale && isFilledWith(scale->other, 1.0)) {
      tail.result = result;
      tail.elementType = typeOf(result).getElementType();
      continue;
    }
    auto sum = combined<arith::AddFOp, tosa::AddOp>(user, tail.result);
    if (!sum || hasBias)
      break;
    if (!addBias(tail, *sum, typeOf(result).getRank(), trailing))
      break;
    hasBias = true;
    tail.result = result;
    tail.elementType = typeOf(result).getElementType();
    tails.push_back(tail);
  }
  return tails;
}
