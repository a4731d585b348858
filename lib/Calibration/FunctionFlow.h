//===- FunctionFlow.h - What depends on what in a function ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CALIBRATION_FUNCTIONFLOW_H
#define QK_LIB_CALIBRATION_FUNCTIONFLOW_H

#include "ModelCopy.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringSet.h"

namespace qk::calibration {

/// The ops of a function of one block and what their results depend on, for
/// cutting it into parts.
class FunctionFlow {
public:
  /// `rounded`: the layers whose weights change. Errors, at the original of the
  /// op: more than one block, an op with effects other than assertions, a
  /// rounded layer inside another op.
  static mlir::FailureOr<FunctionFlow>
  analyse(ModelCopy &copy, mlir::func::FuncOp function,
          const llvm::StringSet<> &rounded);

  llvm::ArrayRef<mlir::Operation *> ops() const { return allOps; }
  /// The number of the op that defines a value, -1 for an argument.
  int64_t positionOf(mlir::Value value) const;
  /// The order of arguments, then of results.
  bool comesBefore(mlir::Value a, mlir::Value b) const;
  /// What an op reads, in its regions too.
  static llvm::SmallVector<mlir::Value> inputsOf(mlir::Operation *op);

  /// Computed anew wherever it is needed, never kept: constants, parameters,
  /// sizes of the arguments and arithmetic on those, empty and filled tensors.
  bool isCheap(mlir::Value value) const { return cheap.contains(value); }
  /// Depends on more of the function's inputs than their shapes.
  bool dependsOnData(mlir::Value value) const { return data.contains(value); }
  /// Depends on a rounded layer.
  bool dependsOnLayers(mlir::Value value) const {
    return layers.contains(value);
  }
  /// Whether it can be kept: a ranked tensor or a scalar of a type that files
  /// have.
  static bool canKeep(mlir::Value value);
  /// An estimate, with `unknown` for sizes that aren't known.
  static double bytesOf(mlir::Value value, double unknown);

private:
  bool isCheapOp(mlir::Operation *op, llvm::ArrayRef<mlir::Value> inputs) const;

  llvm::SmallVector<mlir::Operation *> allOps;
  llvm::DenseMap<mlir::Operation *, int64_t> position;
  llvm::DenseSet<mlir::Value> cheap, data, layers;
};

/// Whether a value is a parameter, or one reshaped, transposed or converted.
bool isParameterView(mlir::Value value);

/// Whether an op does nothing but compute its results and check assertions.
bool hasOnlyAssertions(mlir::Operation *op);

} // namespace qk::calibration

#endif // QK_LIB_CALIBRATION_FUNCTIONFLOW_H
