//===- IndexCheck.h - Indices of a loop that come from data -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_HOSTTOLLVM_INDEXCHECK_H
#define QK_CONVERSION_HOSTTOLLVM_INDEXCHECK_H

#include "SizeNumbering.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace qk {

/// Whether an index is, or is computed from, what a tensor or a caller holds;
/// else it is from loops and sizes, which the module's own arithmetic bounds.
bool dependsOnData(mlir::Value index);

/// Whether the arithmetic that an index is computed by bounds it: a clamp.
bool isInRange(mlir::Value index, mlir::Value tensor, int64_t dim);

/// Whether the module itself asserts, before `user` in its block, that
/// 0 <= index < dimension `dim` of `tensor`.
bool isGuarded(mlir::Operation *user, mlir::Value index, mlir::Value tensor,
               int64_t dim, SizeNumbering &sizes);

/// Whether an element is only ever taken if a condition holds (arith.select),
/// as losses read labels that are to be ignored. Such an index is clamped.
bool isSelected(mlir::tensor::ExtractOp op);

/// Before the linalg op around `op`: a loop over the dimensions that `index`,
/// of dimension `dim`, depends on, which finds one that is out of range.
/// Returns the condition that there is none, a comparison of that index; null
/// where the index depends on what the op computes itself.
///
/// A loop of its own, since an assertion in the op's body would take it off the
/// thread team and keep it from being fused.
mlir::Value createIndexCheck(mlir::tensor::ExtractOp op, mlir::Value index,
                             int64_t dim);

} // namespace qk

#endif // QK_CONVERSION_HOSTTOLLVM_INDEXCHECK_H
