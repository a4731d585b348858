//===- qk-opt.cpp - Runs qk's passes and pipelines ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/Passes.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::registerAllPasses();
  qk::quant_llm::registerQuantLLMPasses();
  qk::registerQKConversionPasses();
  qk::registerHostToLLVMPasses();
  qk::registerHostToLLVMPipelines();
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<qk::quant_llm::QuantLLMDialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "qk: quantisation of language models\n", registry));
}
