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

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"

#include <functional>
#include <optional>
#include <string>

namespace qk::quant_llm {

/// A linear layer found in the IR: `result` equals
/// linear(x, transposed ? weightᵀ : weight, bias) up to rounding.
struct LinearMatch {
  /// The contraction; where remarks point.
  mlir::Operation *contraction = nullptr;
  /// The activation, [..., K] unless makeX is given.
  mlir::Value x;
  /// The constant's own value, whose elements in memory are [N,K], or [K,N]
  /// where `transposed`; of any shape where n and k are given, else of this.
  mlir::Value weight;
  bool transposed = false;
  int64_t n = 0, k = 0;
  /// The constant's own value, of N elements, or null.
  mlir::Value bias;
  /// Where weight or bias are not all of these constants in their own order:
  /// which elements, in that of [N,K] (`transposed` is false then) and [N].
  PartAttr weightPart, biasPart;
  /// What the layer replaces, [..., N] unless makeResult is given.
  mlir::Value result;

  /// The op that the layer goes before, where that isn't the one of `result`.
  mlir::Operation *before = nullptr;
  /// Where the layer's operand isn't `x` itself: makes it of `x`.
  std::function<mlir::Value(mlir::OpBuilder &)> makeX;
  /// Where what replaces `result` isn't the layer's own result, of type
  /// `yType`: makes it of that.
  mlir::RankedTensorType yType;
  std::function<mlir::Value(mlir::OpBuilder &, mlir::Value y)> makeResult;
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

/// Whether a layer may be computed in elements of this type.
bool isLayerType(mlir::Type type);

/// What a product with a constant in elements of another type is.
LinearFinding rejectType(mlir::Type type);

/// A weight that is a view of a constant of fewer elements is none.
LinearFinding rejectRepeated();

/// A part of the constant `root` that is none of the tensor that a file has
/// for it (getConstantPart, Constants.h).
LinearFinding rejectPart(mlir::Value root);

/// Contractions of linalg ops on tensors, as torch-mlir and others lower
/// linear layers to.
LinearFinding findLinalgLinear(mlir::Operation *op);

/// Products and 1x1 convolutions of TOSA, as torch-mlir and TFLite's converter
/// write linear layers.
LinearFinding findTosaLinear(mlir::Operation *op);

/// Products of StableHLO, torch and ONNX ops, dialects that are not linked.
LinearFinding findStableHLOLinear(mlir::Operation *op);
LinearFinding findTorchLinear(mlir::Operation *op);
LinearFinding findOnnxLinear(mlir::Operation *op);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LINEARFORM_H
