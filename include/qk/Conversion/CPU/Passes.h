//===- Passes.h - Quantised matmuls to CPU kernels --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_CPU_PASSES_H
#define QK_CONVERSION_CPU_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace qk {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "qk/Conversion/CPU/Passes.h.inc"

/// How float arithmetic is done (what no quantised matmul is).
enum class Arithmetic {
  /// Products by BLAS, sums in vectors, exp as a polynomial.
  Fast,
  /// As the module writes it: see plainArithmeticAttrName.
  Plain
};

/// Options of the way to the CPU.
struct LowerToCPUOptions : mlir::PassPipelineOptions<LowerToCPUOptions> {
  ListOption<std::string> isa{
      *this, "isa",
      llvm::cl::desc(
          "ISA levels to compile kernels for: avx512-vnni, avx-vnni, avx2; "
          "neon-i8mm, neon-dotprod; portable (default: all of the target's, "
          "dispatched at run time)")};
  Option<std::string> activations{
      *this, "activations",
      llvm::cl::desc("what quantised matmuls multiply codes with: int16, int8 "
                     "(per token and group, by a visible quantize) or float"),
      llvm::cl::init("int16")};
  Option<Arithmetic> arithmetic{
      *this, "arithmetic",
      llvm::cl::desc(
          "how all else is computed: fast (products by BLAS, sums in "
          "vectors), or plain (sums in the order of linalg's loops, "
          "functions of the C library: bit by bit what upstream's "
          "convert-linalg-to-loops gives; slower)"),
      llvm::cl::init(Arithmetic::Fast),
      llvm::cl::values(clEnumValN(Arithmetic::Fast, "fast", "fast"),
                       clEnumValN(Arithmetic::Plain, "plain", "plain"))};
  ListOption<std::string> weights{
      *this, "weights",
      llvm::cl::desc("safetensors files with the data of named resources")};
};

/// Lowers a module whose recipes have been evaluated to the LLVM dialect:
/// quantised matmuls become calls of kernels on packed bytes, all else goes
/// the way of buildHostToLLVMPipeline. Needs registerHostToLLVMExtensions and
/// registerCPUConversionExtensions.
void buildLowerToCPUPipeline(mlir::OpPassManager &pm,
                             const LowerToCPUOptions &options);

/// Dialects that the passes create ops of, and what lets one-shot-bufferize
/// handle `packed_matmul` and the `quantize` that quant-llm-pack
/// makes: calls of kernels on buffers.
void registerCPUConversionExtensions(mlir::DialectRegistry &registry);

namespace cpu {

/// Lowers a module that holds nothing but kernels (declared, or built) to the
/// LLVM dialect: what qk-bench, tests and writers of objects need. `isa` as in
/// `quant-llm-emit-cpu-kernels`. Without `threads` parallel loops become
/// sequential ones, and nothing refers to OpenMP.
void buildKernelsToLLVMPipeline(mlir::OpPassManager &pm,
                                llvm::ArrayRef<std::string> isa,
                                bool threads = true);

} // namespace cpu
} // namespace qk

#endif // QK_CONVERSION_CPU_PASSES_H
