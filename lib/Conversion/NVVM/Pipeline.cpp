//===- Pipeline.cpp - The whole way to GPU code -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/NVVM/Passes.h"
#include "qk/Conversion/Passes.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace qk;

static void addKernels(OpPassManager &pm, const LowerToNVVMOptions &options) {
  EmitNVVMKernelsOptions emit;
  emit.chip = options.chip;
  pm.addPass(createEmitNVVMKernels(emit));
  if (options.model == "device" && options.host != "keep") {
    pm.addPass(createOutlineDeviceLoops({options.chip}));
    pm.addNestedPass<gpu::GPUModuleOp>(createExpandDeviceMath());
    pm.addPass(createBuffersToDevice());
  }
  SerializeNVVMKernelsOptions serialize;
  serialize.format = options.format;
  serialize.artifacts = options.artifacts;
  pm.addPass(createSerializeNVVMKernels(serialize));
}

void qk::buildLowerToNVVMPipeline(OpPassManager &pm,
                                  const LowerToNVVMOptions &options) {
  PackForNVVMOptions pack;
  pack.chip = options.chip;
  pack.host = options.host;
  pack.model = options.model;
  pm.addPass(createPackForNVVM(pack));
  if (options.host == "keep") {
    addKernels(pm, options);
    // Another compiler reads the rest.
    pm.addPass(quant_llm::createParametersToConstantsPass());
    return;
  }

  HostToLLVMOptions host;
  host.weights = options.weights;
  bool onDevice = options.model == "device";
  // Float layers that were raised and not quantised.
  pm.addPass(createQuantLLMToReference({/*plain=*/false}));
  // Products in float stay loops: BLAS would want them on the CPU.
  host.blas = !onDevice;
  buildHostTensorPipeline(pm);
  if (onDevice)
    pm.addPass(createFuseRowQuantizers());
  buildTensorsToBuffersPipeline(pm, host);
  addKernels(pm, options);
  buildBuffersToLLVMPipeline(pm, host);
}
