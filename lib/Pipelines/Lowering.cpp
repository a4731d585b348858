//===- Lowering.cpp - Pipelines from a recipe to code ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Pipelines/Pipelines.h"

#include "Binding.h"
#include "Registration.h"

#include "qk/Calibration/Passes.h"
#include "qk/Dialect/QuantLLM/Transforms/RaisingPasses.h"
#include "qk/Pipelines/Export.h"

using namespace mlir;
using namespace qk;

void qk::buildEvaluateAndLowerToCPUPipeline(OpPassManager &manager,
                                            const LowerToCPUOptions &options) {
  addBinding(manager, options.weights);
  manager.addPass(quant_llm::createRaiseQuantizedPass());
  manager.addPass(calibration::createEvaluatePass());
  buildLowerToCPUPipeline(manager, options);
}

void qk::buildEvaluateAndLowerToNVVMPipeline(
    OpPassManager &manager, const LowerToNVVMOptions &options) {
  // host=keep leaves everything but the matmuls as it is.
  if (options.host != "keep")
    addBinding(manager, options.weights);
  manager.addPass(quant_llm::createRaiseQuantizedPass());
  manager.addPass(calibration::createEvaluatePass());
  buildLowerToNVVMPipeline(manager, options);
}

void qk::registerLoweringPipelines(bool shortNames) {
  registerExportPipelines();
  const char *cpu = "Evaluate recipes and lower the module to the LLVM "
                    "dialect, quantised matmuls as calls of CPU kernels";
  registerPipeline<LowerToCPUOptions>("quant-llm-lower-to-cpu", cpu,
                                      buildEvaluateAndLowerToCPUPipeline);
  const char *nvvm = "Evaluate recipes and compile quantised matmuls to GPU "
                     "kernels; the rest becomes host code that launches them "
                     "(host=keep: stays)";
  registerPipeline<LowerToNVVMOptions>("quant-llm-lower-to-nvvm", nvvm,
                                       buildEvaluateAndLowerToNVVMPipeline);
  if (!shortNames)
    return;
  registerPipeline<LowerToCPUOptions>("lower-to-cpu", cpu,
                                      buildEvaluateAndLowerToCPUPipeline);
  registerPipeline<LowerToNVVMOptions>("lower-to-nvvm", nvvm,
                                       buildEvaluateAndLowerToNVVMPipeline);
}
