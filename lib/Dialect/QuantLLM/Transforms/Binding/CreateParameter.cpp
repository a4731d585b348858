//===- CreateParameter.cpp - A constant as a parameter --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Binding.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

/// The scope whose file holds tensor `name`.
static FailureOr<StringRef> findScope(ModuleOp module, StringRef name,
                                      Location location) {
  auto weights =
      module->getAttrOfType<DictionaryAttr>(QuantLLMDialect::kWeightsAttr);
  if (!weights || weights.empty())
    return emitError(location)
           << "resource '" << name
           << "' has no data; name the file that holds it with "
              "--weights=FILE.safetensors";
  for (NamedAttribute entry : weights) {
    auto file = openScope(module, entry.getName(), location);
    if (failed(file))
      return failure();
    if (*file && (*file)->find(name))
      return entry.getName().strref();
  }
  // In none: let the last file say which name is close.
  auto file = openScope(module, weights.getValue().back().getName(), location);
  if (failed(file))
    return failure();
  return emitError(location)
         << "resource without data: "
         << llvm::toString((*file)->get(name).takeError())
         << "; --weight-names=FILE.json says which tensors the handles of a "
            "module are";
}

/// Lets `--weights=` serve a scope that no file was given for, where that file
/// has the tensor.
static LogicalResult shareWeights(ModuleOp module, StringRef scope,
                                  StringRef name, Location location) {
  auto weights =
      module->getAttrOfType<DictionaryAttr>(QuantLLMDialect::kWeightsAttr);
  if (!weights || weights.contains(scope) || !weights.contains(kModelScope))
    return success();
  auto file = openScope(module, kModelScope, location);
  if (failed(file))
    return failure();
  if (!(*file)->find(name))
    return success();
  NamedAttrList entries(weights.getValue());
  entries.set(scope, weights.get(kModelScope));
  module->setAttr(QuantLLMDialect::kWeightsAttr,
                  entries.getDictionary(module.getContext()));
  return success();
}

static Type getFloatType(storage::DataType type, MLIRContext *context) {
  switch (type) {
  case storage::DataType::F32:
    return Float32Type::get(context);
  case storage::DataType::F16:
    return Float16Type::get(context);
  case storage::DataType::BF16:
    return BFloat16Type::get(context);
  default:
    return {};
  }
}

/// The type that the file's tensor is read with: its own, as far as that is the
/// constant's but for layout and (where asked for) conversion, so that all uses
/// of a tensor are of one parameter. Else the constant's, which the parameter
/// may be refused for.
static RankedTensorType getStoredType(const ConstantTensor &constant,
                                      const storage::TensorView &tensor) {
  RankedTensorType type = constant.type;
  if (!constant.part && !hasShape(type, tensor, constant.transposed))
    return type;
  Type element = type.getElementType();
  if (constant.converts)
    if (Type stored = getFloatType(tensor.type, type.getContext());
        stored && getFloatType(getDataType(element).value_or(tensor.type),
                               type.getContext()))
      element = stored;
  return RankedTensorType::get(constant.part ? type.getShape()
                                             : ArrayRef<int64_t>(tensor.shape),
                               element);
}

/// `value`, of the same elements in the same order, as `type`.
static Value reshape(OpBuilder &builder, Location location, Value value,
                     RankedTensorType type) {
  auto from = cast<RankedTensorType>(value.getType());
  if (from == type)
    return value;
  auto reassociation = getReassociationIndicesForReshape(from, type);
  if (!reassociation) {
    // By way of one dimension.
    auto flat =
        RankedTensorType::get({type.getNumElements()}, type.getElementType());
    return reshape(builder, location, reshape(builder, location, value, flat),
                   type);
  }
  if (from.getRank() > type.getRank())
    return tensor::CollapseShapeOp::create(builder, location, type, value,
                                           *reassociation);
  return tensor::ExpandShapeOp::create(builder, location, type, value,
                                       *reassociation);
}

