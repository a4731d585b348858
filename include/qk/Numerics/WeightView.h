//===- WeightView.h - Weights that read one input ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_WEIGHTVIEW_H
#define QK_NUMERICS_WEIGHTVIEW_H

#include "qk/Numerics/Result.h"

#include <cstdint>
#include <span>

namespace qk::numerics {

/// One of the weights that read the same input of K elements, for instance
/// those of the query, key and value projections: row-major [n,K].
struct WeightView {
  const float *data;
  int64_t n;
};

/// Channels that are given one factor: those whose numbers differ only in the
/// digit k / stride mod size. size·stride divides K.
struct SharedDigit {
  int64_t size;
  int64_t stride;
};

/// The first of the channels that share k's factor.
int64_t firstSharing(int64_t k, std::span<const SharedDigit> shared);

/// Succeeds when there is a weight and all elements are finite; the error names
/// the number of the weight.
Status checkWeights(std::span<const WeightView> weights, int64_t k);

/// Succeeds when the statistic `values` [k] is finite and not negative.
Status checkMagnitudes(const float *values, int64_t k, const char *what);

} // namespace qk::numerics

#endif // QK_NUMERICS_WEIGHTVIEW_H
