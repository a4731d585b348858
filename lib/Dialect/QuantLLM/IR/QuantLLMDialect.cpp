//===- QuantLLMDialect.cpp - The quant_llm dialect ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Storage/ParameterStore.h"

#include "mlir/Bytecode/BytecodeImplementation.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Transforms/InliningUtils.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

#include "qk/Dialect/QuantLLM/IR/QuantLLMDialect.cpp.inc"

namespace {

/// The bytecode version of the dialect. Raise it with every change of an op
/// or attribute that old bytecode must be upgraded for.
struct Version : public DialectVersion {
  uint64_t number = 1;
};

/// Attributes are written in their text form; what matters here is that the
/// version travels, so that bytecode of a newer qk is refused with a reason.
struct BytecodeInterface : public BytecodeDialectInterface {
  BytecodeInterface(Dialect *dialect) : BytecodeDialectInterface(dialect) {}

  void writeVersion(DialectBytecodeWriter &writer) const override {
    writer.writeVarInt(Version().number);
  }

  std::unique_ptr<DialectVersion>
  readVersion(DialectBytecodeReader &reader) const override {
    auto version = std::make_unique<Version>();
    if (failed(reader.readVarInt(version->number)))
      return nullptr;
    if (version->number > Version().number) {
      reader.emitError() << "bytecode has version " << version->number
                         << " of the quant_llm dialect, this qk reads up to "
                         << Version().number
                         << "; print the module as text with the newer qk";
      return nullptr;
    }
    return version;
  }
};

/// No op depends on the function that it is in.
struct Inlining : public DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;

  bool isLegalToInline(Operation *, Region *, bool,
                       IRMapping &) const override {
    return true;
  }
};

} // namespace

void QuantLLMDialect::initialize() {
  store = std::make_shared<storage::ParameterStore>();
  registerAttributes();
  registerOps();
  addInterfaces<BytecodeInterface, Inlining>();
}

/// A dictionary of strings.
static LogicalResult checkStrings(Operation *op, NamedAttribute attr) {
  auto dictionary = dyn_cast<DictionaryAttr>(attr.getValue());
  if (!dictionary)
    return op->emitOpError()
           << "expected attribute " << attr.getName().strref()
           << " to be a dictionary of strings, got " << attr.getValue();
  for (NamedAttribute entry : dictionary)
    if (!isa<StringAttr>(entry.getValue()))
      return op->emitOpError() << "expected entry '" << entry.getName().strref()
                               << "' of attribute " << attr.getName().strref()
                               << " to be a string, got " << entry.getValue();
  return success();
}

/// An array of {symbol, path, offset, bytes} or {symbol, value}.
static LogicalResult checkExternals(Operation *op, NamedAttribute attr) {
  auto array = dyn_cast<ArrayAttr>(attr.getValue());
  if (!array)
    return op->emitOpError()
           << "expected attribute " << attr.getName().strref()
           << " to be an array of dictionaries, got " << attr.getValue();
  for (auto [i, entry] : llvm::enumerate(array)) {
    auto dictionary = dyn_cast<DictionaryAttr>(entry);
    auto isCount = [&](StringRef key) {
      auto number = dictionary.getAs<IntegerAttr>(key);
      return number && number.getValue().isNonNegative();
    };
    bool valid = dictionary && dictionary.getAs<StringAttr>("symbol") &&
                 (dictionary.getAs<ElementsAttr>("value") ||
                  (dictionary.getAs<StringAttr>("path") && isCount("offset") &&
                   isCount("bytes")));
    if (!valid)
      return op->emitOpError()
             << "expected entry " << i << " of attribute "
             << attr.getName().strref()
             << " to be {symbol, path, offset, bytes} or {symbol, value}, got "
             << entry;
  }
  return success();
}

/// Checks the dialect's attributes on a module.
LogicalResult QuantLLMDialect::verifyOperationAttribute(Operation *op,
                                                        NamedAttribute attr) {
  StringRef name = attr.getName().strref();
  if (name != kWeightsAttr && name != kCalibrationAttr &&
      name != kRecipeOnlyAttr && name != kExternalsAttr &&
      name != kEvaluateAttr)
    return success();
  if (!isa<ModuleOp>(op))
    return op->emitOpError()
           << "has attribute " << name << ", which belongs on a module";
  if (name == kExternalsAttr)
    return checkExternals(op, attr);
  if (name == kRecipeOnlyAttr) {
    if (isa<UnitAttr>(attr.getValue()))
      return success();
    return op->emitOpError() << "expected attribute " << name
                             << " without a value, got " << attr.getValue();
  }
  if (name == kEvaluateAttr) {
    if (isa<DictionaryAttr>(attr.getValue()))
      return success();
    return op->emitOpError() << "expected attribute " << name
                             << " to be a dictionary, got " << attr.getValue();
  }
  return checkStrings(op, attr);
}
