//===- UnlinkedViews.h - What a value is, in unlinked dialects --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDVIEWS_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDVIEWS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>
#include <string>

namespace qk::quant_llm {

/// Dimensions of the root of a view that one dimension of it runs through, the
/// last one fastest; none where it repeats what it shows, or has one element.
using ShownDims = llvm::SmallVector<int64_t, 2>;

/// A value seen through casts, conversions between float types, transposes,
/// broadcasts, reshapes, products with one and private functions that all
/// callers pass the same constant: element (i0, i1, …) of the value is the
/// element of `root`, its elements in memory taken as of shape `shape`, whose
/// indices in dimensions dims[d] are the digits of i_d. Of a part of the root,
/// `shape` is the part's.
struct UnlinkedView {
  /// Where looking through ended: a constant, or what is none.
  mlir::Value root;
  bool isConstant = false;
  /// The root's own shape, or what all of it was reshaped to.
  llvm::SmallVector<int64_t> shape;
  /// Dimensions of that.
  llvm::SmallVector<ShownDims> dims;
  /// Where the constant is cut (stablehlo.slice, torch's slice, select and
  /// split): the number of the first element, and how far apart neighbours in
  /// each dimension of `shape` are in memory.
  bool isPart = false;
  int64_t offset = 0;
  llvm::SmallVector<int64_t> strides;

  /// Those, also of a whole.
  llvm::SmallVector<int64_t> getStrides() const;
  /// Cuts `sizes` elements from `starts` on out of the dimensions of the value.
  /// False where it doesn't have as many, or one of several of the root's is
  /// cut.
  bool cut(llvm::ArrayRef<int64_t> starts, llvm::ArrayRef<int64_t> sizes);
};

/// What `value` is a view of; a root that is no constant where it isn't known,
/// and for a part of one unless `parts`.
UnlinkedView viewOfUnlinked(mlir::Value value, bool parts = false);

/// What a slice takes of each dimension of a tensor: one without a step, at a
/// place that is known.
struct UnlinkedSlice {
  mlir::OpOperand *source = nullptr;
  llvm::SmallVector<int64_t> starts, sizes;
  /// The dimension that the result doesn't have, or -1.
  int64_t dropped = -1;
};

/// The slice of another tensor that `value` is, also as one of the parts that
/// torch's split and chunk cut it into; nullopt for anything else.
std::optional<UnlinkedSlice> getUnlinkedSlice(mlir::Value value);

/// Gives a private function that is called with different constants for a
/// weight a copy for each of them, so that a layer in it has one weight. Only
/// functions with a product of such an argument are copied; nothing else
/// changes.
void specialiseCalls(mlir::ModuleOp module);

/// The permutation of a transpose: dimension i of the result is dimension p[i]
/// of the operand.
std::optional<llvm::SmallVector<int64_t>>
getTransposePermutation(mlir::Operation *op);

/// Why `root`, where a view of a weight ended, is no constant, and what to do
/// about it.
std::string explainNotConstant(mlir::Value root);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDVIEWS_H
