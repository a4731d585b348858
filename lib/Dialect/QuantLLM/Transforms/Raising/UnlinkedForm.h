//===- UnlinkedForm.h - Layers in dialects that are not linked --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDFORM_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDFORM_H

#include "LinearForm.h"

#include "llvm/ADT/SmallVector.h"

namespace qk::quant_llm {

/// A product of tensors as its dialect writes it, dimensions given by number.
struct UnlinkedContraction {
  mlir::Operation *op = nullptr;
  mlir::Value lhs, rhs;
  /// Contracted and batch dimensions, pairwise. All others are free; the
  /// result has the batch dimensions, the free ones of lhs, those of rhs.
  llvm::SmallVector<int64_t> lhsContracted, rhsContracted;
  llvm::SmallVector<int64_t> lhsBatch, rhsBatch;
  /// The result has the free dimensions of lhs where lhs has them, whatever
  /// batches are among them (numpy's matmul).
  bool keepsOrder = false;
  /// Where the result has these dimensions in another order: its i-th is the
  /// resultOrder[i]-th of them. Empty: as said.
  llvm::SmallVector<int64_t> resultOrder;
  /// What the op itself adds along the last dimension of its result, or null.
  mlir::Value bias;
};

/// Sets the dimensions of a `matmul` as numpy, torch and ONNX mean it, of
/// operands of these ranks (at least 1): the last dimension of lhs with the
/// last but one of rhs, those before as batches.
void setMatmulDimensions(UnlinkedContraction &contraction, int64_t lhsRank,
                         int64_t rhsRank);

/// Sets op, operands and dimensions of `stablehlo.dot_general` or
/// `stablehlo.dot`; false where its dimension numbers can't be read.
bool readDotDimensions(mlir::Operation *op, UnlinkedContraction &contraction);

/// The same of lhs and rhs as torch's and ONNX's einsum multiply them:
/// dimensions by letter, `bsk,nk->bsn`.
LinearFinding findUnlinkedEinsum(llvm::StringRef equation,
                                 UnlinkedContraction contraction);

/// What an op of an unlinked dialect that is a convolution says: nothing, but
/// for one of size one by a constant, which would be a layer as a product.
LinearFinding rejectUnlinkedConvolution(mlir::Operation *op);

/// Whether the product is a linear layer: whether one operand is a view of a
/// constant [N,K] or [K,N], with the bias and the conversions around it that
/// belong to the layer.
LinearFinding findUnlinkedLinear(const UnlinkedContraction &contraction);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDFORM_H
