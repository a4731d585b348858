//===- QuantizedInput.h - Products with quantised inputs --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What the lowerings of matmul share: its input in two dimensions, and the
/// product where that is quantised.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_QUANTIZEDINPUT_H
#define QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_QUANTIZEDINPUT_H

#include "TensorProgram.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

namespace qk {

/// x [..., K] as [M,K] with K static.
mlir::Value flattenInput(TensorProgram &program, mlir::Value x, int64_t k);

/// out[m,k] = x[m, p(k)]
mlir::Value permuteColumns(TensorProgram &program, mlir::Value x,
                           mlir::Value permutation);

/// A quantised activation in two dimensions: codes [M,K]; scales and zero
/// points [M,G] (or [1,1]) over `length` consecutive elements.
struct QuantizedInput {
  mlir::Value codes, scales, zeroPoints;
  int64_t length;
  bool perTensor;
  /// Codes are floats of one byte, e4m3.
  bool isFloat;

  /// Where an expression's row is in the scales.
  int64_t row(int64_t dim) const {
    return perTensor ? TensorProgram::kOne : dim;
  }
};

/// The operands of a matmul whose x is quantised; `zeroPoints` may be null.
QuantizedInput readQuantizedInput(TensorProgram &program, mlir::Value x,
                                  mlir::Value scales, mlir::Value zeroPoints,
                                  quant_llm::ActivationSchemeAttr scheme,
                                  int64_t k);

/// s[m,k/g] * (x[m,k] - z[m,k/g]) as f32, [M,K].
mlir::Value dequantizeInput(TensorProgram &program, const QuantizedInput &x);

/// As many consecutive columns as always share all their scales, where scales
/// of x are over `xLength` and those of the weight over `groupLength` of `k`
/// columns.
int64_t stretchLength(int64_t xLength, int64_t groupLength, int64_t k);

/// For integer codes: sum over stretches of sx * sw * (integer sum of the
/// stretch), f32 [M,N]. `weight`: the centred codes as [N, stretches,
/// stretchLength()], padded with zeros, of an integer type that holds them;
/// `scales` [N,G] over `groupLength` columns; sums are of type `accumulator`,
/// which must hold them.
mlir::Value integerMatmul(TensorProgram &program, const QuantizedInput &x,
                          mlir::Value weight, mlir::Value scales,
                          int64_t groupLength, mlir::IntegerType accumulator);

} // namespace qk

#endif // QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_QUANTIZEDINPUT_H
