//===- Pipeline.cpp - The whole way from tensors to the LLVM dialect ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Conversion/Passes.h"
#include "mlir/Conversion/TosaToArith/TosaToArith.h"
#include "mlir/Conversion/TosaToLinalg/TosaToLinalg.h"
#include "mlir/Conversion/TosaToTensor/TosaToTensor.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/Parameters/Bufferization.h"

using namespace mlir;

static void simplify(OpPassManager &pm) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void qk::buildHostBufferizePipeline(OpPassManager &pm,
                                    const HostToLLVMOptions &options) {
  buildHostTensorPipeline(pm);
  buildTensorsToBuffersPipeline(pm, options);
}

void qk::buildHostTensorPipeline(OpPassManager &pm) {
  pm.addPass(createCheckKnownOps());
  pm.addPass(createMarkEntryPoints());
  pm.addPass(createLowerObserve());
  OpPassManager &functions = pm.nest<func::FuncOp>();
  functions.addPass(tosa::createTosaToLinalgNamed());
  functions.addPass(tosa::createTosaToLinalg());
  functions.addPass(createTosaToArithPass());
  functions.addPass(createTosaToTensorPass());
  functions.addPass(createConvertElementwiseToLinalgPass());
  // Sizes first: most conditions that exporters write are decidable.
  pm.addNestedPass<func::FuncOp>(arith::createIntRangeOptimizationsPass());
  simplify(pm);
  pm.addNestedPass<func::FuncOp>(createSimplifyShapes());
  simplify(pm);
  pm.addNestedPass<func::FuncOp>(createCheckBounds());
  pm.addNestedPass<func::FuncOp>(createNormalizeContractions());
  // Without dimensions of size one neighbours have the same loops.
  pm.addPass(createLinalgFoldUnitExtentDimsPass());
  simplify(pm);
  pm.addNestedPass<func::FuncOp>(createFuseElementwise());
  simplify(pm);
  // Folding reshapes into operations brought some back.
  pm.addPass(createLinalgFoldUnitExtentDimsPass());
  simplify(pm);
}

void qk::buildTensorsToBuffersPipeline(OpPassManager &pm,
                                       const HostToLLVMOptions &options) {
  pm.addNestedPass<func::FuncOp>(createSplitFills());
  pm.addPass(bufferization::createEmptyTensorToAllocTensorPass());
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  pm.addPass(bufferization::createOneShotBufferizePass(bufferize));
  ExternalizeConstantsOptions externalize;
  externalize.weights.assign(options.weights.begin(), options.weights.end());
  pm.addPass(createExternalizeConstants(externalize));
  simplify(pm);
  bufferization::BufferDeallocationPipelineOptions deallocation;
  bufferization::buildBufferDeallocationPipeline(pm, deallocation);
  // Ownership puts every release at the end of the block, which would keep all
  // intermediate results of a forward alive.
  pm.addNestedPass<func::FuncOp>(
      bufferization::createOptimizeAllocationLivenessPass());
  pm.addPass(createConvertBufferizationToMemRefPass());
  simplify(pm);
  if (options.blas)
    pm.addPass(createContractionsToBLAS());
}

void qk::buildBuffersToLLVMPipeline(OpPassManager &pm,
                                    const HostToLLVMOptions &options) {
  LinalgToParallelLoopsOptions loops;
  if (!options.parallel)
    loops.minWork = std::numeric_limits<int64_t>::max();
  pm.addNestedPass<func::FuncOp>(createLinalgToParallelLoops(loops));
  pm.addPass(createLowerAsserts());
  simplify(pm);
  pm.addPass(createLoopInvariantCodeMotionPass());
  // After everything that may hoist out of a loop or simplify it in its place.
  pm.addPass(createOutlineLoops());
  pm.addPass(createConvertVectorToSCFPass());
  pm.addPass(createConvertSCFToOpenMPPass());
  // Needed in between: memref.alloca_scope fails to verify otherwise.
  pm.addPass(createCanonicalizerPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  // bf16 arithmetic in f32, each result rounded: what LLVM would do as well,
  // but by calls of a compiler's library where the CPU has no bf16
  // instructions.
  math::MathExtendToSupportedTypesOptions extend;
  extend.extraTypeStrs = {"f16"};
  pm.addNestedPass<func::FuncOp>(
      math::createMathExtendToSupportedTypes(extend));
  arith::ArithEmulateUnsupportedFloatsOptions emulate;
  emulate.sourceTypeStrs = {"bf16"};
  emulate.targetTypeStr = "f32";
  pm.addNestedPass<func::FuncOp>(
      arith::createArithEmulateUnsupportedFloats(emulate));
  pm.addNestedPass<func::FuncOp>(createExpandMath());
  simplify(pm);
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToFuncs());
  pm.addPass(createConvertMathToLibmPass());
  ConvertVectorToLLVMPassOptions vector;
  vector.reassociateFPReductions = false;
  pm.addPass(createConvertVectorToLLVMPass(vector));
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createConvertOpenMPToLLVMPass());
  pm.addPass(createConvertToLLVMPass());
  simplify(pm);
  pm.addPass(createReconcileUnrealizedCastsPass());
}

void qk::buildHostToLLVMPipeline(OpPassManager &pm,
                                 const HostToLLVMOptions &options) {
  buildHostBufferizePipeline(pm, options);
  buildBuffersToLLVMPipeline(pm, options);
}

void qk::registerHostToLLVMPipelines() {
  PassPipelineRegistration<HostToLLVMOptions>(
      "quant-llm-host-to-llvm",
      "lower a tensor-level module to the LLVM dialect, contractions as calls "
      "of the runtime",
      buildHostToLLVMPipeline);
}

void qk::registerHostToLLVMExtensions(DialectRegistry &registry) {
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registerParameterBufferization(registry);
}
