//===- qk-plugin.cpp - qk in a compiler that was built without it ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What `mlir-opt --load-dialect-plugin= --load-pass-plugin=` looks for. All
/// names carry the prefix `quant-llm-` (or are those of qk's own dialects), so
/// that none meets one of the host's.
///
//===----------------------------------------------------------------------===//

#include "qk/Pipelines/Pipelines.h"
#include "qk/Pipelines/Register.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

using namespace mlir;

static constexpr const char *kVersion = "0.1.0";

/// A host that is given the plugin twice loads one library and asks it twice;
/// registering a pass twice would end the process.
static void registerPassesOnce() {
  static bool done = [] {
    qk::registerPasses();
    qk::registerMethodPipelines(/*shortNames=*/false);
    qk::registerLoweringPipelines(/*shortNames=*/false);
    return true;
  }();
  (void)done;
}

extern "C" __attribute__((visibility("default"))) PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "qk", kVersion, registerPassesOnce};
}

extern "C" __attribute__((visibility("default"))) DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "qk", kVersion,
          [](DialectRegistry *registry) { qk::registerDialects(*registry); }};
}
