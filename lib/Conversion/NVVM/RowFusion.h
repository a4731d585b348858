//===- RowFusion.h - Ops that compute rows, as one program ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Which operations before a tensor [..., K] only work within its rows, and the
/// program (qk/Target/NVVM/Quantizer.h) that they are together.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_NVVM_ROWFUSION_H
#define QK_LIB_CONVERSION_NVVM_ROWFUSION_H

#include "qk/Target/NVVM/Quantizer.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace qk::nvvm {

class RowFusion {
public:
  /// `consumer` reads `x`, [..., K] with K static. Looks at what comes before
  /// it in its block.
  RowFusion(mlir::Operation *consumer, mlir::Value x);

  /// Whether there is anything to fuse.
  bool isUseful() const;

  struct Source {
    /// A ranked tensor, or a float.
    mlir::Value value;
    RowSource where;
  };
  /// What the operations read and do not compute.
  llvm::ArrayRef<Source> sources() const { return reads; }

  /// Writes the program, a private function @`name`, at the end of `module`.
  mlir::func::FuncOp buildProgram(mlir::ModuleOp module,
                                  llvm::StringRef name) const;

  /// Erases the operations that nothing else uses, all after the consumer is
  /// gone.
  void eraseFused();

private:
  using Wanted = llvm::SmallVector<std::pair<mlir::Value, RowSource>>;

  void collect();
  bool collectOnce();
  bool accept(mlir::Operation *op, RowSource kind, Wanted &operands) const;
  bool acceptView(mlir::Operation *op, RowSource kind, Wanted &operands) const;
  bool acceptLoop(mlir::linalg::LinalgOp op, RowSource kind,
                  Wanted &operands) const;
  bool canRead(mlir::Value value) const;

  mlir::Operation *consumer;
  mlir::Value x;
  int64_t k;
  /// Where each value that is needed lies in a row.
  llvm::DenseMap<mlir::Value, RowSource> kinds;
  /// In the order of the block.
  llvm::SmallVector<mlir::Operation *> members;
  llvm::DenseSet<mlir::Operation *> refused;
  llvm::SmallVector<Source> reads;
};

} // namespace qk::nvvm

#endif // QK_LIB_CONVERSION_NVVM_ROWFUSION_H
