//===- Constants.cpp - What counts as a constant --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"

#include "UnlinkedOps.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace qk::quant_llm;

/// The elements that an op of an unlinked dialect holds, by the op's name.
static ElementsAttr getUnlinkedElements(Operation *op) {
  StringRef name = op->getName().getStringRef();
  StringRef attribute;
  if (name == "stablehlo.constant" || name == "torch.vtensor.literal" ||
      name == "onnx.Constant") {
    attribute = "value";
  } else if (name == "torch.operator") {
    auto wrapped = op->getAttrOfType<StringAttr>("name");
    if (wrapped && wrapped.getValue() == "onnx.Constant")
      attribute = "torch.onnx.value";
  }
  return attribute.empty() ? ElementsAttr()
                           : op->getAttrOfType<ElementsAttr>(attribute);
}

/// Takes a string literal as MLIR prints it off the front of `text`.
static std::optional<std::string> takeQuoted(StringRef &text) {
  if (!text.consume_front("\""))
    return std::nullopt;
  std::string result;
  while (!text.empty()) {
    char next = text.front();
    text = text.drop_front();
    if (next == '"')
      return result;
    if (next != '\\') {
      result += next;
      continue;
    }
    if (text.empty())
      return std::nullopt;
    if (text[0] == '\\' || text[0] == '"') {
      result += text[0];
      text = text.drop_front();
    } else if (text.size() >= 2 && llvm::isHexDigit(text[0]) &&
               llvm::isHexDigit(text[1])) {
      result += static_cast<char>(llvm::hexFromNibbles(text[0], text[1]));
      text = text.drop_front(2);
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

/// Scope and name of `#flow.parameter.named<"scope"::"name">` (also of the
/// stream dialect's, and without a scope).
static std::optional<std::pair<std::string, std::string>>
getNamedParameter(OpaqueAttr attribute) {
  StringRef dialect = attribute.getDialectNamespace();
  StringRef text = attribute.getAttrData();
  if ((dialect != "flow" && dialect != "stream") ||
      !text.consume_front("parameter.named<"))
    return std::nullopt;
  std::optional<std::string> scope = takeQuoted(text), name;
  if (!scope)
    return std::nullopt;
  if (text.consume_front("::")) {
    name = takeQuoted(text);
    if (!name)
      return std::nullopt;
  } else {
    name = std::move(scope);
    scope = "";
  }
  // A configuration dictionary may follow.
  if (!text.starts_with(">") && !text.starts_with(","))
    return std::nullopt;
  return std::pair(*scope, *name);
}

Operation *qk::quant_llm::getConstantOp(Operation *op) {
  if (op->getName().getStringRef() != "util.global.load")
    return op;
  auto symbol = op->getAttrOfType<FlatSymbolRefAttr>("global");
  auto module = op->getParentOfType<ModuleOp>();
  if (!symbol || !module)
    return op;
  Operation *global =
      SymbolTable::lookupSymbolIn(module, symbol.getRootReference());
  return global && global->getName().getStringRef() == "util.global" ? global
                                                                     : op;
}

/// What an immutable `util.global` of `type` holds.
static std::optional<ConstantTensor> getGlobal(Operation *global, Type type) {
  if (!global || global->getName().getStringRef() != "util.global" ||
      global->hasAttr("is_mutable"))
    return std::nullopt;
  ConstantTensor constant;
  constant.type = dyn_cast_or_null<RankedTensorType>(type);
  if (!constant.type)
    return std::nullopt;
  Attribute initial = global->getAttr("initial_value");
  constant.value = dyn_cast_or_null<ElementsAttr>(initial);
  if (constant.value)
    return constant;
  auto opaque = dyn_cast_or_null<OpaqueAttr>(initial);
  auto named = opaque ? getNamedParameter(opaque) : std::nullopt;
  if (!named)
    return std::nullopt;
  std::tie(constant.scope, constant.name) = std::move(*named);
  return constant;
}

/// What `load` reads.
static std::optional<ConstantTensor> getLoaded(Operation *load) {
  Operation *global = getConstantOp(load);
  if (global == load)
    return std::nullopt;
  return getGlobal(global, load->getResult(0).getType());
}

DictionaryAttr ParameterBinding::toAttr(MLIRContext *context) const {
  Builder builder(context);
  NamedAttrList entries;
  entries.set("scope", builder.getStringAttr(scope));
  entries.set("name", builder.getStringAttr(name));
  if (transposed)
    entries.set("transposed", builder.getUnitAttr());
  if (converts)
    entries.set("converts", builder.getUnitAttr());
  if (keepsValue)
    entries.set("keeps_value", builder.getUnitAttr());
  return entries.getDictionary(context);
}

ParameterBinding ParameterBinding::fromAttr(DictionaryAttr attribute) {
  ParameterBinding binding;
  if (auto scope = attribute.getAs<StringAttr>("scope"))
    binding.scope = scope.str();
  if (auto name = attribute.getAs<StringAttr>("name"))
    binding.name = name.str();
  binding.transposed = attribute.contains("transposed");
  binding.converts = attribute.contains("converts");
  binding.keepsValue = attribute.contains("keeps_value");
  return binding;
}

void ConstantTensor::bind(const ParameterBinding &binding) {
  scope = binding.scope;
  name = binding.name;
  transposed = binding.transposed;
  converts = binding.converts;
  if (!binding.keepsValue)
    value = {};
}

/// getConstant(), without what binding found.
static std::optional<ConstantTensor> getOwnConstant(Operation *op) {
  ConstantTensor constant;
  if (auto parameter = dyn_cast<ParameterOp>(op)) {
    constant.type = cast<RankedTensorType>(parameter.getType());
    constant.value = parameter.getValueAttr();
    constant.scope = parameter.getScope().str();
    constant.name = parameter.getName().str();
    constant.part = parameter.getPartAttr();
    return constant;
  }
  if (op->isRegistered()) {
    if (!matchPattern(op, m_Constant(&constant.value)))
      return std::nullopt;
  } else if (op->getName().getStringRef() == "util.global.load") {
    std::optional<ConstantTensor> global = getLoaded(op);
    if (!global || !global->value)
      return global;
    constant = std::move(*global);
  } else {
    constant.value = getUnlinkedElements(op);
  }
  if (!constant.value)
    return std::nullopt;
  constant.type = dyn_cast<RankedTensorType>(constant.value.getShapedType());
  if (!constant.type)
    return std::nullopt;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(constant.value))
    constant.name = resource.getRawHandle().getKey().str();
  return constant;
}

static Attribute getKey(MLIRContext *context, const ConstantTensor &constant) {
  // Parameters and resources are known by name, literals by value.
  if (constant.name.empty())
    return constant.value;
  SmallVector<Attribute> key{StringAttr::get(context, constant.scope),
                             StringAttr::get(context, constant.name),
                             TypeAttr::get(constant.type)};
  if (constant.part)
    key.push_back(constant.part);
  return ArrayAttr::get(context, key);
}

PartAttr qk::quant_llm::getConstantPart(const ConstantTensor &constant,
                                        int64_t offset, ArrayRef<int64_t> sizes,
                                        ArrayRef<int64_t> strides) {
  if (constant.part)
    return {};
  SmallVector<int64_t> stored(strides);
  if (constant.transposed) {
    // Element [i,j] of rows x columns is number i + j * rows in the file.
    if (constant.type.getRank() != 2)
      return {};
    int64_t rows = constant.type.getDimSize(0);
    int64_t columns = constant.type.getDimSize(1), inRow = offset % columns;
    for (auto [size, stride] : llvm::zip_equal(sizes, stored)) {
      if (stride % columns == 0) {
        stride /= columns;
        continue;
      }
      inRow += (size - 1) * stride;
      stride *= rows;
    }
    if (inRow >= columns)
      return {};
    offset = offset / columns + offset % columns * rows;
  }
  // As few as say the same.
  SmallVector<int64_t> fewSizes, fewStrides;
  for (auto [size, stride] : llvm::zip_equal(sizes, stored)) {
    if (size == 1)
      continue;
    if (!fewSizes.empty() && fewStrides.back() == size * stride) {
      fewSizes.back() *= size;
      fewStrides.back() = stride;
      continue;
    }
    fewSizes.push_back(size);
    fewStrides.push_back(stride);
  }
  if (fewSizes.empty()) {
    fewSizes.push_back(1);
    fewStrides.push_back(1);
  }
  return PartAttr::get(constant.type.getContext(), offset, fewSizes,
                       fewStrides);
}

std::optional<ConstantTensor> qk::quant_llm::getConstant(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumResults() != 1)
    return std::nullopt;
  std::optional<ConstantTensor> constant = getOwnConstant(op);
  if (!constant || op->isRegistered())
    return constant;
  if (auto binding =
          getConstantOp(op)->getAttrOfType<DictionaryAttr>(kBindingAttr))
    constant->bind(ParameterBinding::fromAttr(binding));
  return constant;
}

Attribute qk::quant_llm::getConstantKey(Value value) {
  std::optional<ConstantTensor> constant = getConstant(value);
  return constant ? getKey(value.getContext(), *constant) : Attribute();
}

Attribute qk::quant_llm::getGlobalKey(Operation *global) {
  auto type = global->getAttrOfType<TypeAttr>("type");
  std::optional<ConstantTensor> constant =
      getGlobal(global, type ? type.getValue() : Type());
  if (auto binding = global->getAttrOfType<DictionaryAttr>(kBindingAttr);
      constant && binding)
    constant->bind(ParameterBinding::fromAttr(binding));
  return constant && !constant->value ? getKey(global->getContext(), *constant)
                                      : Attribute();
}

bool qk::quant_llm::isConstant(Value value) {
  return getConstant(value).has_value();
}

/// Whether all that the results of `op` depend on is what it reads.
static bool isFunctionOfInputs(Operation *op) {
  // What a function makes of constants is as fixed as they are.
  if (op->isRegistered())
    return isMemoryEffectFree(op) || isa<func::CallOp>(op);
  return op->getNumRegions() == 0 &&
         (op->getNumOperands() > 0 ||
          getUnlinkedKind(op) == UnlinkedKind::Constant);
}

bool qk::quant_llm::isMadeOfConstants(Value value) {
  // A row or a column is a table of frequencies, say, and no weight.
  RankedTensorType type = getTensorType(value);
  if (!type || type.getRank() < 2 ||
      llvm::is_contained(type.getShape().take_back(2), int64_t(1)))
    return false;
  constexpr size_t kMost = 64;
  llvm::SetVector<Value> seen;
  seen.insert(value);
  bool hasTensor = false;
  for (size_t i = 0; i < seen.size(); ++i) {
    if (isConstant(seen[i])) {
      hasTensor = true;
      continue;
    }
    Operation *op = seen[i].getDefiningOp();
    if (!op || !isFunctionOfInputs(op))
      return false;
    seen.insert_range(op->getOperands());
    getUsedValuesDefinedAbove(op->getRegions(), seen);
    if (seen.size() > kMost)
      return false;
  }
  return hasTensor;
}
