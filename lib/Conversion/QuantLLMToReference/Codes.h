//===- Codes.h - Codes, scales and zero points as values --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Expressions that several lowerings share. Codes are [N,K] of i8 by now,
/// sub-byte ones zero-extended; scales and zero points [N,G].
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_CODES_H
#define QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_CODES_H

#include "TensorProgram.h"

#include "qk/Numerics/Scheme.h"

namespace qk {

/// c[n,k] - z[n,k/g] as i32, [N,K], of integer codes. `zeroPoints` may be null.
mlir::Value subtractZeroPoints(TensorProgram &program, mlir::Value codes,
                               mlir::Value zeroPoints,
                               const numerics::Scheme &scheme);

/// s[n,k/g] * (c[n,k] - z[n,k/g]) as f32, [N,K].
mlir::Value dequantizeToF32(TensorProgram &program, mlir::Value codes,
                            mlir::Value scales, mlir::Value zeroPoints,
                            const numerics::Scheme &scheme);

/// The f32 value `value` as the nearest integer of `type`, half to even, at
/// least `min` and at most `max`. Not a number gives `min`.
mlir::Value roundAndClamp(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                          int64_t min, int64_t max, mlir::Type type);

/// The f32 value of a byte of e4m3 (qk/Numerics/Float8.h).
mlir::Value decodeE4M3(mlir::ImplicitLocOpBuilder &b, mlir::Value byte);

/// The byte of the value of e4m3 nearest to the f32 `value`, half to even, at
/// most 448 in magnitude. Not a number gives -448.
mlir::Value encodeE4M3(mlir::ImplicitLocOpBuilder &b, mlir::Value value);

/// The constant `value` in the body of an expression.
mlir::Value constantOf(mlir::ImplicitLocOpBuilder &b, mlir::Type type,
                       double value);

} // namespace qk

#endif // QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_CODES_H
