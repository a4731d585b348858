//===- qk-lsp-server.cpp - Editor support for modules ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HoverReference.h"

#include "qk/Pipelines/Register.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  qk::registerDialects(registry);
  qk::lsp::OutputFilter filter;
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