static Value convert(OpBuilder &builder, Location location, Value value,
                     Type element) {
  auto type = cast<RankedTensorType>(value.getType());
  Type from = type.getElementType();
  if (from == element)
    return value;
  auto to = type.clone(element);
  // f16 and bf16 go by way of f32.
  if (from.getIntOrFloatBitWidth() == element.getIntOrFloatBitWidth())
    return convert(builder, location,
                   convert(builder, location, value, builder.getF32Type()),
                   element);
  if (from.getIntOrFloatBitWidth() < element.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(builder, location, to, value);
  return arith::TruncFOp::create(builder, location, to, value);
}

Value qk::quant_llm::createTranspose(OpBuilder &builder, Location location,
                                     Value matrix) {
  if (auto transpose = matrix.getDefiningOp<TransposeOp>())
    return transpose.getWeight();
  return TransposeOp::create(builder, location, matrix);
}

/// The block's parameter of that name, type and part, moved to the block's
/// start: it depends on nothing.
static ParameterOp findParameter(Block *block, RankedTensorType type,
                                 StringRef scope, StringRef name,
                                 PartAttr part) {
  for (auto parameter : block->getOps<ParameterOp>()) {
    if (parameter.getScope() != scope || parameter.getName() != name ||
        parameter.getType() != type || parameter.getValueAttr() ||
        parameter.getPartAttr() != part)
      continue;
    parameter->moveBefore(block, block->begin());
    return parameter;
  }
  return {};
}

FailureOr<Value> qk::quant_llm::createParameter(OpBuilder &builder,
                                                Location location,
                                                const ConstantTensor &constant,
                                                StringRef literalName) {
  Block *block = builder.getInsertionBlock();
  auto module = block->getParentOp()->getParentOfType<ModuleOp>();
  std::string scope = constant.scope;
  std::string name = constant.name.empty() ? literalName.str() : constant.name;
  ElementsAttr value = constant.value;
  bool hasFile = false;
  auto resource = dyn_cast_or_null<DenseResourceElementsAttr>(value);
  if (resource && !resource.getRawHandle().getBlob()) {
    FailureOr<StringRef> found = findScope(module, name, location);
    if (failed(found))
      return failure();
    scope = found->str();
    value = {};
    hasFile = true;
  } else if (!value) {
    if (failed(shareWeights(module, scope, name, location)))
      return failure();
    auto weights =
        module->getAttrOfType<DictionaryAttr>(QuantLLMDialect::kWeightsAttr);
    // The parameter is named all the same; what reads it will ask for a file.
    hasFile = weights && weights.contains(scope);
  }
  PartAttr part = constant.part;
  if (value && part) {
    FailureOr<ElementsAttr> taken = takePart(
        value, part, constant.type, [&] { return emitError(location); });
    if (failed(taken))
      return failure();
    value = *taken;
    part = {};
    // A value of its own: the tensor's name is that of all of it.
    name = literalName.str();
  }
  RankedTensorType type = constant.type;
  if (hasFile) {
    auto file = openScope(module, scope, location);
    if (failed(file))
      return failure();
    if (const storage::Parameter *tensor = (*file)->find(name))
      type = getStoredType(constant, tensor->tensor);
  }
  ParameterOp parameter =
      value ? ParameterOp() : findParameter(block, type, scope, name, part);
  if (!parameter) {
    parameter =
        ParameterOp::create(builder, location, type, scope, name, value, part);
    // Finds missing data and wrong types and shapes now, where the message can
    // name the constant.
    if (failed(parameter.verify()) ||
        ((hasFile || value) && failed(checkParameterData(parameter))))
      return failure();
  }
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfter(parameter);
  Value result = parameter;
  // Of a part, the strides say how it is stored.
  if (constant.transposed && hasFile && !part)
    result = createTranspose(builder, location, result);
  result = convert(builder, location, result, constant.type.getElementType());
  return reshape(builder, location, result, constant.type);
}
