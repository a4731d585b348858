//===- Lowering.cpp - Pipelines from a recipe to code ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Pipelines/Pipelines.h"

#include "qk/Calibration/Passes.h"

#include "mlir/Pass/PassRegistry.h"

using namespace mlir;
using namespace qk;

void qk::buildEvaluateAndLowerToCPUPipeline(OpPassManager &manager,
                                            const LowerToCPUOptions &options) {
  manager.addPass(calibration::createEvaluatePass());
  buildLowerToCPUPipeline(manager, options);
}

void qk::registerLoweringPipelines(bool shortNames) {
  const char *cpu = "Evaluate recipes and lower the module to the LLVM "
                    "dialect, quantised matmuls as calls of CPU kernels";
  PassPipelineRegistration<LowerToCPUOptions>(
      "quant-llm-lower-to-cpu", cpu, buildEvaluateAndLowerToCPUPipeline);
  if (!shortNames)
    return;
  PassPipelineRegistration<LowerToCPUOptions>(
      "lower-to-cpu", cpu, buildEvaluateAndLowerToCPUPipeline);
}
