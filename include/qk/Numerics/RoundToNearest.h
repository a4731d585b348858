//===- RoundToNearest.h - Quantise and dequantise a weight ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_ROUNDTONEAREST_H
#define QK_NUMERICS_ROUNDTONEAREST_H

#include "qk/Numerics/Quantizer.h"

namespace qk::numerics {

/// Succeeds when every element of the row-major [n,k] matrix is finite. The
/// error names `what` and the first row and column that is not.
Status checkFinite(const float *matrix, int64_t n, int64_t k, const char *what);

/// Rounds every element of `w`, row-major [n,k], to the nearest code of its
/// group. Groups lie along k and need not divide it. `columnWeights` [k], for
/// instance diag(H), is what ScaleSearch::Weighted weighs columns by; otherwise
/// it may be null.
///
/// Errors: options that do not validate, elements that are not finite, a
/// weighted search without weights.
Result<QuantizedWeight> roundToNearest(const float *w, int64_t n, int64_t k,
                                       const QuantizerOptions &options,
                                       const float *columnWeights = nullptr);

/// The values that `weight` stands for, row-major [n,k], in the order of the
/// original columns (the permutation is undone).
std::vector<float> dequantize(const QuantizedWeight &weight);

} // namespace qk::numerics

#endif // QK_NUMERICS_ROUNDTONEAREST_H
