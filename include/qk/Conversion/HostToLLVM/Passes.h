//===- Passes.h - A tensor module to the LLVM dialect -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_HOSTTOLLVM_PASSES_H
#define QK_CONVERSION_HOSTTOLLVM_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace qk {

/// Discardable attributes that a lowered module carries.
/// On a public function: TypeAttr of its FunctionType in tensors.
inline constexpr llvm::StringLiteral signatureAttrName = "quant_llm.signature";
/// On a public function: ArrayAttr of its arguments' names, "" without one.
inline constexpr llvm::StringLiteral argumentNamesAttrName =
    "quant_llm.argument_names";
/// On the module: ArrayAttr of {symbol, path, offset, bytes} or {symbol,
/// value}.
inline constexpr llvm::StringLiteral externalsAttrName = "quant_llm.externals";
/// On the module: ArrayAttr of the layers whose inputs the code reports to the
/// runtime's observer; a site's number is an index here.
inline constexpr llvm::StringLiteral observedLayersAttrName =
    "quant_llm.observed_layers";

/// On an outlined loop: StringAttr of what it computes, as a profile names it
/// ("div exp maximumf").
inline constexpr llvm::StringLiteral loopKindAttrName = "quant_llm.loop_kind";

/// On the module: UnitAttr. Float arithmetic is done as the module writes it:
/// sums in linalg's order with one rounding a product and a sum, functions by
/// the C library; not by BLAS, in vectors and with polynomials.
/// `quant-llm-to-reference` sets it.
inline constexpr llvm::StringLiteral plainArithmeticAttrName =
    "quant_llm.plain_arithmetic";

/// On a linalg op: UnitAttr. The indices that its body reads tensors at are
/// known to be in range (a permutation that was checked with its weight).
inline constexpr llvm::StringLiteral inRangeAttrName = "quant_llm.in_range";

#define GEN_PASS_DECL
#include "qk/Conversion/HostToLLVM/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "qk/Conversion/HostToLLVM/Passes.h.inc"

struct HostToLLVMOptions : public mlir::PassPipelineOptions<HostToLLVMOptions> {
  ListOption<std::string> weights{
      *this, "weights",
      llvm::cl::desc("safetensors files with the data of named resources")};
  Option<bool> parallel{
      *this, "parallel",
      llvm::cl::desc("run elementwise operations and reductions on all cores "
                     "(OpenMP)"),
      llvm::cl::init(true)};
  Option<bool> blas{
      *this, "blas",
      llvm::cl::desc("make contractions calls of the runtime's BLAS"),
      llvm::cl::init(true)};
};

/// What the pass of this name does: fails where `module` has ops that MLIR does
/// not know, with an error at the first of each name.
mlir::LogicalResult checkKnownOps(mlir::ModuleOp module);

/// Lowers a whole module from func, linalg, tosa, tensor, arith, math, scf and
/// cf on tensors to the LLVM dialect (and omp): fuses, bufferizes, frees what
/// it allocates (buffers that a public function returns belong to the caller,
/// who releases `allocated` with free()), calls the runtime for contractions,
/// and threads the rest. Ops of other dialects must implement
/// BufferizableOpInterface and be gone, or be lowered by what the caller adds,
/// after buildHostBufferizePipeline. Needs registerHostToLLVMExtensions.
void buildHostToLLVMPipeline(mlir::OpPassManager &pm,
                             const HostToLLVMOptions &options);

/// The two halves of the above: up to buffers with library calls, and from
/// there to the LLVM dialect. What lowers its own ops on buffers goes between.
void buildHostBufferizePipeline(mlir::OpPassManager &pm,
                                const HostToLLVMOptions &options);
void buildBuffersToLLVMPipeline(mlir::OpPassManager &pm,
                                const HostToLLVMOptions &options);

/// The two halves of buildHostBufferizePipeline: everything linalg on tensors,
/// elementwise operations fused, no dimensions of size one; and from there to
/// buffers. What fuses more goes between.
void buildHostTensorPipeline(mlir::OpPassManager &pm);
void buildTensorsToBuffersPipeline(mlir::OpPassManager &pm,
                                   const HostToLLVMOptions &options);

/// Registers the pipeline `quant-llm-host-to-llvm`.
void registerHostToLLVMPipelines();

/// Dialects, bufferization and value-bounds interfaces that the pipeline needs.
void registerHostToLLVMExtensions(mlir::DialectRegistry &registry);

} // namespace qk

#endif // QK_CONVERSION_HOSTTOLLVM_PASSES_H
