//===- LookThrough.h - What a value is, seen through its layout -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LOOKTHROUGH_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LOOKTHROUGH_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace qk::quant_llm {

/// A constant seen through transposes, copies, shape casts and widening
/// conversions: element (i0, i1, …) of the value is element
/// (i[dims[0]], i[dims[1]], …) of `root`.
struct ConstantView {
  /// What getConstant() (Constants.h) knows.
  mlir::Value root;
  llvm::SmallVector<int64_t> dims;
};

/// The constant that `value` is a view of, if it is one.
std::optional<ConstantView> viewOfConstant(mlir::Value value);

/// Whether all elements of `value` are zero: a zero constant, or
/// `linalg.fill` with one.
bool isZeroFilled(mlir::Value value);

/// For an elementwise generic of one input that widens (f16/bf16 to f32) or
/// copies: the input; else null. Maps must be the same permutation-free
/// identity.
mlir::Value widenedFrom(mlir::Value value);

/// The only user of `value`, if it is an elementwise generic that narrows
/// (f32 to f16 or bf16): its result; else null.
mlir::Value narrowedTo(mlir::Value value);

/// For a value that repeats a vector along its last dimension (a yield-only
/// broadcast generic, or linalg.broadcast): the vector; else null.
mlir::Value repeatedVector(mlir::Value value);

/// Whether the body yields its input block argument `index` as it is.
bool yieldsInput(mlir::linalg::GenericOp op, unsigned index);

/// Whether all loops are parallel.
bool isElementwise(mlir::linalg::GenericOp op);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LOOKTHROUGH_H
