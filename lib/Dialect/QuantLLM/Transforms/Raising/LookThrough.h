//===- LookThrough.h - What a value is, seen through its layout -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Looking backwards, from an operand to what it holds: a constant behind
/// transposes, reshapes, broadcasts and conversions, or an activation behind
/// reshapes and a widening conversion.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LOOKTHROUGH_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LOOKTHROUGH_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace qk::quant_llm {

/// A constant seen through its layout. Dimensions are products of factors,
/// numbered in no particular order: a reshape that splits a dimension of 12 to
/// 3x4 makes two factors of it, and says nothing else.
struct ConstantView {
  using Factors = llvm::SmallVector<unsigned, 2>;

  /// What getConstant() (Constants.h) knows.
  mlir::Value root;
  /// For each dimension of the value its factors, outermost first; none for a
  /// size of one.
  llvm::SmallVector<Factors, 4> dims;
  /// The root's factors in the order of its elements in memory. A factor of
  /// `dims` that isn't here repeats the constant.
  Factors elements;
  /// The same for each of the root's dimensions, and the sizes of all factors.
  llvm::SmallVector<Factors, 4> rootDims;
  llvm::SmallVector<int64_t> sizes;
};

/// The constant that `value` is a view of, if it is one. Else `stop`, where
/// given, is the operation that can't be looked through, or null for a block's
/// argument.
std::optional<ConstantView> viewOfConstant(mlir::Value value,
                                           mlir::Operation **stop = nullptr);

/// The same, down to the first value for which `isRoot`.
std::optional<ConstantView>
viewOfRoot(mlir::Value value, llvm::function_ref<bool(mlir::Value)> isRoot,
           mlir::Operation **stop = nullptr);

/// Whether all elements of `value` are `number`, as far as that is written in
/// the module: a constant, a fill, or a view of one.
bool isFilledWith(mlir::Value value, double number);

/// The only input of an operation that does nothing to the elements' order in
/// memory (tensor and tosa reshapes, casts that forget sizes); null for others.
mlir::Value reshapedFrom(mlir::Operation *op);

/// The only input of an elementwise conversion between float types, or of a
/// copy, with identity maps; null for others.
mlir::Value convertedFrom(mlir::Operation *op);

/// Whether `value` is, behind reshapes, transposes and broadcasts, converted
/// from integers: positions, or one-hot codes.
bool isConvertedFromIntegers(mlir::Value value);

/// Whether `op` is parallel, of one input and one result, and copies or
/// converts each element.
bool copiesElements(mlir::linalg::LinalgOp op);

/// Whether the body of `op` yields its input `index`, as it is or converted to
/// another float type.
bool yieldsInput(mlir::linalg::LinalgOp op, unsigned index);

/// `value` behind float conversions inside a body.
mlir::Value skipFloatConversions(mlir::Value value);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LOOKTHROUGH_H
