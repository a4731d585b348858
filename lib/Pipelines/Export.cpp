//===- Export.cpp - Modules for other compilers ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Pipelines/Export.h"

#include "Binding.h"
#include "Registration.h"

#include "qk/Calibration/Passes.h"
#include "qk/Conversion/ExportPasses.h"
#include "qk/Dialect/QuantLLM/Transforms/RaisingPasses.h"

using namespace mlir;
using namespace qk;

void qk::buildToLinalgPipeline(OpPassManager &manager,
                               const ToLinalgOptions &options) {
  addBinding(manager, options.weights);
  manager.addPass(quant_llm::createRaiseQuantizedPass());
  manager.addPass(calibration::createEvaluatePass());
  QuantLLMToLinalgOptions convert;
  convert.parameters = options.parameters;
  convert.outputWeights = options.outputWeights;
  manager.addPass(createQuantLLMToLinalg(convert));
}

void qk::buildToOperatorsPipeline(OpPassManager &manager, StringRef form,
                                  const ToOperatorsOptions &options) {
  // The rest stays as it was: so do its constants, unless files are named.
  if (!options.weights.empty())
    addBinding(manager, options.weights);
  manager.addPass(quant_llm::createRaiseQuantizedPass());
  manager.addPass(calibration::createEvaluatePass());
  QuantLLMToOperatorsOptions convert;
  convert.form = form.str();
  manager.addPass(createQuantLLMToOperators(convert));
  manager.addPass(quant_llm::createParametersToConstantsPass());
}

void qk::registerExportPipelines() {
  registerPipeline<ToOperatorsOptions>(
      "quant-llm-to-torch",
      "Evaluate recipes and write quantised matmuls as "
      "quant.matmul_rhs_group_quant, as torch-mlir lowers it",
      [](OpPassManager &manager, const ToOperatorsOptions &options) {
        buildToOperatorsPipeline(manager, "torch", options);
      });
  registerPipeline<ToOperatorsOptions>(
      "quant-llm-to-onnx",
      "Evaluate recipes and write quantised matmuls as MatMulNBits or "
      "DequantizeLinear, as torch-mlir imports them",
      [](OpPassManager &manager, const ToOperatorsOptions &options) {
        buildToOperatorsPipeline(manager, "onnx", options);
      });
  registerPipeline<ToLinalgOptions>(
      "quant-llm-to-linalg",
      "Evaluate recipes and write quantised matmuls as linalg ops on expanded "
      "groups, as IREE fuses them",
      buildToLinalgPipeline);
}
