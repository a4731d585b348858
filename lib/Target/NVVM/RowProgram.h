//===- RowProgram.h - What computes a row, in a kernel ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// A program of Quantizer.h is on a whole row; a thread has `vector` columns at
/// a time. What depends on a column (vectors in the program) is computed where
/// it is used, again in each pass over the row; the rest (scalars) once, as
/// soon as the reductions before it are done.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_ROWPROGRAM_H
#define QK_LIB_TARGET_NVVM_ROWPROGRAM_H

#include "Emitter.h"
#include "qk/Target/NVVM/Quantizer.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <functional>

namespace qk::nvvm {

/// Two values of a reduction as one.
using Combine = std::function<mlir::Value(mlir::Value, mlir::Value)>;

/// The `vector` elements behind number `index` (i64, a multiple of `vector`) of
/// the array at `pointer`.
llvm::SmallVector<mlir::Value> loadVector(Emitter &e, mlir::Type type,
                                          mlir::Value pointer,
                                          mlir::Value index, int64_t vector);

/// The bits of a float of 16 or 32 bits in an f32, and back: for shuffles and
/// shared memory.
mlir::Value asWord(Emitter &e, mlir::Value value);
mlir::Value fromWord(Emitter &e, mlir::Type type, mlir::Value word);

class RowProgram {
public:
  /// `pointers` are the kernel's arguments for the program's sources.
  RowProgram(Emitter &e, mlir::func::FuncOp function,
             const RowProgramInfo &info, mlir::ValueRange pointers, int64_t k,
             int64_t vector);

  /// Of block `row` (i32): before everything else.
  void start(mlir::Value row);
  /// Reductions of a pass need each other's results only in later passes.
  unsigned passes() const { return reductions.size(); }
  llvm::SmallVector<Combine> combiners(unsigned pass);
  llvm::SmallVector<mlir::Value> neutral(unsigned pass);
  /// What the pass's reductions take of `vector` columns from `column` (i64)
  /// on.
  llvm::SmallVector<llvm::SmallVector<mlir::Value>> terms(unsigned pass,
                                                          mlir::Value column);
  /// `sums`: of the whole row.
  void finish(unsigned pass, llvm::ArrayRef<mlir::Value> sums);
  /// The row's elements there, once all passes are finished.
  llvm::SmallVector<mlir::Value> result(mlir::Value column);

private:
  using Columns = llvm::SmallVector<mlir::Value>;
  unsigned passOf(mlir::Value value) const { return known.lookup(value); }
  void emitScalars(unsigned pass);
  Columns load(mlir::BlockArgument argument, mlir::Value column);
  llvm::SmallVector<Columns> evaluate(llvm::ArrayRef<mlir::Value> wanted,
                                      mlir::Value column);
  Columns emitColumns(mlir::Operation *op,
                      const llvm::DenseMap<mlir::Value, Columns> &columns);

  Emitter &e;
  mlir::func::FuncOp function;
  const RowProgramInfo &info;
  mlir::ValueRange pointers;
  int64_t k, vector;
  mlir::Value row;
  /// By value: how many passes are finished before it can be computed.
  llvm::DenseMap<mlir::Value, unsigned> known;
  /// By pass.
  llvm::SmallVector<llvm::SmallVector<mlir::vector::ReductionOp>> reductions;
  /// Scalars of the program in the kernel.
  mlir::IRMapping scalars;
};

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_ROWPROGRAM_H
