//===- SizeNumbering.h - Which sizes are equal ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_HOSTTOLLVM_SIZENUMBERING_H
#define QK_CONVERSION_HOSTTOLLVM_SIZENUMBERING_H

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

#include <map>

namespace qk {

/// Numbers the sizes of a function's tensors and the integers that are computed
/// from them: equal numbers are equal sizes whenever the function runs (value
/// numbering; what it doesn't know differs). Linear in the function's length,
/// where ValueBoundsConstraintSet walks from each value back to the arguments.
class SizeNumbering {
public:
  /// Operations must come in an order in which they may run.
  void visit(mlir::Operation *op);

  unsigned of(mlir::Value tensor, int64_t dim);
  unsigned of(mlir::OpFoldResult size);

  unsigned find(unsigned number);
  bool areEqual(unsigned a, unsigned b) { return find(a) == find(b); }
  /// From now on they are one size.
  void merge(unsigned a, unsigned b) { parents[find(a)] = find(b); }

  /// The first tensor that has the size, and which of its dimensions; null
  /// where it is a number or was computed.
  std::pair<mlir::Value, int64_t> firstOf(unsigned number) {
    return firsts.lookup(find(number));
  }

private:
  unsigned fresh();
  unsigned constant(int64_t value);
  void set(mlir::Value tensor, int64_t dim, unsigned number);
  void visitTensor(mlir::Operation *op, mlir::Value result);
  void visitIndex(mlir::Operation *op);
  void copySizes(mlir::Value result, mlir::Value from, int64_t dims);

  llvm::SmallVector<unsigned> parents;
  llvm::DenseMap<int64_t, unsigned> constants;
  llvm::DenseMap<mlir::Value, unsigned> indices;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, unsigned> dims;
  llvm::DenseMap<unsigned, std::pair<mlir::Value, int64_t>> firsts;
  /// Of pure computations: the operation and its operands' numbers.
  using Computation = std::tuple<const void *, const void *, const void *,
                                 std::vector<unsigned>>;
  std::map<Computation, unsigned> computations;
};

} // namespace qk

#endif // QK_CONVERSION_HOSTTOLLVM_SIZENUMBERING_H
