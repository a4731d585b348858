//===- WideMath.h - Functions as arithmetic of f64 -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Functions of f64 in kernels, by series: NVIDIA's libdevice, which has them,
/// comes with CUDA. Those of f32 that upstream's polynomials lose places of go
/// through f64, too.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_NVVM_WIDEMATH_H
#define QK_LIB_CONVERSION_NVVM_WIDEMATH_H

#include "mlir/IR/PatternMatch.h"

namespace qk::nvvm {

/// exp, log, log2, log10, log1p, expm1, powf and remf.
void populateWideMathPatterns(mlir::RewritePatternSet &patterns);

} // namespace qk::nvvm

#endif // QK_LIB_CONVERSION_NVVM_WIDEMATH_H
