//===- ExportedTensors.cpp - Parameters of an exported module -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExportedTensors.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Numerics/BitPacking.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

/// What malloc gives; see ResultWriter.cpp.
static constexpr size_t kBlobAlignment = 16;

ExportedTensors::ExportedTensors(ModuleOp module, bool named, StringRef path)
    : module(module), named(named), path(path.str()) {}

LogicalResult ExportedTensors::fail(llvm::Error error) {
  return emitError(module.getLoc())
         << "can't write the parameters: " << llvm::toString(std::move(error));
}

static unsigned bitsOf(RankedTensorType type) {
  return type.getElementTypeBitWidth();
}

LogicalResult ExportedTensors::declare(Location location, StringRef name,
                                       RankedTensorType type) {
  if (!named)
    return success();
  if (path.empty())
    return emitError(location)
           << "'" << name << "' as " << type
           << " is in no file of the module; expected output-weights=FILE."
              "safetensors to write it to";
  if (!file)
    file.emplace(path);
  storage::DataType dataType = storage::DataType::U8;
  SmallVector<int64_t> shape(type.getShape());
  if (bitsOf(type) < 8)
    // Dense over the whole tensor, as IREE has such elements in memory.
    shape = {(type.getNumElements() * bitsOf(type) + 7) / 8};
  else
    dataType = *getDataType(type.getElementType());
  if (llvm::Error error = file->declare(name, dataType, shape))
    return fail(std::move(error));
  return success();
}

FailureOr<Value> ExportedTensors::create(OpBuilder &builder, Location location,
                                         StringRef name, RankedTensorType type,
                                         ArrayRef<uint8_t> elements) {
  ElementsAttr value;
  if (file) {
    std::vector<uint8_t> packed;
    if (bitsOf(type) < 8) {
      packed =
          numerics::packRows(elements.data(), 1, elements.size(), bitsOf(type));
      elements = packed;
    }
    if (llvm::Error error = file->write(name, elements))
      return fail(std::move(error));
  } else {
    ArrayRef<char> chars(reinterpret_cast<const char *>(elements.data()),
                         elements.size());
    value = DenseResourceElementsAttr::get(
        type, name,
        HeapAsmResourceBlob::allocateAndCopyWithAlign(chars, kBlobAlignment,
                                                      /*dataIsMutable=*/false));
  }
  known[name] = {value, type};
  return load(builder, location, name);
}

Value ExportedTensors::load(OpBuilder &builder, Location location,
                            StringRef name) {
  auto [value, type] = known.lookup(name);
  if (value)
    return arith::ConstantOp::create(builder, location, cast<TypedAttr>(value));
  return loadGlobal(builder, location, kScope, name, type);
}

FailureOr<Value> ExportedTensors::take(OpBuilder &builder, ParameterOp op,
                                       RankedTensorType type) {
  if (ElementsAttr value = op.getValueAttr())
    return arith::ConstantOp::create(builder, op.getLoc(),
                                     cast<TypedAttr>(value))
        .getResult();
  // Also where the bytes are not needed, they must be there.
  FailureOr<ParameterData> data = getParameterData(op);
  if (failed(data))
    return failure();
  if (named)
    return loadGlobal(builder, op.getLoc(), op.getScope(), op.getName(), type);
  std::string key = (op.getScope() + "::" + op.getName()).str();
  auto &entry = known[key];
  if (!entry.first || entry.second != type) {
    ArrayRef<char> chars(reinterpret_cast<const char *>(data->bytes.data()),
                         data->bytes.size());
    entry = {DenseResourceElementsAttr::get(
                 type, op.getName(),
                 HeapAsmResourceBlob::allocateAndCopyWithAlign(
                     chars, kBlobAlignment, /*dataIsMutable=*/false)),
             type};
  }
  return load(builder, op.getLoc(), key);
}

/// `text` in quotes, as the parser of attributes reads it.
static std::string quoted(StringRef text) {
  std::string result;
  llvm::raw_string_ostream stream(result);
  stream << '"';
  llvm::printEscapedString(text, stream);
  stream << '"';
  return result;
}

Value ExportedTensors::loadGlobal(OpBuilder &builder, Location location,
                                  StringRef scope, StringRef name,
                                  RankedTensorType type) {
  MLIRContext *context = builder.getContext();
  std::string data =
      "parameter.named<" + quoted(scope) + "::" + quoted(name) + ">";
  std::string key = data;
  llvm::raw_string_ostream(key) << type;
  FlatSymbolRefAttr &symbol = globals[key];
  if (!symbol) {
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    OperationState state(location, "util.global");
    SymbolTable table(module);
    std::string unique = name.str();
    for (unsigned i = 1; table.lookup(unique); ++i)
      unique = (name + "_" + Twine(i)).str();
    symbol = FlatSymbolRefAttr::get(context, unique);
    state.propertiesAttr = top.getDictionaryAttr(
        {top.getNamedAttr(
             "initial_value",
             OpaqueAttr::get(StringAttr::get(context, "flow"), data, type)),
         top.getNamedAttr("sym_name", top.getStringAttr(unique)),
         top.getNamedAttr("sym_visibility", top.getStringAttr("private")),
         top.getNamedAttr("type", TypeAttr::get(type))});
    top.create(state);
  }
  OperationState state(location, "util.global.load");
  state.addTypes(type);
  state.propertiesAttr =
      builder.getDictionaryAttr(builder.getNamedAttr("global", symbol));
  return builder.create(state)->getResult(0);
}

LogicalResult ExportedTensors::commit() {
  if (!file)
    return success();
  if (llvm::Error error = file->commit())
    return fail(std::move(error));
  recordWeights(module, kScope, path);
  return success();
}
