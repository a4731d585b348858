//===- NestWriter.h - Loops of a linalg operation on buffers ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_HOSTTOLLVM_NESTWRITER_H
#define QK_LIB_CONVERSION_HOSTTOLLVM_NESTWRITER_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace qk {

/// Writes the loops of one linalg operation. Outer loops may be given from
/// outside; innermost reductions are carried in registers; inputs are loaded as
/// far out as their indices allow.
class NestWriter {
public:
  NestWriter(mlir::OpBuilder &builder, mlir::linalg::LinalgOp op)
      : builder(builder), op(op), loc(op.getLoc()),
        kinds(op.getIteratorTypesArray()) {}

  mlir::Location getLoc() const { return loc; }

  /// Whether the innermost loops are reductions, whose results then live in
  /// registers.
  bool carriesResults() const;
  /// And no other loop is one.
  bool carriesResultsOnce() const;

  /// Reductions start from `value`, which is not loaded from the buffer.
  void setInitialValue(mlir::Value value) { initialValue = value; }

  /// How many outer loops may run in parallel: all leading parallel ones, but
  /// one loop stays inside for the vectorizer.
  unsigned parallelDepth() const;

  /// The extents of all loops, made at the builder's insertion point.
  llvm::SmallVector<mlir::OpFoldResult> extents();

  /// Writes the loops from `outer.size()` inwards.
  void write(llvm::ArrayRef<mlir::Value> outer,
             llvm::ArrayRef<mlir::OpFoldResult> extents);

  /// For operations that share one inner loop, their last: what comes before
  /// the loop (gives the values it carries), in it, and after it.
  llvm::SmallVector<mlir::Value> begin(llvm::ArrayRef<mlir::Value> outer);
  llvm::SmallVector<mlir::Value> iterate(mlir::Value iv,
                                         llvm::ArrayRef<mlir::Value> carried);
  void finish(llvm::ArrayRef<mlir::Value> carried);

private:
  void writeLoop(unsigned depth, llvm::ArrayRef<mlir::OpFoldResult> extents);
  llvm::SmallVector<mlir::Value>
  writeCarried(unsigned depth, llvm::ArrayRef<mlir::OpFoldResult> extents,
               llvm::ArrayRef<mlir::Value> results);
  llvm::SmallVector<mlir::Value> writeBody(llvm::ArrayRef<mlir::Value> results);
  void allowReordering(mlir::Operation &inner, mlir::Operation &copy);
  mlir::scf::ForOp forOp(mlir::OpFoldResult extent, mlir::ValueRange carried);
  llvm::SmallVector<mlir::Value> indicesOf(mlir::OpOperand &operand);
  void loadAvailable();
  mlir::Value load(mlir::OpOperand &operand);
  void store(llvm::ArrayRef<mlir::Value> results);

  mlir::OpBuilder &builder;
  mlir::linalg::LinalgOp op;
  mlir::Location loc;
  llvm::SmallVector<mlir::utils::IteratorType> kinds;
  llvm::SmallVector<mlir::Value> ivs;
  llvm::SmallMapVector<mlir::OpOperand *, mlir::Value, 4> loaded;
  mlir::Value initialValue;
  /// From this loop inwards only reductions.
  unsigned firstCarried = 0;
};

} // namespace qk

#endif // QK_LIB_CONVERSION_HOSTTOLLVM_NESTWRITER_H
