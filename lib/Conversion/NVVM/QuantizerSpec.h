//===- QuantizerSpec.h - Quantisers and the IR ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Between `quant_llm.quantize`, the attribute that a declared function
/// carries, and the plain QuantizerProblem: what MatmulSpec.h is for matmuls.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_NVVM_QUANTIZERSPEC_H
#define QK_LIB_CONVERSION_NVVM_QUANTIZERSPEC_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Target/NVVM/Quantizer.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace qk::nvvm {

/// On a declared function: the quantiser it is. A dictionary {k, element,
/// [factors], [program]}, the last a symbol.
inline constexpr llvm::StringLiteral kQuantizerAttr =
    "qk_kernel.nvvm_quantizer";

/// The quantiser for `op`, if the GPU has one: 8 bits, a scale per token.
std::optional<QuantizerProblem> quantizerOf(quant_llm::QuantizeOp op);

/// What the attribute of `function` says; nothing where it is malformed.
std::optional<QuantizerProblem> quantizerOf(mlir::func::FuncOp function);

/// The function that the attribute of `function` says computes x, if any.
mlir::func::FuncOp programOf(mlir::func::FuncOp function);

/// The private function that launches the quantiser, declared in `module` if it
/// is not there: on buffers (x or a program's sources, [factors,] codes,
/// scales), matrices with any stride between rows, scales [M,1].
mlir::func::FuncOp declareQuantizer(mlir::ModuleOp module,
                                    const QuantizerProblem &problem);

} // namespace qk::nvvm

#endif // QK_LIB_CONVERSION_NVVM_QUANTIZERSPEC_H
