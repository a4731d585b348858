//===- KernelBuilder.cpp - GPU kernels as IR --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/NVVM/KernelBuilder.h"

#include "Kernels.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace qk::nvvm {

static llvm::StringRef ref(std::string_view text) {
  return {text.data(), text.size()};
}

Type mlirType(MLIRContext *context, ElementType type) {
  switch (type) {
  case ElementType::F16:
    return Float16Type::get(context);
  case ElementType::BF16:
    return BFloat16Type::get(context);
  case ElementType::F32:
    return Float32Type::get(context);
  }
  return {};
}

gpu::GPUModuleOp createKernelModule(OpBuilder &builder, Location loc,
                                    StringRef name, const Chip &chip) {
  auto target = NVVM::NVVMTargetAttr::get(builder.getContext(), /*optLevel=*/3,
                                          "nvptx64-nvidia-cuda", ref(chip.name),
                                          ref(chip.ptxFeature));
  return gpu::GPUModuleOp::create(builder, loc, name,
                                  ArrayRef<Attribute>{target});
}

/// Has the module's PTX be of a version that multiplies e4m3 by mma.sync
/// (8.4). That of other modules stays the oldest that knows the chip, as older
/// drivers read it.
static void requirePtxOfFloat8(gpu::GPUModuleOp module) {
  constexpr int version = 84;
  constexpr StringLiteral prefix = "+ptx";
  auto target = cast<NVVM::NVVMTargetAttr>((*module.getTargets())[0]);
  StringRef feature = target.getFeatures();
  int has = 0;
  if (!feature.consume_front(prefix) || feature.getAsInteger(10, has) ||
      has >= version)
    return;
  module.setTargetsAttr(ArrayAttr::get(
      module.getContext(),
      NVVM::NVVMTargetAttr::get(module.getContext(), target.getO(),
                                target.getTriple(), target.getChip(),
                                (prefix + Twine(version)).str())));
}

gpu::GPUFuncOp buildKernel(gpu::GPUModuleOp module, Location loc,
                           const KernelChoice &choice) {
  std::string name = choice.name();
  if (auto existing = module.lookupSymbol<gpu::GPUFuncOp>(name))
    return existing;
  if (choice.problem.scheme.isFloat())
    requirePtxOfFloat8(module);

  OpBuilder outer = OpBuilder::atBlockEnd(module.getBody());
  Emitter e(loc, outer);
  Type pointer = LLVM::LLVMPointerType::get(
      e.getContext(), static_cast<unsigned>(NVVM::NVVMMemorySpace::Global));
  Type i32 = e.getI32Type();
  SmallVector<Type> inputs{pointer, pointer};
  if (choice.problem.hasPermutation)
    inputs.push_back(pointer);
  if (choice.problem.bias)
    inputs.push_back(pointer);
  if (choice.problem.int8Activations)
    inputs.push_back(pointer);
  size_t yIndex = inputs.size();
  inputs.push_back(pointer);
  if (choice.hasWorkspace())
    inputs.push_back(pointer);
  inputs.append({i32, i32});

  auto space =
      gpu::AddressSpaceAttr::get(e.getContext(), gpu::AddressSpace::Workgroup);
  auto shared = MemRefType::get({choice.sharedBytes() / 4}, e.getF32Type(),
                                MemRefLayoutAttrInterface(), space);
  auto kernel = gpu::GPUFuncOp::create(e, name, e.getFunctionType(inputs, {}),
                                       choice.usesMma() ? TypeRange()
                                                        : TypeRange{shared});
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), e.getUnitAttr());
  int32_t threads = int32_t(choice.threads());
  // Becomes .maxntid, by which ptxas knows the registers a thread can have.
  kernel.setKnownBlockSizeAttr(e.getDenseI32ArrayAttr({threads, 1, 1}));
  // Said outright: left alone, ptxas spills a few bytes for more occupancy.
  kernel->setAttr(NVVM::NVVMDialect::getMaxnregAttrName(),
                  e.getI32IntegerAttr(choice.maxRegisters()));
  if (!choice.usesMma())
    kernel.setWorkgroupAttributionAttr(0, LLVM::LLVMDialect::getAlignAttrName(),
                                       e.getI64IntegerAttr(128));
  // Not the workspace, which other blocks write, too.
  for (size_t i = 0; i <= yIndex; ++i) {
    kernel.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                      e.getUnitAttr());
    if (i < yIndex)
      kernel.setArgAttr(i, LLVM::LLVMDialect::getReadonlyAttrName(),
                        e.getUnitAttr());
  }

  e.setInsertionPointToStart(&kernel.getBody().front());
  KernelArguments args;
  auto blockArgs = kernel.getBody().getArguments();
  size_t next = 0;
  args.x = blockArgs[next++];
  args.weight = blockArgs[next++];
  if (choice.problem.hasPermutation)
    args.permutation = blockArgs[next++];
  if (choice.problem.bias)
    args.bias = blockArgs[next++];
  if (choice.problem.int8Activations)
    args.xScales = blockArgs[next++];
  args.y = blockArgs[next++];
  if (choice.hasWorkspace())
    args.workspace = blockArgs[next++];
  args.m = blockArgs[next++];
  args.n = blockArgs[next++];
  switch (choice.family) {
  case KernelFamily::Simt:
    emitSimtKernel(e, kernel, choice, args);
    break;
  case KernelFamily::Decode:
  case KernelFamily::Prefill:
    emitMmaKernel(e, kernel, choice, args);
    break;
  case KernelFamily::Wgmma:
    emitWgmmaKernel(e, kernel, choice, args);
    break;
  }
  gpu::ReturnOp::create(e);
  return kernel;
}

void buildKernelLoweringPipeline(OpPassManager &pm) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createSCFToControlFlowPass());
  // Before the GPU's conversion, which would call NVIDIA's libdevice.
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertGpuOpsToNVVMOps());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertNVVMToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

} // namespace qk::nvvm
