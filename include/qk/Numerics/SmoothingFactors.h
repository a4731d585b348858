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
/// s, the weights' columns are multiplied by it. An element that was never fed
/// (a = 0) has s = 1: the formula's 1e-5 would blow up whatever it is fed
/// later. Channels that share a factor take their largest a and w.
///
/// Where alpha is searched, the loss is the output error that is to be expected
/// of rounding both sides:
///
///   tr( D·H·Dᵀ ) + Σ Q(W·s)² · E[step²]/12,   D = Q(W·s)/s - W
///
/// A rounded activation is the activation and noise of variance step²/12 on
/// each element. The step is max_k a[k]/s[k] / cmax per tensor; per token it is
/// the token's largest |x[k]|/s[k] / cmax, whose mean square is that of
/// independent normal x[k] with variance H[k,k], none beyond a[k].
///
/// Source: SmoothQuant, arXiv 2211.10438, eq. 4; mit-han-lab/smoothquant
/// smooth.py.
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_SMOOTHINGFACTORS_H
#define QK_NUMERICS_SMOOTHINGFACTORS_H

#include "qk/Numerics/Quantizer.h"
#include "qk/Numerics/WeightView.h"

#include <vector>

namespace qk::numerics {

/// The factors [k] for the statistic `absmax` [k] and all weights that read
/// the input.
///
/// Errors: alpha outside [0,1]; no weight; elements that are not finite;
/// a negative absmax.
Result<std::vector<float>>
smoothingFactors(const float *absmax, int64_t k,
                 std::span<const WeightView> weights, double alpha,
                 std::span<const SharedDigit> shared = {});

struct SmoothingSearchOptions {
  /// How the weights are rounded.
  QuantizerOptions quantizer;
  /// Largest code of an activation.
  int64_t maxCode = 127;
  /// Activations are rounded to floats of one byte, e4m3, not to multiples of a
  /// step.
  bool floatActivations = false;
  /// One scale for each token, or one for all.
  bool perToken = true;
  /// Steps between alpha 0 and 1; at least 1.
  int64_t grid = 20;
  std::vector<SharedDigit> shared = {};

  Status validate() const;
};

struct SmoothingSearch {
  /// [k]; all 1 where no smoothing was best.
  std::vector<float> factors;
  /// Negative where no smoothing was best.
  double alpha = -1;
  /// The loss above with the factors, and without any.
  double loss = 0;
  double unscaledLoss = 0;
};

/// The factors with the smallest loss of alpha = 0, 1/grid, …, 1 and of no
/// smoothing at all; the first of equal ones, no smoothing before all others.
/// Of the symmetric `hessian` [k,k] the upper triangle is read.
///
/// Errors: options that do not validate, and those of smoothingFactors.
Result<SmoothingSearch>
searchSmoothingFactors(const float *absmax, const float *hessian, int64_t k,
                       std::span<const WeightView> weights,
                       const SmoothingSearchOptions &options);

} // namespace qk::numerics

#endif // QK_NUMERICS_SMOOTHINGFACTORS_H
