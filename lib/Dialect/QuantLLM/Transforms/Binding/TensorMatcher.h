//===- TensorMatcher.h - Which tensor of a checkpoint this is ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_BINDING_TENSORMATCHER_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_BINDING_TENSORMATCHER_H

#include "qk/Storage/Checkpoint.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

namespace qk::quant_llm {

/// How a constant and a tensor that it equals lie to each other.
struct TensorMatch {
  const storage::Parameter *tensor = nullptr;
  /// The constant, of two dimensions, is the tensor's transpose.
  bool transposed = false;
  /// The constant is the tensor rounded or widened to its own type.
  bool converted = false;
};

/// Whether a constant of `type` can be `tensor`, dimensions of size one apart:
/// the same shape, or the transposed one.
bool hasShape(mlir::RankedTensorType type, const storage::TensorView &tensor,
              bool transposed);

/// Finds the tensors of a checkpoint that hold given bytes. Candidates are
/// known by their number of elements; a comparison stops at the first
/// difference, so that what costs is reading each constant once.
class TensorMatcher {
public:
  explicit TensorMatcher(std::shared_ptr<const storage::Checkpoint> checkpoint);

  /// The tensors equal to a constant of `type` with row-major `bytes`. All are
  /// of the best kind there is: the same bytes, transposed, converted, or both.
  /// In natural order of their names (layers.2 before layers.10), heads
  /// (`lm_head`) last.
  llvm::SmallVector<TensorMatch> find(mlir::RankedTensorType type,
                                      llvm::ArrayRef<uint8_t> bytes) const;

  /// Whether `bytes` are those of `tensor`, or for a different element type
  /// those that it converts to.
  static bool equals(mlir::RankedTensorType type, llvm::ArrayRef<uint8_t> bytes,
                     const storage::TensorView &tensor, bool transposed);

private:
  std::shared_ptr<const storage::Checkpoint> checkpoint;
  llvm::DenseMap<int64_t, llvm::SmallVector<const storage::Parameter *>>
      byElements;
};

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_BINDING_TENSORMATCHER_H
