//===- EmitCPUKernels.cpp - Bodies of the declared kernels ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Conversion/CPU/Passes.h"
#include "qk/Dialect/Kernel/Kernel.h"
#include "qk/Dialect/Kernel/Passes.h"
#include "qk/Target/CPU/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

namespace qk {
#define GEN_PASS_DEF_EMITCPUKERNELS
#include "qk/Conversion/CPU/Passes.h.inc"
} // namespace qk

using namespace mlir;
using namespace qk;

namespace {

struct EmitCPUKernels : qk::impl::EmitCPUKernelsBase<EmitCPUKernels> {
  using EmitCPUKernelsBase::EmitCPUKernelsBase;

  void runOnOperation() override {
    SmallVector<cpu::Level> levels;
    if (failed(parseLevels(levels)))
      return signalPassFailure();
    for (auto function :
         llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      if (!function.isDeclaration())
        continue;
      if (auto spec = cpu::kernelSpec(function)) {
        cpu::buildKernel(function, *spec, levels);
      } else if (auto quantizer = cpu::quantizerSpec(function)) {
        cpu::buildQuantizer(function, *quantizer, levels);
      } else if (function->hasAttr("qk_kernel.matmul") ||
                 function->hasAttr("qk_kernel.quantizer")) {
        function.emitError("malformed kernel specification; it must be as "
                           "quant-llm-pack wrote it");
        return signalPassFailure();
      }
    }
    OpPassManager lower(ModuleOp::getOperationName());
    lower.addPass(kernel::createQKKernelLower());
    if (failed(runPipeline(lower, getOperation())))
      signalPassFailure();
  }

  LogicalResult parseLevels(SmallVector<cpu::Level> &levels) {
    for (const std::string &text : isa) {
      auto level = cpu::parseLevel(text);
      if (!level)
        return getOperation().emitError("unknown isa '")
               << text << "', expected " << cpu::levelNames();
      for (cpu::Level other : levels)
        if (*level != cpu::Level::Portable && other != cpu::Level::Portable &&
            architecture(*level) != architecture(other))
          return getOperation().emitError("isa: expected levels of one "
                                          "architecture, got ")
                 << name(other) << " and " << name(*level);
      if (!llvm::is_contained(levels, *level))
        levels.push_back(*level);
    }
    if (!levels.empty())
      return success();
    // All of the module's target, else of this machine.
    auto named = getOperation()->getAttrOfType<StringAttr>(
        LLVM::LLVMDialect::getTargetTripleAttrName());
    llvm::Triple target(named ? named.str()
                              : llvm::sys::getDefaultTargetTriple());
    llvm::append_range(levels, cpu::levelsOf(cpu::architectureOf(target)));
    return success();
  }
};

} // namespace
