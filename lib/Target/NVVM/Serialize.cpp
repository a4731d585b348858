//===- Serialize.cpp - GPU modules to PTX -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/NVVM/Serialize.h"

#include "mlir/Target/LLVM/NVVM/Target.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"

using namespace mlir;

namespace qk::nvvm {

std::optional<BinaryFormat> binaryFormatByName(StringRef name) {
  if (name == "isa")
    return BinaryFormat::Isa;
  if (name == "bin")
    return BinaryFormat::Bin;
  if (name == "fatbin")
    return BinaryFormat::Fatbin;
  return std::nullopt;
}

StringRef binaryFormatSuffix(BinaryFormat format) {
  switch (format) {
  case BinaryFormat::Isa:
    return "ptx";
  case BinaryFormat::Bin:
    return "cubin";
  case BinaryFormat::Fatbin:
    return "fatbin";
  }
  return "";
}

void registerSerialization(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
  NVVM::registerNVVMTargetInterfaceExternalModels(registry);
}

FailureOr<std::string> generatePTX(gpu::GPUModuleOp module) {
  ArrayAttr targets = module.getTargetsAttr();
  if (!targets || targets.size() != 1)
    return module.emitError("expected one target on the kernel module, got ")
           << (targets ? targets.size() : 0);
  auto target = dyn_cast<gpu::TargetAttrInterface>(targets[0]);
  if (!target)
    return module.emitError("the kernel module's target can't be serialised "
                            "to: ")
           << targets[0];
  gpu::TargetOptions options(/*toolkitPath=*/"", /*librariesToLink=*/{},
                             /*cmdOptions=*/"", /*elfSection=*/"",
                             gpu::CompilationTarget::Assembly);
  std::optional<SmallVector<char, 0>> bytes =
      target.serializeToObject(module, options);
  if (!bytes)
    return module.emitError("LLVM's NVPTX back end made no PTX of the kernels");
  std::string ptx(bytes->begin(), bytes->end());
  while (!ptx.empty() && ptx.back() == '\0')
    ptx.pop_back();
  return ptx;
}

} // namespace qk::nvvm
