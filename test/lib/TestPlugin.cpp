//===- TestPlugin.cpp - A pass of somebody else's -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

using namespace mlir;

namespace {
struct MarkModule : public PassWrapper<MarkModule, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(MarkModule)

  StringRef getArgument() const final { return "test-mark-module"; }
  StringRef getDescription() const final { return "sets test.marked"; }
  void runOnOperation() override {
    getOperation()->setAttr("test.marked", UnitAttr::get(&getContext()));
  }
};
} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "qk-test", "1",
          [] { PassRegistration<MarkModule>(); }};
}
