//===- UnlinkedOps.cpp - Ops of dialects that are not linked --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "UnlinkedOps.h"

#include "Constants.h"

#include "mlir/Dialect/Shape/IR/Shape.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace qk::quant_llm;

//===----------------------------------------------------------------------===//
// Names and attributes
//===----------------------------------------------------------------------===//

StringRef qk::quant_llm::getUnlinkedName(Operation *op) {
  if (op->isRegistered())
    return {};
  StringRef name = op->getName().getStringRef();
  if (name == "torch.operator")
    if (auto wrapped = op->getAttrOfType<StringAttr>("name"))
      return wrapped.getValue();
  return name;
}

Attribute qk::quant_llm::getUnlinkedAttr(Operation *op, StringRef name) {
  if (op->getName().getStringRef() == "torch.operator")
    return op->getAttr(
        ("torch." + getUnlinkedName(op).split('.').first + "." + name).str());
  return op->getAttr(name);
}

UnlinkedKind qk::quant_llm::getUnlinkedKind(Operation *op) {
  StringRef name = getUnlinkedName(op);
  if (name.empty())
    return UnlinkedKind::Other;
  if (name == "stablehlo.custom_call") {
    // Where a tensor lives, not what it is.
    auto target = op->getAttrOfType<StringAttr>("call_target_name");
    return target && target.getValue() == "Sharding" &&
                   op->getNumOperands() == 1
               ? UnlinkedKind::Identity
               : UnlinkedKind::Other;
  }
  using Kind = UnlinkedKind;
  return llvm::StringSwitch<Kind>(name)
      .Cases({"torch_c.from_builtin_tensor", "torch_c.to_builtin_tensor",
              "torch.tensor_static_info_cast", "torch.copy.to_vtensor",
              "torch.copy.to_tensor", "torch.aten.detach"},
             Kind::Identity)
      .Cases({"torch.aten.contiguous", "torch.aten.clone", "torch.aten.alias",
              "torch.aten.lift_fresh_copy", "onnx.Identity",
              "sdy.sharding_constraint"},
             Kind::Identity)
      .Cases({"stablehlo.convert", "torch.prims.convert_element_type",
              "torch.aten.to.dtype", "torch.aten.to.dtype_layout",
              "torch.aten._to_copy", "torch.aten.type_as", "onnx.Cast"},
             Kind::Convert)
      .Cases({"stablehlo.transpose", "torch.aten.permute", "torch.aten.t",
              "torch.aten.transpose.int", "torch.aten.numpy_T",
              "onnx.Transpose"},
             Kind::Transpose)
      .Cases({"stablehlo.broadcast_in_dim",
              "stablehlo.dynamic_broadcast_in_dim", "stablehlo.broadcast",
              "torch.aten.expand", "torch.aten.broadcast_to", "onnx.Expand"},
             Kind::Broadcast)
      .Cases({"stablehlo.reshape", "stablehlo.dynamic_reshape",
              "torch.aten.view", "torch.aten.reshape",
              "torch.aten._unsafe_view", "torch.aten._reshape_alias"},
             Kind::Reshape)
      .Cases({"torch.aten.unsqueeze", "torch.aten.squeeze",
              "torch.aten.squeeze.dim", "torch.aten.flatten.using_ints",
              "torch.aten.unflatten.int"},
             Kind::Reshape)
      .Cases({"onnx.Reshape", "onnx.Unsqueeze", "onnx.Squeeze", "onnx.Flatten"},
             Kind::Reshape)
      .Cases({"stablehlo.slice", "torch.aten.slice.Tensor",
              "torch.aten.select.int", "torch.prim.ListUnpack"},
             Kind::Slice)
      .Cases({"torch.aten.split_with_sizes", "torch.aten.split_with_sizes_copy",
              "torch.aten.split.sizes", "torch.aten.split.Tensor",
              "torch.aten.unsafe_split.Tensor", "torch.aten.chunk"},
             Kind::Split)
      .Cases({"stablehlo.add", "torch.aten.add.Tensor", "onnx.Add"}, Kind::Add)
      .Cases({"stablehlo.multiply", "torch.aten.mul.Scalar",
              "torch.aten.mul.Tensor", "onnx.Mul"},
             Kind::Multiply)
      .Cases({"stablehlo.dot_general", "stablehlo.dot"}, Kind::Contraction)
      .Cases({"torch.aten.mm", "torch.aten.addmm", "torch.aten.linear",
              "torch.aten.matmul", "torch.aten.bmm", "torch.aten.einsum"},
             Kind::Contraction)
      .Cases({"onnx.MatMul", "onnx.Gemm", "onnx.Einsum"}, Kind::Contraction)
      .Cases({"stablehlo.constant", "torch.vtensor.literal", "onnx.Constant",
              "util.global.load", "torch.prim.ListConstruct", "onnx.NoValue",
              "onnx.None"},
             Kind::Constant)
      .Cases({"torch.constant.int", "torch.constant.float",
              "torch.constant.bool", "torch.constant.none",
              "torch.constant.str"},
             Kind::Constant)
      .Cases({"torch.aten.size.int", "stablehlo.get_dimension_size"},
             Kind::Size)
      .Default(Kind::Other);
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

static Type parseElementType(MLIRContext *context, StringRef text) {
  Type known = llvm::StringSwitch<Type>(text)
                   .Case("f32", Float32Type::get(context))
                   .Case("f16", Float16Type::get(context))
                   .Case("bf16", BFloat16Type::get(context))
                   .Case("f64", Float64Type::get(context))
                   .Default(Type());
  if (known)
    return known;
  auto signedness = IntegerType::Signless;
  if (text.consume_front("si"))
    signedness = IntegerType::Signed;
  else if (text.consume_front("ui"))
    signedness = IntegerType::Unsigned;
  else if (!text.consume_front("i"))
    return {};
  unsigned width;
  if (text.getAsInteger(10, width) || width == 0 || width > 64)
    return {};
  return IntegerType::get(context, width, signedness);
}

RankedTensorType qk::quant_llm::getTensorType(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return tensor;
  auto opaque = dyn_cast<OpaqueType>(type);
  if (!opaque || opaque.getDialectNamespace() != "torch")
    return {};
  StringRef text = opaque.getTypeData();
  if (!text.consume_front("vtensor<[") || !text.consume_back(">"))
    return {};
  auto [dims, element] = text.split("],");
  SmallVector<int64_t> shape;
  if (!dims.empty()) {
    SmallVector<StringRef> parts;
    dims.split(parts, ',');
    for (StringRef part : parts) {
      int64_t size;
      if (part == "?")
        size = ShapedType::kDynamic;
      else if (part.getAsInteger(10, size) || size < 0)
        return {};
      shape.push_back(size);
    }
  }
  Type elementType = parseElementType(type.getContext(), element);
  if (!elementType)
    return {};
  return RankedTensorType::get(shape, elementType);
}

Type qk::quant_llm::withElementType(Type type, Type elementType) {
  RankedTensorType tensor = getTensorType(type);
  assert(tensor && "expected a tensor");
  if (isa<RankedTensorType>(type))
    return tensor.clone(elementType);
  std::string text = "vtensor<[";
  llvm::raw_string_ostream out(text);
  llvm::interleave(
      tensor.getShape(), out,
      [&](int64_t size) {
        if (ShapedType::isDynamic(size))
          out << "?";
        else
          out << size;
      },
      ",");
  out << "]," << elementType << ">";
  return OpaqueType::get(cast<OpaqueType>(type).getDialectNamespace(), text);
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

std::optional<SmallVector<int64_t>> qk::quant_llm::getIntegers(Attribute attr) {
  SmallVector<int64_t> result;
  if (auto array = dyn_cast_or_null<DenseI64ArrayAttr>(attr)) {
    llvm::append_range(result, array.asArrayRef());
    return result;
  }
  if (auto elements = dyn_cast_or_null<DenseIntElementsAttr>(attr)) {
    for (const APInt &value : elements.getValues<APInt>())
      result.push_back(value.getSExtValue());
    return result;
  }
  if (auto array = dyn_cast_or_null<ArrayAttr>(attr)) {
    for (Attribute element : array) {
      auto integer = dyn_cast<IntegerAttr>(element);
      if (!integer)
        return std::nullopt;
      result.push_back(integer.getValue().getSExtValue());
    }
    return result;
  }
  return std::nullopt;
}

/// The integer that a scalar constant is.
static std::optional<int64_t> getInteger(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || getUnlinkedName(op) != "torch.constant.int")
    return std::nullopt;
  auto integer = op->getAttrOfType<IntegerAttr>("value");
  if (!integer)
    return std::nullopt;
  return integer.getValue().getSExtValue();
}

std::optional<SmallVector<int64_t>> qk::quant_llm::getIntegers(Value list) {
  if (std::optional<int64_t> one = getInteger(list))
    return SmallVector<int64_t>{*one};
  Operation *op = list.getDefiningOp();
  if (!op || getUnlinkedName(op) != "torch.prim.ListConstruct")
    return std::nullopt;
  SmallVector<int64_t> result;
  for (Value element : op->getOperands()) {
    std::optional<int64_t> integer = getInteger(element);
    if (!integer)
      return std::nullopt;
    result.push_back(*integer);
  }
  return result;
}

static std::optional<double> getNumber(Attribute attr) {
  if (auto number = dyn_cast_or_null<FloatAttr>(attr))
    return number.getValueAsDouble();
  if (auto number = dyn_cast_or_null<IntegerAttr>(attr))
    return static_cast<double>(number.getValue().getSExtValue());
  auto elements = dyn_cast_or_null<DenseElementsAttr>(attr);
  if (!elements || !elements.isSplat())
    return std::nullopt;
  return getNumber(elements.getSplatValue<Attribute>());
}

Value qk::quant_llm::getPassedOn(Operation *op) {
  switch (getUnlinkedKind(op)) {
  case UnlinkedKind::Identity:
  case UnlinkedKind::Convert:
  case UnlinkedKind::Transpose:
  case UnlinkedKind::Broadcast:
  case UnlinkedKind::Reshape:
    return op->getNumOperands() ? op->getOperand(0) : Value();
  default:
    return {};
  }
}

std::optional<double> qk::quant_llm::getUniformValue(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    Attribute scalar;
    if (op->isRegistered()) {
      if (auto cast = dyn_cast<tensor::CastOp>(op)) {
        value = cast.getSource();
        continue;
      }
      if (!matchPattern(op, m_Constant(&scalar)))
        return std::nullopt;
      return getNumber(scalar);
    }
    if (std::optional<ConstantTensor> constant = getConstant(value))
      return getNumber(constant->value);
    if (getUnlinkedKind(op) == UnlinkedKind::Constant)
      return getNumber(op->getAttr("value"));
    value = getPassedOn(op);
    if (!value)
      return std::nullopt;
  }
  return std::nullopt;
}

