//===- UnlinkedEpilogue.cpp - What follows a product ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "UnlinkedEpilogue.h"

#include "Constants.h"
#include "UnlinkedOps.h"
#include "UnlinkedViews.h"

#include "mlir/Dialect/Shape/IR/Shape.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace qk::quant_llm;

static Type elementType(Value value) {
  return getTensorType(value).getElementType();
}

static bool asksForSize(Operation *op) {
  return isa<shape::ShapeOfOp, tensor::DimOp>(op) ||
         getUnlinkedKind(op) == UnlinkedKind::Size;
}

Value qk::quant_llm::repeatedVector(Value value, int64_t size) {
  UnlinkedView view = viewOfUnlinked(value);
  RankedTensorType type = getTensorType(value);
  if (!view.isConstant || !type || type.getRank() == 0)
    return {};
  RankedTensorType root = getConstant(view.root)->type;
  if (!isa<FloatType>(root.getElementType()) || root.getNumElements() != size)
    return {};
  int64_t next = view.shape.size(), shown = 1;
  for (int64_t dim = type.getRank(); dim-- > 0;) {
    while (next > 0 && view.shape[next - 1] == 1 && view.dims[dim] != next - 1)
      --next;
    if (view.dims[dim] == kRepeated) {
      if (shown != size && type.getDimSize(dim) != 1)
        return {};
      continue;
    }
    if (view.dims[dim] != --next)
      return {};
    shown *= view.shape[next];
  }
  return shown == size ? view.root : Value();
}

namespace {

/// Follows the only use of a product through what belongs to its layer.
class EpilogueReader {
public:
  EpilogueReader(LinearMatch &match, int64_t n) : match(match), n(n) {}

  Epilogue follow() {
    Value value = match.result;
    while (OpOperand *use = onlyUse(value)) {
      Value next = step(*use);
      if (!next)
        break;
      value = next;
    }
    return committed;
  }

private:
  /// The use of `value` that computes; uses that ask for sizes go along.
  OpOperand *onlyUse(Value value) {
    OpOperand *found = nullptr;
    for (OpOperand &use : value.getUses()) {
      if (asksForSize(use.getOwner())) {
        // The layer's result has the sizes of the product, not those of a
        // reshape of it.
        if (!reshapes.empty())
          return nullptr;
        sizes.push_back(&use);
        continue;
      }
      if (found)
        return nullptr;
      found = &use;
    }
    return found;
  }

  /// Makes `value` the layer's result.
  Value commit(Value value) {
    match.result = value;
    committed = {reshapes, sizes};
    return value;
  }

  Value step(OpOperand &use) {
    Operation *op = use.getOwner();
    if (auto yield = dyn_cast<shape::AssumingYieldOp>(op)) {
      Value guarded = yield->getParentOp()->getResult(use.getOperandNumber());
      return match.result == use.get() ? commit(guarded) : guarded;
    }
    if (op->isRegistered() || op->getNumResults() != 1)
      return {};
    Value value = use.get(), result = op->getResult(0);
    RankedTensorType from = getTensorType(value), to = getTensorType(result);
    if (!to || to.getRank() == 0)
      return {};
    if (getMultipliedByOne(op) == value)
      return reshapes.empty() ? commit(result) : result;
    switch (getUnlinkedKind(op)) {
    case UnlinkedKind::Identity:
      return from == to ? result : Value();
    case UnlinkedKind::Broadcast:
      // To its own shape, as torch-mlir does before it adds.
      return use.getOperandNumber() == 0 && value.getType() == result.getType()
                 ? result
                 : Value();
    case UnlinkedKind::Reshape:
      if (use.getOperandNumber() != 0 || !endsIn(to, n))
        return {};
      reshapes.push_back(op);
      return result;
    case UnlinkedKind::Add:
      return addBias(op, use.getOperandNumber(), result);
    case UnlinkedKind::Convert:
      return narrow(use.getOperandNumber(), from, to, result);
    default:
      return {};
    }
  }

  /// Whether the last dimensions of `type` are the layer's N channels.
  static bool endsIn(RankedTensorType type, int64_t n) {
    int64_t product = 1;
    for (int64_t size : llvm::reverse(type.getShape())) {
      if (ShapedType::isDynamic(size))
        return false;
      product *= size;
      if (product >= n)
        return product == n;
    }
    return false;
  }

  Value addBias(Operation *op, unsigned side, Value result) {
    if (match.bias || side > 1 ||
        op->getOperand(side).getType() != result.getType() ||
        mayRepeat(op->getOperand(1 - side), op->getOperand(side)))
      return {};
    // torch's add(a, b, alpha) is a + alpha*b.
    if (op->getNumOperands() > 2 && getUniformValue(op->getOperand(2)) != 1.0)
      return {};
    Value vector = repeatedVector(op->getOperand(1 - side), n);
    if (!vector)
      return {};
    match.bias = vector;
    return commit(result);
  }

  Value narrow(unsigned side, RankedTensorType from, RankedTensorType to,
               Value result) {
    auto wide = dyn_cast<FloatType>(from.getElementType());
    auto narrow = dyn_cast<FloatType>(to.getElementType());
    if (side != 0 || !wide || !narrow || wide.getWidth() <= narrow.getWidth())
      return {};
    // Only where the layer's input is of that type too: else the narrowing is
    // the model's own.
    Value x = match.x;
    if (elementType(x) != narrow) {
      Operation *producer = x.getDefiningOp();
      if (!producer || getUnlinkedKind(producer) != UnlinkedKind::Convert ||
          elementType(producer->getOperand(0)) != narrow)
        return {};
      match.x = producer->getOperand(0);
    }
    commit(result);
    // Nothing after a narrowing belongs to the layer but a bias.
    return match.bias ? Value() : result;
  }

  LinearMatch &match;
  int64_t n;
  SmallVector<Operation *> reshapes;
  SmallVector<OpOperand *> sizes;
  /// Those of the layer's result so far.
  Epilogue committed;
};

} // namespace

Epilogue qk::quant_llm::followEpilogue(LinearMatch &match, int64_t n) {
  return EpilogueReader(match, n).follow();
}
