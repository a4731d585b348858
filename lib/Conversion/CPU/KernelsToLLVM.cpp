//===- KernelsToLLVM.cpp - A module of kernels to the LLVM dialect --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Conversion/CPU/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void qk::cpu::buildKernelsToLLVMPipeline(OpPassManager &pm,
                                         ArrayRef<std::string> isa,
                                         bool threads) {
  EmitCPUKernelsOptions options;
  options.isa.assign(isa.begin(), isa.end());
  pm.addPass(createEmitCPUKernels(options));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (threads)
    pm.addPass(createConvertSCFToOpenMPPass());
  // In between, or memref.alloca_scope fails to verify.
  pm.addPass(createCanonicalizerPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  pm.addPass(arith::createArithExpandOpsPass(expand));
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createConvertOpenMPToLLVMPass());
  pm.addPass(createConvertToLLVMPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
}
