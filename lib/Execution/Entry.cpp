//===- Entry.cpp - What of a lowered module can be called
//------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/HostToLLVM/StorageTypes.h"
#include "qk/Execution/Executable.h"
#include "qk/Storage/ParameterStore.h"

using namespace mlir;
using namespace qk;
using storage::makeError;

static llvm::Expected<TensorSpec> tensorTypeOf(Type type, StringRef name) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  std::optional<storage::DataType> element;
  if (tensor)
    element = storageTypeOf(tensor.getElementType());
  if (!element) {
    std::string text;
    llvm::raw_string_ostream(text) << type;
    return makeError("function '" + name + "': type " + text +
                     " in its signature is not supported (expected ranked "
                     "tensors of f16, bf16, f32, f64, i1, i8 to i64 or index)");
  }
  TensorSpec result{*element, {}};
  for (int64_t size : tensor.getShape())
    result.shape.push_back(ShapedType::isDynamic(size) ? -1 : size);
  return result;
}

llvm::Error Executable::readEntries(ModuleOp module) {
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    auto signature = function->getAttrOfType<TypeAttr>(signatureAttrName);
    if (!signature || function.isExternal() ||
        function.getName().starts_with("_mlir_ciface_"))
      continue;
    auto type = dyn_cast<FunctionType>(signature.getValue());
    if (!type)
      return makeError("function '" + function.getName() +
                       "': " + signatureAttrName + " is not a function type");
    Entry entry{function.getName().str(), {}, {}, {}};
    if (auto names = function->getAttrOfType<ArrayAttr>(argumentNamesAttrName))
      for (Attribute name : names)
        entry.argumentNames.push_back(
            isa<StringAttr>(name) ? cast<StringAttr>(name).str() : "");
    for (auto [types, list] : {std::pair(type.getInputs(), &entry.arguments),
                               std::pair(type.getResults(), &entry.results)})
      for (Type each : types) {
        llvm::Expected<TensorSpec> tensor = tensorTypeOf(each, entry.name);
        if (!tensor)
          return tensor.takeError();
        list->push_back(std::move(*tensor));
      }
    allEntries.push_back(std::move(entry));
  }
  if (allEntries.empty())
    return makeError("the module has no public function with the attribute " +
                     signatureAttrName + ": nothing to run");
  return llvm::Error::success();
}

llvm::Expected<const Entry *> Executable::entry(StringRef name) const {
  if (name.empty() && allEntries.size() == 1)
    return &allEntries.front();
  std::string known;
  for (const Entry &entry : allEntries) {
    if (entry.name == name)
      return &entry;
    known += (known.empty() ? "" : ", ") + entry.name;
  }
  if (name.empty())
    return makeError("the module has several functions to run (" + known +
                     "); choose one with --entry");
  return makeError("no function '" + name + "' to run; there is " + known);
}

std::vector<execution::SampleArgument> Entry::sampleArguments() const {
  std::vector<execution::SampleArgument> list;
  for (auto [index, argument] : llvm::enumerate(arguments)) {
    execution::SampleArgument &each = list.emplace_back();
    if (index < argumentNames.size())
      each.name = argumentNames[index];
    each.type = argument.type;
    each.shape.assign(argument.shape.begin(), argument.shape.end());
  }
  return list;
}

std::vector<Tensor> qk::tensorsOf(const execution::Sample &sample) {
  std::vector<Tensor> tensors;
  for (const execution::SampleTensor &argument : sample.arguments) {
    Tensor &tensor = tensors.emplace_back();
    tensor.type = argument.type;
    tensor.shape.assign(argument.shape.begin(), argument.shape.end());
    tensor.data = argument.bytes.data();
  }
  return tensors;
}

llvm::Error qk::checkArgument(const TensorSpec &expected, const Tensor &got,
                              const Twine &what) {
  bool matches = mayReadAs(got.type, expected.type) &&
                 got.shape.size() == expected.shape.size();
  if (matches)
    for (auto [want, have] : llvm::zip_equal(expected.shape, got.shape))
      matches &= want < 0 || want == have;
  if (matches)
    return llvm::Error::success();
  return makeError(what + ": expected " + expected.describe() + ", got " +
                   got.describe());
}
