//===- Passes.h - Quantised matmuls to CPU kernels --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_CPU_PASSES_H
#define QK_CONVERSION_CPU_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace qk {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "qk/Conversion/CPU/Passes.h.inc"

/// Dialects that the passes create ops of, and what lets one-shot-bufferize
/// handle parameters, `packed_matmul` and the `quantize` that quant-llm-pack
/// makes: calls of kernels on buffers.
void registerCPUConversionExtensions(mlir::DialectRegistry &registry);

namespace cpu {

/// Lowers a module that holds nothing but kernels (declared, or built) to the
/// LLVM dialect: what qk-bench, tests and writers of objects need. `isa` as in
/// `quant-llm-emit-cpu-kernels`.
void buildKernelsToLLVMPipeline(mlir::OpPassManager &pm,
                                llvm::ArrayRef<std::string> isa);

} // namespace cpu
} // namespace qk

#endif // QK_CONVERSION_CPU_PASSES_H
