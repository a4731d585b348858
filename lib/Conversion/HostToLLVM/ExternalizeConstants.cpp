//===- ExternalizeConstants.cpp - Large constants out of the code ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/DialectResourceBlobManager.h"
#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/HostToLLVM/StorageTypes.h"
#include "qk/Storage/ParameterStore.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

namespace qk {
#define GEN_PASS_DEF_EXTERNALIZECONSTANTS
#include "qk/Conversion/HostToLLVM/Passes.h.inc"
} // namespace qk

using namespace mlir;
using namespace qk;

namespace {
struct ExternalizeConstants
    : qk::impl::ExternalizeConstantsBase<ExternalizeConstants> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (failed(findWeights(module)))
      return signalPassFailure();
    SmallVector<Attribute> externals;
    if (auto present = module->getAttrOfType<ArrayAttr>(externalsAttrName))
      llvm::append_range(externals, present);
    for (auto global : module.getOps<memref::GlobalOp>()) {
      FailureOr<DictionaryAttr> entry = externalize(global);
      if (failed(entry))
        return signalPassFailure();
      if (*entry)
        externals.push_back(*entry);
    }
    if (!externals.empty())
      module->setAttr(externalsAttrName,
                      ArrayAttr::get(&getContext(), externals));
  }

private:
  /// Collects the files to look in. A path in the attribute is relative to the
  /// module's file, one in the option to the working folder.
  LogicalResult findWeights(ModuleOp module) {
    files.clear();
    for (const std::string &path : weights)
      files.push_back(path);
    auto scopes = module->getAttrOfType<DictionaryAttr>("quant_llm.weights");
    if (!scopes)
      return success();
    StringRef moduleFile;
    if (auto where = module.getLoc()->findInstanceOf<FileLineColLoc>())
      moduleFile = where.getFilename().getValue();
    for (NamedAttribute scope : scopes)
      if (auto path = dyn_cast<StringAttr>(scope.getValue()))
        files.push_back(storage::resolvePath(path.getValue(), moduleFile));
    return success();
  }

  /// The entry that says where the bytes of `global` are, null if it stays.
  FailureOr<DictionaryAttr> externalize(memref::GlobalOp global) {
    auto value = dyn_cast_or_null<ElementsAttr>(global.getInitialValueAttr());
    if (!value)
      return DictionaryAttr();
    ShapedType type = value.getShapedType();
    std::optional<storage::DataType> stored =
        storageTypeOf(type.getElementType());
    if (!stored)
      return DictionaryAttr();
    auto resource = dyn_cast<DenseResourceElementsAttr>(value);
    bool hasData = !resource || resource.getRawHandle().getBlob();
    int64_t bytes = type.getNumElements() * storage::byteWidth(*stored);
    if (hasData && bytes <= threshold)
      return DictionaryAttr();

    Builder builder(&getContext());
    SmallVector<NamedAttribute> entry = {
        builder.getNamedAttr("symbol", global.getSymNameAttr())};
    if (hasData) {
      entry.push_back(builder.getNamedAttr("value", asBytes(value)));
    } else {
      FailureOr<storage::Parameter> found =
          lookUp(global, resource.getRawHandle().getKey(), *stored, type);
      if (failed(found))
        return failure();
      entry.push_back(builder.getNamedAttr(
          "path", builder.getStringAttr(absolute(found->file->path()))));
      entry.push_back(builder.getNamedAttr(
          "offset", builder.getI64IntegerAttr(found->tensor.fileOffset)));
      entry.push_back(builder.getNamedAttr(
          "bytes", builder.getI64IntegerAttr(found->tensor.bytes.size())));
    }
    global.removeInitialValueAttr();
    // Where the data will lie, nobody aligned it for us.
    global.removeAlignmentAttr();
    global.setVisibility(SymbolTable::Visibility::Public);
    return builder.getDictionaryAttr(entry);
  }

  /// Where the module will be written is not known here.
  static std::string absolute(StringRef path) {
    SmallString<128> full = path;
    (void)llvm::sys::fs::make_absolute(full);
    llvm::sys::path::remove_dots(full, /*remove_dot_dot=*/true);
    return full.str().str();
  }

  /// Boolean literals are packed to bits in attributes; buffers hold bytes.
  static ElementsAttr asBytes(ElementsAttr value) {
    auto dense = dyn_cast<DenseIntElementsAttr>(value);
    if (!dense || !dense.getElementType().isInteger(1))
      return value;
    auto type = RankedTensorType::get(dense.getType().getShape(),
                                      IntegerType::get(value.getContext(), 8));
    if (dense.isSplat())
      return DenseElementsAttr::get(
          type, static_cast<int8_t>(dense.getSplatValue<bool>()));
    SmallVector<int8_t> bytes(dense.getValues<bool>());
    return DenseElementsAttr::get(type, ArrayRef<int8_t>(bytes));
  }

  FailureOr<storage::Parameter> lookUp(memref::GlobalOp global, StringRef name,
                                       storage::DataType wanted,
                                       ShapedType type) {
    if (files.empty()) {
      global.emitError("resource '")
          << name
          << "' has no data and no weights are given; use --weights=FILE or "
             "the module attribute quant_llm.weights";
      return failure();
    }
    storage::Parameter found;
    std::string missing;
    for (StringRef path : files) {
      auto file = store->open(path);
      if (!file) {
        global.emitError(llvm::toString(file.takeError()));
        return failure();
      }
      llvm::Expected<storage::Parameter> tensor = (*file)->get(name);
      if (tensor) {
        found = *tensor;
        break;
      }
      missing = llvm::toString(tensor.takeError());
    }
    if (!found.file) {
      global.emitError(missing);
      return failure();
    }
    // A dimension of size one more or less is the same bytes, but somebody's
    // mistake all the same.
    if (!mayReadAs(found.tensor.type, wanted) ||
        found.tensor.shape != type.getShape()) {
      global.emitError(found.file->path())
          << ": tensor '" << name << "': expected "
          << storage::describe(wanted, type.getShape()) << ", got "
          << storage::describe(found.tensor.type, found.tensor.shape);
      return failure();
    }
    return found;
  }

  // A pass is copied for each thread, a store is not.
  std::shared_ptr<storage::ParameterStore> store =
      std::make_shared<storage::ParameterStore>();
  SmallVector<std::string> files;
};
} // namespace
