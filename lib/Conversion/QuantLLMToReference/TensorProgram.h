//===- TensorProgram.h - Formulas as linalg on tensors ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// A builder in which an op's formula can be written down: element-wise
/// expressions and reductions over named dimensions, and the reshapes between
/// [..., K], [M, K] and the zero-padded groups [M, G, g].
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_TENSORPROGRAM_H
#define QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_TENSORPROGRAM_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace qk {

class TensorProgram : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;
  using Sizes = llvm::SmallVector<mlir::OpFoldResult>;
  /// A tensor and, for each of its dimensions, the dimension of the iteration
  /// that indexes it; kOne: always element 0.
  struct Input {
    Value tensor;
    llvm::SmallVector<int64_t> dims;
  };
  static constexpr int64_t kOne = -1;
  using Body =
      llvm::function_ref<Value(mlir::ImplicitLocOpBuilder &, mlir::ValueRange)>;

  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  static mlir::RankedTensorType typeOf(Value tensor);
  static mlir::Type elementOf(Value tensor);
  Sizes sizesOf(Value tensor);

  /// out[i...] = body(inputs at i...), `sizes` and `element` being out's.
  Value compute(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type element,
                llvm::ArrayRef<Input> inputs, Body body);

  /// Folds body(inputs..., accumulator) over the last `reduced` dimensions of
  /// `sizes`, from `init` on; out has the other dimensions.
  Value reduce(llvm::ArrayRef<mlir::OpFoldResult> sizes, int64_t reduced,
               mlir::TypedAttr init, llvm::ArrayRef<Input> inputs, Body body);

  /// The tensor with f32 elements; exact.
  Value toF32(Value tensor);
  /// The f32 tensor rounded to `element`.
  Value fromF32(Value tensor, mlir::Type element);

  /// out[m,n] = sum_k a[m,k] * b[n,k], f32; b[k,n] where not `transposed`.
  Value matmul(Value a, Value b, bool transposed = true);

  /// round( sum[m,n] + bias[n] ), f32 to `element`; `bias` may be null.
  Value addBias(Value sum, Value bias, mlir::Type element);

  /// [..., K] as [M, K], M the product of the leading dimensions.
  Value flatten(Value tensor);
  /// [M, L] as [..., L] with the leading dimensions of `like`.
  Value unflatten(Value tensor, Value like);
  /// [M, K] as [M, ceil(K/g), g], padded with zeros; K is static.
  Value splitGroups(Value tensor, int64_t g);
  /// The other way round, without the padding.
  Value joinGroups(Value tensor, int64_t k);
  /// The same elements as a tensor of `type`, where only what is static
  /// differs.
  Value castTo(Value tensor, mlir::Type type);

  Value constantF32(double value);
};

/// `value` (float) as f32, in the body of an expression.
mlir::Value extendToF32(mlir::ImplicitLocOpBuilder &b, mlir::Value value);
/// `value` (f32) as `type`, rounded half to even.
mlir::Value roundFromF32(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                         mlir::Type type);

} // namespace qk

#endif // QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_TENSORPROGRAM_H
