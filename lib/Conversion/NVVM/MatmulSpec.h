//===- MatmulSpec.h - Matmul problems and the IR ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Between `quant_llm` ops, the attribute that a declared function carries, and
/// the kernel table's plain MatmulProblem.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_NVVM_MATMULSPEC_H
#define QK_LIB_CONVERSION_NVVM_MATMULSPEC_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Target/NVVM/KernelTable.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace qk::nvvm {

/// On a declared function: the problem it computes. A dictionary {k, scheme,
/// element, [bias], [zero_points], [permutation], [int8_activations],
/// [layout]}.
inline constexpr llvm::StringLiteral kMatmulAttr = "qk_kernel.nvvm_matmul";

/// The chip of that name; unknown: an error at `op` that lists all.
mlir::FailureOr<const Chip *> chipByName(mlir::Operation *op,
                                         llvm::StringRef name);

/// The problem of a matmul, packed as is best for `chip`, or as it is packed
/// already. Fails, with an error, where `chip` has no kernel for it.
mlir::FailureOr<MatmulProblem> problemOf(quant_llm::MatmulOp op,
                                         const Chip &chip);
mlir::FailureOr<MatmulProblem> problemOf(quant_llm::PackedMatmulOp op,
                                         const Chip &chip);

mlir::DictionaryAttr toAttribute(mlir::MLIRContext *context,
                                 const MatmulProblem &problem);
/// Nothing where the attribute is malformed.
std::optional<MatmulProblem> fromAttribute(mlir::Attribute attribute);

/// Nothing for types that x and y can't have.
std::optional<ElementType> elementTypeOf(mlir::Type type);
mlir::Type elementType(mlir::MLIRContext *context, ElementType type);

/// The private function that launches the problem's kernels, declared in
/// `module` if it is not there: on buffers (x, [x_scales,] weight,
/// [permutation,] [bias,] y), x, x_scales and y with any stride between rows. M
/// and N are read from y.
mlir::func::FuncOp declareLauncher(mlir::ModuleOp module,
                                   const MatmulProblem &problem);

} // namespace qk::nvvm

#endif // QK_LIB_CONVERSION_NVVM_MATMULSPEC_H
