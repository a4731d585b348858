//===- Verifiers.h - What verifiers of ops share ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Checks that several ops' numbered constraints (the ODS files) are made of. A
/// dynamic dimension fits any size. Each emits its error at the op.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_IR_VERIFIERS_H
#define QK_LIB_DIALECT_QUANTLLM_IR_VERIFIERS_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "llvm/ADT/STLExtras.h"

namespace qk::quant_llm::verifiers {

mlir::RankedTensorType tensorType(mlir::Value value);

/// Whether sizes may be equal.
bool fits(int64_t a, int64_t b);

/// The size of the last dimension.
int64_t lastSize(mlir::Value value);

/// Checks that a dimension of `what` is `expected`.
mlir::LogicalResult checkSize(mlir::Operation *op, const mlir::Twine &what,
                              int64_t got, int64_t expected,
                              const mlir::Twine &why);

/// Checks that `value` is no scalar.
mlir::LogicalResult checkHasDimension(mlir::Operation *op, mlir::StringRef name,
                                      mlir::Value value);

/// Checks that the shape of `value` is static.
mlir::LogicalResult checkStatic(mlir::Operation *op, mlir::StringRef name,
                                mlir::Value value);

/// Checks that a layer has a name.
mlir::LogicalResult checkLayer(mlir::Operation *op, mlir::StringRef layer);

/// Codes, scales and zero points fit the scheme: codes [N,K] static of the
/// storage type, scales [N,G] of the scale type, zero points [N,G] of i8 or
/// i16.
mlir::LogicalResult checkQuantized(mlir::Operation *op, SchemeAttr scheme,
                                   mlir::Value codes, mlir::Value scales,
                                   mlir::Value zeroPoints);

/// `permutation` has K elements, `bias` N.
mlir::LogicalResult checkPermutationAndBias(mlir::Operation *op,
                                            mlir::Value permutation,
                                            mlir::Value bias, int64_t n,
                                            int64_t k);

} // namespace qk::quant_llm::verifiers

#endif // QK_LIB_DIALECT_QUANTLLM_IR_VERIFIERS_H
