//===- LinearForm.h - How an exporter writes a linear layer -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The interface between the raising pass, which names, filters and rewrites,
/// and the recognisers, one a family of input forms. A new form is a new
/// recogniser in `linearForms()`.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LINEARFORM_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LINEARFORM_H

#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"

#include <optional>
#include <string>

namespace qk::quant_llm {

/// A linear layer found in the IR: `result` equals
/// linear(x, transposed ? weightᵀ : weight, bias) up to rounding.
struct LinearMatch {
  /// The contraction; where remarks point.
  mlir::Operation *contraction = nullptr;
  /// [..., K].
  mlir::Value x;
  /// The constant's own value, [N,K], or [K,N] where `transposed`.
  mlir::Value weight;
  bool transposed = false;
  /// The constant's own value, [N], or null.
  mlir::Value bias;
  /// What the layer replaces, [..., N].
  mlir::Value result;
};

/// What a recogniser says of an operation.
struct LinearFinding {
  std::optional<LinearMatch> match;
  /// Why something that looks like a linear layer is none; empty for an
  /// operation that does not look like one.
  std::string reason;

  static LinearFinding unrelated() { return {}; }
  static LinearFinding rejected(const llvm::Twine &reason) {
    return {std::nullopt, reason.str()};
  }
};

/// Contractions of linalg ops on tensors, as torch-mlir and others lower
/// linear layers to.
LinearFinding findLinalgLinear(mlir::Operation *op);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LINEARFORM_H
