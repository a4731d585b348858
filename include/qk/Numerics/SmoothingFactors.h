//===- SmoothingFactors.h - SmoothQuant's factors ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// How much of an activation's outliers moves into the weights:
///
///   s[k] = max( a[k]^alpha / w[k]^(1-alpha), 1e-5 )
///   w[k] = max( max over all weights and rows of |W[n,k]|, 1e-5 )
///
/// with a the largest magnitude of each input element. The input is divided by
/// s, the weights' columns are multiplied by it.
///
/// Source: SmoothQuant, arXiv 2211.10438, eq. 4; mit-han-lab/smoothquant
/// smooth.py.
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_SMOOTHINGFACTORS_H
#define QK_NUMERICS_SMOOTHINGFACTORS_H

#include "qk/Numerics/WeightView.h"

#include <vector>

namespace qk::numerics {

/// The factors [k] for the statistic `absmax` [k] and all weights that read
/// the input.
///
/// Errors: alpha outside [0,1]; no weight; elements that are not finite;
/// a negative absmax.
Result<std::vector<float>> smoothingFactors(const float *absmax, int64_t k,
                                            std::span<const WeightView> weights,
                                            double alpha);

} // namespace qk::numerics

#endif // QK_NUMERICS_SMOOTHINGFACTORS_H
