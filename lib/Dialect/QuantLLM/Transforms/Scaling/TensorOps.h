//===- TensorOps.h - Ops on whole tensors, for folding ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What ops of TOSA, StableHLO, torch and ONNX do to the channels of what they
/// read. The last three are known by name (Raising/UnlinkedOps.h). linalg says
/// it by itself, with maps and bodies.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_TENSOROPS_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_TENSOROPS_H

#include "ChannelMap.h"

namespace qk::quant_llm {

/// What an op computes, element by element unless it says otherwise.
enum class TensorOpKind {
  Other,
  /// a + b
  Sum,
  /// a - b
  Difference,
  /// The larger or the smaller of two.
  Extremum,
  Product,
  /// a / b
  Quotient,
  /// f(a) with f(a / s) = f(a) / s for s > 0: -a, |a|, max(a, 0).
  Homogeneous,
  /// A product of matrices, or attention.
  Contraction,
  Concatenation,
  /// A norm with weight and bias in one op.
  Norm,
};

TensorOpKind getTensorOpKind(mlir::Operation *op);

/// The operands of `op`, of a kind that works element by element, that are
/// tensors; of a norm its weight and bias; of a concatenation all parts.
llvm::SmallVector<mlir::OpOperand *> getTensorOperands(mlir::Operation *op);

/// The dimension along which a concatenation joins tensors; nullopt where it
/// can't be read.
std::optional<int64_t> getConcatenatedDim(mlir::Operation *op);

/// The number that an operand always is: a uniform constant, or torch's scalar.
std::optional<double> getUniformNumber(mlir::Value value);

/// For an op that only casts, reshapes, transposes or repeats: its source.
/// Channels that it repeats are `shared`.
std::optional<ElementAccess> getTensorLayout(mlir::Value value,
                                             const ChannelMap &map);

/// The map of an operand of an op, of a kind that works element by element,
/// whose result has `map`: operands are repeated along dimensions that they
/// lack or that have size one.
std::optional<ElementAccess> getRepeatedOperand(mlir::OpOperand &operand,
                                                const ChannelMap &map);

/// One side of a product of matrices.
struct ContractedSide {
  mlir::OpOperand *operand;
  /// For each of its dimensions that of the result; -1 where it is summed over.
  llvm::SmallVector<int64_t> resultDims;
};

/// Both sides, of attention the values and nothing (the weights are made
/// inside); empty where the op isn't understood.
llvm::SmallVector<ContractedSide, 2> getContractedSides(mlir::Operation *op);

/// The map of a side of a product whose result has `map`.
std::optional<ElementAccess> getContractedOperand(const ContractedSide &side,
                                                  mlir::Value result,
                                                  const ChannelMap &map);

/// A part of a tensor, with steps of one.
struct TensorSlice {
  mlir::OpOperand *source;
  /// For each dimension of the source; dynamic ones are ShapedType::kDynamic.
  llvm::SmallVector<int64_t> offsets, sizes;
  /// Dimensions of the source that the result lacks.
  llvm::SmallBitVector dropped;
  /// The use of the source is that of other parts, too (torch's split).
  bool isOneOfSeveral = false;
};

/// What `value` is a part of, by `tensor.extract_slice` and slices of the
/// dialects above.
std::optional<TensorSlice> getTensorSlice(mlir::Value value);

/// Whether `use` asks only for sizes, or the type.
bool readsSizesOnly(mlir::OpOperand &use);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_TENSOROPS_H
