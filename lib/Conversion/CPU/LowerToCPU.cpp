//===- LowerToCPU.cpp - The whole way to CPU code ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Conversion/CPU/Passes.h"
#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/Passes.h"

#include "mlir/Pass/PassManager.h"

using namespace mlir;

void qk::buildLowerToCPUPipeline(OpPassManager &pm,
                                 const LowerToCPUOptions &options) {
  HostToLLVMOptions host;
  host.weights = options.weights;
  pm.addPass(createPackForCPU({options.activations}));
  // Float layers that were raised and not quantised.
  pm.addPass(createQuantLLMToReference(
      {/*plain=*/options.arithmetic == Arithmetic::Plain}));
  buildHostBufferizePipeline(pm, host);
  EmitCPUKernelsOptions kernels;
  kernels.isa.assign(options.isa.begin(), options.isa.end());
  pm.addPass(createEmitCPUKernels(kernels));
  buildBuffersToLLVMPipeline(pm, host);
}
