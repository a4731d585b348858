//===- Register.cpp - Everything qk has, for a tool -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Pipelines/Register.h"

#include "qk/Calibration/Passes.h"
#include "qk/Conversion/CPU/Passes.h"
#include "qk/Conversion/ExportPasses.h"
#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/NVVM/Passes.h"
#include "qk/Conversion/Passes.h"
#include "qk/Dialect/Kernel/Passes.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"
#include "qk/Dialect/QuantLLM/Transforms/RaisingPasses.h"

void qk::registerDialects(mlir::DialectRegistry &registry) {
  registry.insert<quant_llm::QuantLLMDialect>();
  registerHostToLLVMExtensions(registry);
  registerCPUConversionExtensions(registry);
}

void qk::registerPasses() {
  quant_llm::registerQuantLLMPasses();
  quant_llm::registerQuantLLMRaisingPasses();
  calibration::registerQKCalibrationPasses();
  registerQKConversionPasses();
  registerQKExportPasses();
  registerHostToLLVMPasses();
  registerHostToLLVMPipelines();
  registerCPUConversionPasses();
  registerNVVMConversionPasses();
  kernel::registerKernelPasses();
}
