//===- RowConflicts.h - What operations need of each other ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_HOSTTOLLVM_ROWCONFLICTS_H
#define QK_LIB_CONVERSION_HOSTTOLLVM_ROWCONFLICTS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace qk {

/// An operation in a group: its loops' extents, and which of them are the
/// group's, in order. Its other outer loops have extent one.
struct NestMember {
  mlir::linalg::LinalgOp op;
  llvm::SmallVector<mlir::OpFoldResult> extents;
  llvm::SmallVector<unsigned> outer;
  mlir::Value initialValue;

  mlir::OpFoldResult outerExtent(unsigned which) const {
    return extents[outer[which]];
  }
};

/// The buffer that a view shows a part of.
mlir::Value rootOf(mlir::Value buffer);

/// Whether iteration i of `next` may touch, through its operand `mine`, what
/// another iteration of `member` touches through `theirs`, and one writes.
bool mayConflict(const NestMember &next, mlir::OpOperand &mine,
                 const NestMember &member, mlir::OpOperand &theirs);

} // namespace qk

#endif // QK_LIB_CONVERSION_HOSTTOLLVM_ROWCONFLICTS_H
