//===- UnlinkedOps.h - Ops of dialects that are not linked ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// StableHLO, torch, IREE and ONNX arrive in generic form, and none of these
/// dialects is linked: an op is known by its name, an attribute and a type by
/// its text. Text is parsed strictly; what can't be parsed has no answer.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDOPS_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDOPS_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"

#include <optional>

namespace qk::quant_llm {

/// What an op does, as far as finding layers goes.
enum class UnlinkedKind {
  /// Anything else, and every op of a linked dialect.
  Other,
  /// Passes its first operand on: casts between tensor types, detach, clone.
  Identity,
  /// Changes the element type.
  Convert,
  /// Permutes the dimensions of its first operand.
  Transpose,
  /// Repeats its first operand along new dimensions, or ones of size 1.
  Broadcast,
  /// Changes the shape of its first operand, in row-major order.
  Reshape,
  /// Takes a rectangular part of its first operand, or is such parts of it.
  Slice,
  /// A list of the parts that a tensor is cut into.
  Split,
  Add,
  Multiply,
  /// A product of tensors.
  Contraction,
  /// A scalar, a list of scalars, or a constant tensor.
  Constant,
  /// Asks for the size of a dimension.
  Size,
};

/// The name of the op; for a `torch.operator` that of what it wraps. Empty for
/// an op of a linked dialect.
llvm::StringRef getUnlinkedName(mlir::Operation *op);

UnlinkedKind getUnlinkedKind(mlir::Operation *op);

/// The attribute; for a `torch.operator` that of what it wraps.
mlir::Attribute getUnlinkedAttr(mlir::Operation *op, llvm::StringRef name);

/// The builtin tensor type that `type` is or stands for
/// (`!torch.vtensor<[5,?],f16>`); null for anything else and for text that is
/// not of that form.
mlir::RankedTensorType getTensorType(mlir::Type type);
inline mlir::RankedTensorType getTensorType(mlir::Value value) {
  return getTensorType(value.getType());
}

/// `type`, builtin or opaque, with another element type.
mlir::Type withElementType(mlir::Type type, mlir::Type elementType);

/// The operand whose elements `op` passes on, converted, in another layout or
/// repeated; null for any other op.
mlir::Value getPassedOn(mlir::Operation *op);

/// Integers from an array attribute of any kind, or from a `list<int>` made of
/// constants.
std::optional<llvm::SmallVector<int64_t>> getIntegers(mlir::Attribute attr);
std::optional<llvm::SmallVector<int64_t>> getIntegers(mlir::Value list);

/// The number that a scalar constant is, or that all elements of a tensor are,
/// seen through reshapes, broadcasts and conversions.
std::optional<double> getUniformValue(mlir::Value value);

/// Whether an elementwise op of both, as torch and ONNX broadcast operands, may
/// have more elements than `value`: one dynamic dimension of which may be of
/// size one where `by` has more.
bool mayRepeat(mlir::Value by, mlir::Value value);

/// The operand that a multiplication with a uniform one passes on; null for
/// any other op.
mlir::Value getMultipliedByOne(mlir::Operation *op);

/// Whether `op` may be erased once nothing uses its results: pure ops, known
/// ones of unlinked dialects, and regions that only guard such ops.
bool isErasableWhenUnused(mlir::Operation *op);

/// Erases `op`, and what only it used, as far as nothing else uses it.
void eraseUnused(mlir::Operation *op);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDOPS_H
