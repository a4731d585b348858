//===- Passes.h - Quantised matmuls to GPU kernels --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_NVVM_PASSES_H
#define QK_CONVERSION_NVVM_PASSES_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace qk {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "qk/Conversion/NVVM/Passes.h.inc"

namespace nvvm {

/// The kernel module, and the constant that holds what it was compiled to.
inline constexpr llvm::StringLiteral kKernelModuleName = "qk_kernels";
inline constexpr llvm::StringLiteral kImageName = "qk_kernels_image";

} // namespace nvvm

/// What a user gives `--lower-to-nvvm`.
struct LowerToNVVMOptions : mlir::PassPipelineOptions<LowerToNVVMOptions> {
  Option<std::string> chip{
      *this, "chip",
      llvm::cl::desc("GPU to compile for (sm_75, sm_80, sm_86, sm_89, sm_90, "
                     "sm_90a, sm_100a, sm_120)"),
      llvm::cl::init("sm_80")};
  Option<std::string> format{
      *this, "format",
      llvm::cl::desc("isa (PTX, needs no CUDA), bin (cubin) or fatbin"),
      llvm::cl::init("isa")};
  Option<std::string> host{
      *this, "host",
      llvm::cl::desc("launch: lower the host code too, it launches the "
                     "kernels; keep: each matmul becomes one call, everything "
                     "else stays"),
      llvm::cl::init("launch")};
  Option<std::string> model{
      *this, "model",
      llvm::cl::desc("host: quantised matmuls run on the GPU, the rest on the "
                     "CPU; device: the whole model runs on the GPU, buffers "
                     "stay there (with host=launch)"),
      llvm::cl::init("host")};
  Option<std::string> artifacts{
      *this, "artifacts",
      llvm::cl::desc("folder to write the kernels and kernels.json to"),
      llvm::cl::init("")};
  ListOption<std::string> weights{
      *this, "weights",
      llvm::cl::desc("safetensors files with the data of named resources")};
};

/// From `quant_llm.matmul` on evaluated weights to compiled kernels. With
/// `host=keep` each matmul becomes a call and everything else stays; otherwise
/// the whole module is lowered to the LLVM dialect. Needs
/// registerHostToLLVMExtensions and registerCPUConversionExtensions (whose
/// bufferization of packed matmuls serves both targets).
void buildLowerToNVVMPipeline(mlir::OpPassManager &pm,
                              const LowerToNVVMOptions &options);

} // namespace qk

#endif // QK_CONVERSION_NVVM_PASSES_H
