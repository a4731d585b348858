//===- SerializeNVVMKernels.cpp - The kernel module compiled ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Artifacts.h"

#include "qk/Conversion/NVVM/Passes.h"
#include "qk/Target/NVVM/KernelBuilder.h"
#include "qk/Target/NVVM/Serialize.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Pass/PassManager.h"

namespace qk {
#define GEN_PASS_DEF_SERIALIZENVVMKERNELS
#include "qk/Conversion/NVVM/Passes.h.inc"
} // namespace qk

using namespace mlir;
using namespace qk;
using namespace qk::nvvm;

namespace {

struct SerializeNVVMKernels
    : qk::impl::SerializeNVVMKernelsBase<SerializeNVVMKernels> {
  using SerializeNVVMKernelsBase::SerializeNVVMKernelsBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    registerSerialization(registry);
    OpPassManager lower(gpu::GPUModuleOp::getOperationName());
    buildKernelLoweringPipeline(lower);
    lower.getDependentDialects(registry);
    registry.insert<gpu::GPUDialect, LLVM::LLVMDialect, NVVM::NVVMDialect>();
  }

  void runOnOperation() override {
    std::optional<BinaryFormat> known = binaryFormatByName(format);
    if (!known) {
      getOperation().emitError("unknown format '")
          << format << "', expected isa, bin or fatbin";
      return signalPassFailure();
    }
    auto kernels =
        getOperation().lookupSymbol<gpu::GPUModuleOp>(kKernelModuleName);
    if (kernels && failed(serialize(kernels, *known)))
      signalPassFailure();
  }

private:
  LogicalResult serialize(gpu::GPUModuleOp kernels, BinaryFormat known) {
    OpPassManager lower(gpu::GPUModuleOp::getOperationName());
    buildKernelLoweringPipeline(lower);
    if (failed(runPipeline(lower, kernels)))
      return failure();
    FailureOr<std::string> ptx = generatePTX(kernels);
    if (failed(ptx))
      return failure();
    auto target = cast<NVVM::NVVMTargetAttr>(kernels.getTargetsAttr()[0]);
    FailureOr<std::string> bytes =
        assemble(kernels.getLoc(), *ptx, target.getChip(), known);
    if (failed(bytes))
      return failure();
    if (!artifacts.empty() &&
        failed(writeArtifacts(kernels, target, known, *bytes)))
      return failure();

    OpBuilder b(kernels);
    Location loc = kernels.getLoc();
    if (auto image = getOperation().lookupSymbol<LLVM::GlobalOp>(kImageName)) {
      // The driver finds the end of PTX by a NUL.
      *bytes += '\0';
      b.setInsertionPoint(image);
      auto compiled = LLVM::GlobalOp::create(
          b, loc, LLVM::LLVMArrayType::get(b.getI8Type(), bytes->size()),
          /*isConstant=*/true, LLVM::Linkage::Internal, kImageName,
          b.getStringAttr(*bytes), /*alignment=*/64);
      image.erase();
      (void)compiled;
    } else {
      gpu::CompilationTarget kind =
          known == BinaryFormat::Isa   ? gpu::CompilationTarget::Assembly
          : known == BinaryFormat::Bin ? gpu::CompilationTarget::Binary
                                       : gpu::CompilationTarget::Fatbin;
      auto object = gpu::ObjectAttr::get(&getContext(), target, kind,
                                         b.getStringAttr(*bytes),
                                         /*properties=*/DictionaryAttr(),
                                         /*kernels=*/gpu::KernelTableAttr());
      gpu::BinaryOp::create(b, loc, kernels.getName(),
                            /*offloadingHandler=*/Attribute(),
                            ArrayRef<Attribute>{object});
    }
    kernels.erase();
    return success();
  }

  LogicalResult writeArtifacts(gpu::GPUModuleOp kernels,
                               NVVM::NVVMTargetAttr target, BinaryFormat known,
                               StringRef bytes) {
    Location loc = kernels.getLoc();
    std::string file = ("kernels." + binaryFormatSuffix(known)).str();
    Builder b(&getContext());
    NamedAttrList list;
    list.set("version", b.getI64IntegerAttr(1));
    list.set("chip", b.getStringAttr(target.getChip()));
    list.set("format", b.getStringAttr(format));
    list.set("file", b.getStringAttr(file));
    for (StringRef name : {kKernelsAttr, kFunctionsAttr})
      if (Attribute attribute = kernels->getAttr(name))
        list.set(name.split('.').second, attribute);
    // The description last: where it is, what it describes is there.
    if (failed(writeArtifact(loc, artifacts, file, bytes)))
      return failure();
    return writeArtifact(loc, artifacts, "kernels.json",
                         toJSON(list.getDictionary(&getContext())));
  }
};

} // namespace
