//===- MarkEntryPoints.cpp - Keep signatures for callers ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "qk/Conversion/HostToLLVM/Passes.h"

namespace qk {
#define GEN_PASS_DEF_MARKENTRYPOINTS
#include "qk/Conversion/HostToLLVM/Passes.h.inc"
} // namespace qk

using namespace mlir;

/// The names that the locations of the arguments give them, "" for those
/// without; null if none has one.
static ArrayAttr namesOf(func::FuncOp function) {
  Builder builder(function.getContext());
  SmallVector<StringRef> names;
  for (BlockArgument argument : function.getArguments()) {
    auto named = dyn_cast<NameLoc>(argument.getLoc());
    names.push_back(named ? named.getName().getValue() : "");
  }
  if (llvm::all_of(names, [](StringRef name) { return name.empty(); }))
    return {};
  return builder.getStrArrayAttr(names);
}

namespace {
struct MarkEntryPoints : qk::impl::MarkEntryPointsBase<MarkEntryPoints> {
  void runOnOperation() override {
    Builder builder(&getContext());
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal() || !function.isPublic())
        continue;
      function->setAttr(qk::signatureAttrName,
                        TypeAttr::get(function.getFunctionType()));
      function->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(),
                        builder.getUnitAttr());
      if (ArrayAttr names = namesOf(function))
        function->setAttr(qk::argumentNamesAttrName, names);
      // Inputs may be mapped files, and are the caller's in any case.
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        function.setArgAttr(
            i, bufferization::BufferizationDialect::kWritableAttrName,
            builder.getBoolAttr(false));
    }
  }
};
} // namespace
