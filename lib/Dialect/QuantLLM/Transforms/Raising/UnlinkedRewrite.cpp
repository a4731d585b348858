//===- UnlinkedRewrite.cpp - A layer in an unlinked module ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "UnlinkedRewrite.h"

#include "UnlinkedOps.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace qk::quant_llm;

static Value createUnlinked(OpBuilder &builder, Location location,
                            StringRef name, Type type, Value operand) {
  OperationState state(location, name, operand, type);
  return builder.create(state)->getResult(0);
}

/// `value` with dimension order[i] as its i-th.
Value UnlinkedRewrite::transpose(OpBuilder &builder, Value value,
                                 ArrayRef<int64_t> order) const {
  auto type = cast<RankedTensorType>(value.getType());
  if (!isStableHLO) {
    SmallVector<OpFoldResult> sizes,
        from = tensor::getMixedSizes(builder, location, value);
    for (int64_t dim : order)
      sizes.push_back(from[dim]);
    Value empty = tensor::EmptyOp::create(builder, location, sizes,
                                          type.getElementType());
    return linalg::TransposeOp::create(builder, location, value, empty, order)
        ->getResult(0);
  }
  SmallVector<int64_t> shape;
  for (int64_t dim : order)
    shape.push_back(type.getDimSize(dim));
  OperationState state(location, "stablehlo.transpose", value,
                       RankedTensorType::get(shape, type.getElementType()));
  state.propertiesAttr = builder.getDictionaryAttr(
      builder.getNamedAttr("permutation", builder.getDenseI64ArrayAttr(order)));
  return builder.create(state)->getResult(0);
}

/// `value` as a builtin tensor. Casts stay beside what they cast, and one value
/// is cast once: layers that read the same tensor must be seen to do so.
static Value toBuiltin(OpBuilder &builder, Value value) {
  if (isa<RankedTensorType>(value.getType()))
    return value;
  RankedTensorType type = getTensorType(value);
  Operation *producer = value.getDefiningOp();
  if (producer && producer->getNumOperands() == 1 &&
      getUnlinkedName(producer) == "torch_c.from_builtin_tensor" &&
      producer->getOperand(0).getType() == type)
    return producer->getOperand(0);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfterValue(value);
  for (Operation *user : value.getUsers())
    if (user->getBlock() == value.getParentBlock() &&
        getUnlinkedName(user) == "torch_c.to_builtin_tensor" &&
        user->getResult(0).getType() == type) {
      user->moveBefore(builder.getInsertionBlock(),
                       builder.getInsertionPoint());
      return user->getResult(0);
    }
  return createUnlinked(builder, value.getLoc(), "torch_c.to_builtin_tensor",
                        type, value);
}

Value UnlinkedRewrite::reshape(OpBuilder &builder, Value value,
                               ArrayRef<int64_t> shape) const {
  auto from = cast<RankedTensorType>(value.getType());
  RankedTensorType to = from.clone(shape);
  if (isStableHLO)
    return createUnlinked(builder, location, "stablehlo.reshape", to, value);
  // All but the last of the fewer dimensions are the same.
  int64_t few = std::min(from.getRank(), to.getRank());
  int64_t many = std::max(from.getRank(), to.getRank());
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim < few; ++dim)
    groups.push_back({dim});
  for (int64_t dim = few; dim < many; ++dim)
    groups.back().push_back(dim);
  if (to.getRank() < from.getRank())
    return tensor::CollapseShapeOp::create(builder, location, to, value,
                                           groups);
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, location, value);
  sizes.pop_back();
  for (int64_t size : shape.drop_front(few - 1))
    sizes.push_back(builder.getIndexAttr(size));
  return tensor::ExpandShapeOp::create(builder, location, to, value, groups,
                                       sizes);
}

Value UnlinkedRewrite::makeX(OpBuilder &builder) const {
  Value value = toBuiltin(builder, x);
  if (!xOrder.empty())
    value = transpose(builder, value, xOrder);
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getShape() != xType.getShape())
    value = reshape(builder, value, xType.getShape());
  if (type.getElementType() != xType.getElementType())
    value =
        createUnlinked(builder, location, "stablehlo.convert", xType, value);
  return value;
}

void UnlinkedRewrite::takeBuiltin(Value value) const {
  for (Operation *user : llvm::make_early_inc_range(result.getUsers())) {
    if (getUnlinkedName(user) != "torch_c.to_builtin_tensor" ||
        user->getResult(0).getType() != value.getType())
      continue;
    user->getResult(0).replaceAllUsesWith(value);
    user->erase();
  }
}

Value UnlinkedRewrite::makeResult(OpBuilder &builder, Value y) const {
  Value value = y;
  RankedTensorType tensor = getTensorType(productType), unpermuted = tensor;
  if (!productOrder.empty()) {
    SmallVector<int64_t> shape(productOrder.size());
    for (auto [at, dim] : llvm::enumerate(productOrder))
      shape[dim] = tensor.getDimSize(at);
    unpermuted = RankedTensorType::get(shape, tensor.getElementType());
  }
  if (value.getType() != unpermuted)
    value = reshape(builder, value, unpermuted.getShape());
  if (!productOrder.empty())
    value = transpose(builder, value, productOrder);
  if (tensor != productType && reshapes.empty())
    takeBuiltin(value);
  if (tensor != productType && !(result.use_empty() && sizes.empty()))
    value = createUnlinked(builder, location, "torch_c.from_builtin_tensor",
                           productType, value);
  for (OpOperand *size : sizes)
    size->set(value);
  for (Operation *reshape : reshapes) {
    // Its other operands may be computed after the product.
    OpBuilder there(reshape);
    Operation *copy = there.clone(*reshape);
    copy->setOperand(0, value);
    value = copy->getResult(0);
    value.setType(withElementType(value.getType(), tensor.getElementType()));
  }
  return value;
}
