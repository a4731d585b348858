//===- OperatorBuilder.cpp - Ops of torch-mlir, unlinked ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OperatorBuilder.h"

using namespace mlir;
using namespace qk;

static Type torchType(MLIRContext *context, StringRef text) {
  return OpaqueType::get(StringAttr::get(context, "torch"), text);
}

Type OperatorBuilder::tensorType(RankedTensorType type) {
  std::string text = "vtensor<[";
  llvm::raw_string_ostream out(text);
  llvm::interleave(
      type.getShape(), out,
      [&](int64_t size) {
        if (ShapedType::isDynamic(size))
          out << "?";
        else
          out << size;
      },
      ",");
  // A signless integer is torch's signed one.
  out << "],"
      << (type.getElementType().isSignlessInteger() &&
                  !type.getElementType().isInteger(1)
              ? "s"
              : "")
      << type.getElementType() << ">";
  return torchType(getContext(), text);
}

Value OperatorBuilder::create(StringRef name, ValueRange operands, Type type,
                              ArrayRef<NamedAttribute> properties,
                              ArrayRef<NamedAttribute> attributes) {
  OperationState state(getLoc(), name, operands, type, attributes);
  if (!properties.empty())
    state.propertiesAttr = getDictionaryAttr(properties);
  return OpBuilder::create(state)->getResult(0);
}

static bool isOp(Operation *op, StringRef name) {
  return op && op->getName().getStringRef() == name;
}

Value OperatorBuilder::toTorch(Value value) {
  Type type = tensorType(cast<RankedTensorType>(value.getType()));
  Operation *op = value.getDefiningOp();
  if (isOp(op, "torch_c.to_builtin_tensor") &&
      op->getOperand(0).getType() == type)
    return op->getOperand(0);
  return create("torch_c.from_builtin_tensor", value, type, {});
}

Value OperatorBuilder::fromTorch(Value value, RankedTensorType type) {
  return create("torch_c.to_builtin_tensor", value, type, {});
}

Value OperatorBuilder::integer(int64_t value) {
  return create("torch.constant.int", {}, torchType(getContext(), "int"),
                getNamedAttr("value", getI64IntegerAttr(value)));
}

Value OperatorBuilder::literal(DenseElementsAttr value, bool onnx) {
  auto type = cast<RankedTensorType>(value.getType());
  if (onnx)
    return call("onnx.Constant", {}, type,
                getNamedAttr("torch.onnx.value", value));
  return create("torch.vtensor.literal", {}, tensorType(type),
                getNamedAttr("value", value));
}

Value OperatorBuilder::call(StringRef name, ValueRange operands,
                            RankedTensorType type,
                            ArrayRef<NamedAttribute> attributes) {
  return create("torch.operator", operands, tensorType(type),
                getNamedAttr("name", getStringAttr(name)), attributes);
}

NamedAttribute OperatorBuilder::onnxInteger(StringRef name, int64_t value) {
  return getNamedAttr(
      ("torch.onnx." + name).str(),
      IntegerAttr::get(IntegerType::get(getContext(), 64, IntegerType::Signed),
                       value));
}