bool qk::quant_llm::mayRepeat(Value by, Value value) {
  RankedTensorType shape = getTensorType(by), type = getTensorType(value);
  // A scalar, or StableHLO, where both have one shape.
  if (!shape || by.getType() == value.getType())
    return false;
  if (!type || shape.getRank() > type.getRank())
    return true;
  ArrayRef<int64_t> sizes = type.getShape().take_back(shape.getRank());
  return llvm::any_of(llvm::zip(shape.getShape(), sizes), [](auto pair) {
    auto [size, own] = pair;
    return size != 1 && ShapedType::isDynamic(own) &&
           !ShapedType::isDynamic(size);
  });
}

Value qk::quant_llm::getMultipliedByOne(Operation *op) {
  if (getUnlinkedKind(op) != UnlinkedKind::Multiply ||
      op->getNumOperands() != 2 || op->getNumResults() != 1)
    return {};
  for (unsigned side : {1u, 0u}) {
    Value ones = op->getOperand(side), other = op->getOperand(1 - side);
    if (getUniformValue(ones) == 1.0 &&
        other.getType() == op->getResult(0).getType() &&
        !mayRepeat(ones, other))
      return other;
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Erasing
//===----------------------------------------------------------------------===//

bool qk::quant_llm::isErasableWhenUnused(Operation *op) {
  if (isa<shape::CstrBroadcastableOp>(op))
    return true;
  if (isa<shape::AssumingOp>(op))
    return llvm::all_of(
        op->getRegion(0).front().without_terminator(),
        [](Operation &nested) { return isErasableWhenUnused(&nested); });
  if (op->isRegistered())
    return isMemoryEffectFree(op) && !op->hasTrait<OpTrait::IsTerminator>();
  return op->getNumRegions() == 0 && getUnlinkedKind(op) != UnlinkedKind::Other;
}

void qk::quant_llm::eraseUnused(Operation *op) {
  SmallVector<Operation *> worklist{op};
  llvm::SmallPtrSet<Operation *, 16> erased;
  while (!worklist.empty()) {
    Operation *next = worklist.pop_back_val();
    if (erased.contains(next) || !next->use_empty() ||
        !(isOpTriviallyDead(next) || isErasableWhenUnused(next)))
      continue;
    next->walk([&](Operation *nested) {
      erased.insert(nested);
      for (Value operand : nested->getOperands())
        if (Operation *producer = operand.getDefiningOp())
          worklist.push_back(producer);
    });
    next->erase();
  }
}
