//===- Bufferization.cpp - Parameters as external symbols -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Conversion/Parameters/Bufferization.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace qk::quant_llm;

namespace {

/// On the global: the parameter it is, so that a second op of the same name
/// finds it.
constexpr llvm::StringLiteral kParameterAttr = "quant_llm.parameter";

struct ParameterModel
    : BufferizableOpInterface::ExternalModel<ParameterModel, ParameterOp> {
  bool bufferizesToAllocation(Operation *, Value) const { return false; }

  AliasingOpOperandList getAliasingOpOperands(Operation *, Value,
                                              const AnalysisState &) const {
    return {};
  }

  bool isWritable(Operation *, Value, const AnalysisState &) const {
    return false;
  }

  FailureOr<BufferLikeType> getBufferType(Operation *op, Value value,
                                          const BufferizationOptions &,
                                          const BufferizationState &,
                                          SmallVector<Value> &) const {
    return cast<BufferLikeType>(globalType(cast<ParameterOp>(op)));
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &,
                          BufferizationState &state) const {
    auto parameter = cast<ParameterOp>(op);
    if (parameter.getStorageType() != parameter.getResult().getType())
      return op->emitError("expected elements of at least 8 bits in ")
             << parameter.getResult().getType()
             << "; pack or unpack sub-byte parameters before bufferization";
    FailureOr<memref::GlobalOp> global =
        findOrCreate(parameter, rewriter, state.getSymbolTables());
    if (failed(global))
      return failure();
    replaceOpWithNewBufferizedOp<memref::GetGlobalOp>(
        rewriter, op, global->getType(), global->getSymName());
    return success();
  }

private:
  static MemRefType globalType(ParameterOp op) {
    auto type = cast<RankedTensorType>(op.getResult().getType());
    return MemRefType::get(type.getShape(), type.getElementType());
  }

  static FailureOr<memref::GlobalOp>
  findOrCreate(ParameterOp op, RewriterBase &rewriter,
               SymbolTableCollection &tables) {
    auto module = op->getParentOfType<ModuleOp>();
    SymbolTable &table = tables.getSymbolTable(module);
    PartAttr part = op.getPartAttr();
    SmallVector<Attribute> names{op.getScopeAttr(), op.getNameAttr()};
    if (part)
      names.push_back(part);
    ArrayAttr identity = rewriter.getArrayAttr(names);
    for (auto global : module.getOps<memref::GlobalOp>())
      if (global->getAttr(kParameterAttr) == identity &&
          global.getType() == globalType(op) &&
          (part || global.getInitialValueAttr() == op.getValueAttr()))
        return global;

    ElementsAttr value = op.getValueAttr();
    if (part) {
      // No file has its bytes as they are.
      FailureOr<ElementsAttr> read = readPart(op);
      if (failed(read))
        return failure();
      value = *read;
    }
    std::string symbol = "qk_";
    if (!op.getScope().empty())
      symbol += (op.getScope() + "_").str();
    symbol += op.getName();
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(module.getBody());
    bool isInline = static_cast<bool>(value);
    DictionaryAttr external;
    if (!isInline) {
      FailureOr<ParameterData> data = getParameterData(op);
      if (failed(data))
        return failure();
      external = rewriter.getDictionaryAttr(
          {rewriter.getNamedAttr("path",
                                 rewriter.getStringAttr(data->file->path())),
           rewriter.getNamedAttr("offset",
                                 rewriter.getI64IntegerAttr(data->fileOffset)),
           rewriter.getNamedAttr(
               "bytes", rewriter.getI64IntegerAttr(data->bytes.size()))});
    }
    auto global = memref::GlobalOp::create(
        rewriter, op.getLoc(), symbol,
        rewriter.getStringAttr(isInline ? "private" : "public"), globalType(op),
        value, /*constant=*/true,
        /*alignment=*/IntegerAttr());
    global->setAttr(kParameterAttr, identity);
    table.insert(global); // Renames it where the symbol is taken.
    if (external)
      addExternal(module, global, external);
    return global;
  }

  static void addExternal(ModuleOp module, memref::GlobalOp global,
                          DictionaryAttr where) {
    SmallVector<Attribute> externals;
    if (auto present =
            module->getAttrOfType<ArrayAttr>(QuantLLMDialect::kExternalsAttr))
      llvm::append_range(externals, present);
    NamedAttrList entry(where);
    entry.set("symbol", global.getSymNameAttr());
    externals.push_back(entry.getDictionary(module.getContext()));
    module->setAttr(QuantLLMDialect::kExternalsAttr,
                    ArrayAttr::get(module.getContext(), externals));
  }
};

} // namespace

void qk::registerParameterBufferization(DialectRegistry &registry) {
  registry.insert<memref::MemRefDialect>();
  registry.addExtension(+[](MLIRContext *context, QuantLLMDialect *) {
    context->loadDialect<memref::MemRefDialect>();
    ParameterOp::attachInterface<ParameterModel>(*context);
  });
}
