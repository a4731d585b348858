//===- UnlinkedRewrite.h - A layer in an unlinked module --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDREWRITE_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDREWRITE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace qk::quant_llm {

/// Makes of a layer on builtin tensors [..., K] -> [..., N] what stood in the
/// module.
struct UnlinkedRewrite {
  mlir::Location location;
  /// The layer's input, and its type as the layer takes it.
  mlir::Value x;
  mlir::RankedTensorType xType;
  /// What the layer replaces.
  mlir::Value result;
  /// What the type of the product is to be, builtin or opaque.
  mlir::Type productType;
  /// Reshapes between the product and the result, done again.
  llvm::SmallVector<mlir::Operation *> reshapes;
  /// Operands that ask a value between for its sizes.
  llvm::SmallVector<mlir::OpOperand *> sizes;
  /// How to permute x, and the layer's result to be the product, if at all.
  llvm::SmallVector<int64_t> xOrder = {}, productOrder = {};
  /// Whether that is done by ops of StableHLO, which the module is of (static
  /// shapes alone); else by those of linalg and tensor.
  bool isStableHLO = true;

  mlir::Value makeX(mlir::OpBuilder &builder) const;
  mlir::Value makeResult(mlir::OpBuilder &builder, mlir::Value y) const;

private:
  mlir::Value transpose(mlir::OpBuilder &builder, mlir::Value value,
                        llvm::ArrayRef<int64_t> order) const;
  /// `value` in another shape: its last dimension made several, or its last
  /// ones made one.
  mlir::Value reshape(mlir::OpBuilder &builder, mlir::Value value,
                      llvm::ArrayRef<int64_t> shape) const;
  /// Lets layers that cast the result to a builtin tensor take it uncast.
  void takeBuiltin(mlir::Value value) const;
};

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDREWRITE_H
