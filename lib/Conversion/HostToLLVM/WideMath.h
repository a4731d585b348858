//===- WideMath.h - Functions as arithmetic of f64 -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Functions of f64 by series, without a branch. GPU kernels have no others:
/// NVIDIA's libdevice comes with CUDA. Those of f32 that upstream's expansions
/// lose places of go through f64, too.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_HOSTTOLLVM_WIDEMATH_H
#define QK_LIB_CONVERSION_HOSTTOLLVM_WIDEMATH_H

#include "mlir/IR/PatternMatch.h"

namespace qk {

/// log1p and expm1, which upstream's conversion to LLVM computes as log(1 + x)
/// and exp(x) - 1: next to 0 all places are lost.
void populateNearZeroMathPatterns(mlir::RewritePatternSet &patterns);

/// These, and exp, log, log2, log10, powf and remf.
void populateWideMathPatterns(mlir::RewritePatternSet &patterns);

} // namespace qk

#endif // QK_LIB_CONVERSION_HOSTTOLLVM_WIDEMATH_H
