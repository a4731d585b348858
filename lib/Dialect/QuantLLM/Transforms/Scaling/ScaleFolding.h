//===- ScaleFolding.h - Dividing a value where it is made -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Can what some linears read be divided by factors, channel by channel,
/// without an op that divides: by dividing constants that it is made from? The
/// value is followed backwards by what division goes through:
///
///   reshapes, transposes, copies, conversions    into what they rearrange
///   a * b                                         into one of them
///   a + b, a - b, a / b                           into both, or the dividend
///   -a, |a|, max(a, 0), a > 0 ? a : c·a           (factors are positive)
///   attention's  P·V                              into V, whose heads may be
///                                                 shared by several of P's
///   slices                                        into some rows of a linear
///                                                 that query, key and value,
///                                                 or gate and up, share
///   a constant (a norm's weight or bias, 1 + w), a linear's rows and bias
///
/// in linalg and TOSA, and in StableHLO, torch and ONNX in generic form. It is
/// legal where everything that reads a divided value expects it divided.
/// Nothing depends on names.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_SCALEFOLDING_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_SCALEFOLDING_H

#include "ChannelMap.h"

#include "mlir/IR/Builders.h"

#include <string>
#include <vector>

namespace qk::quant_llm {

/// What is to be divided so that a value is.
struct FoldPlan {
  /// A constant, or a view of one: w becomes (w + offset) / s - offset where
  /// `operand` reads it.
  struct ScaledConstant {
    mlir::OpOperand *operand;
    ChannelMap map;
    double offset;
  };
  /// A `linear`, or a `matmul` with a recipe: rows and bias.
  struct ScaledLinear {
    mlir::Operation *op;
    DimDigits rows;
  };
  std::vector<ScaledConstant> constants;
  std::vector<ScaledLinear> linears;
  /// Digits of the channels that must have equal factors.
  llvm::SmallVector<ChannelDigit> shared;

  /// Into constants alone: a norm.
  bool isNorm() const { return linears.empty() && !constants.empty(); }
};

/// What became of planning.
struct FoldFinding {
  std::optional<FoldPlan> plan;
  /// Why there is no plan, and where.
  std::string reason;
  std::optional<mlir::Location> location;
};

/// Plans the division of the `channels` elements along the last dimension of
/// what `uses` read; they are all that expects it divided.
FoldFinding planFold(llvm::ArrayRef<mlir::OpOperand *> uses, int64_t channels);

/// Carries a plan out. `factors` [channels] is equal along plan.shared. Gives
/// the names of what was divided. Errors are emitted: a constant that can't be
/// made a parameter.
mlir::FailureOr<std::vector<std::string>>
applyFold(const FoldPlan &plan, mlir::Value factors, llvm::StringRef layer);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_SCALEFOLDING_H
