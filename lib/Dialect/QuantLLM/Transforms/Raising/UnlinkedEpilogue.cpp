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

bool qk::quant_llm::setBias(LinearMatch &match, Value value, int64_t size) {
  UnlinkedView view = viewOfUnlinked(value, /*parts=*/true);
  RankedTensorType type = getTensorType(value);
  if (!view.isConstant || !type || type.getRank() == 0)
    return false;
  ConstantTensor constant = *getConstant(view.root);
  if (!isa<FloatType>(constant.type.getElementType()))
    return false;
  SmallVector<int64_t> all = view.getStrides(), sizes, strides;
  int64_t shown = 1, contiguous = 1;
  bool isWhole = view.offset == 0;
  for (int64_t dim = type.getRank(); dim-- > 0;) {
    if (view.dims[dim].empty() && shown != size && type.getDimSize(dim) != 1)
      return false;
    for (int64_t from : llvm::reverse(view.dims[dim])) {
      if (view.shape[from] == 1)
        continue;
      sizes.insert(sizes.begin(), view.shape[from]);
      strides.insert(strides.begin(), all[from]);
      isWhole &= all[from] == contiguous;
      contiguous *= view.shape[from];
      shown *= view.shape[from];
    }
  }
  if (shown != size)
    return false;
  isWhole &= constant.type.getNumElements() == size;
  PartAttr part;
  if (!isWhole &&
      !(part = getConstantPart(constant, view.offset, sizes, strides)))
    return false;
  match.bias = view.root;
  match.biasPart = part;
  return true;
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
    if (!setBias(match, op->getOperand(1 - side), n))
      return {};
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
