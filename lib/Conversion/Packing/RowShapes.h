//===- RowShapes.h - Matmuls with one dimension of rows ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_PACKING_ROWSHAPES_H
#define QK_LIB_CONVERSION_PACKING_ROWSHAPES_H

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace qk {

/// `value` with all leading dimensions made one: kernels have one dimension of
/// rows.
mlir::Value toRows(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value);

/// `value`, [rows, n], with the leading dimensions of `like`.
mlir::Value fromRows(mlir::OpBuilder &b, mlir::Location loc, mlir::Value value,
                     mlir::Value like);

} // namespace qk

#endif // QK_LIB_CONVERSION_PACKING_ROWSHAPES_H
