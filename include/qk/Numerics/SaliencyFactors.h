//===- SaliencyFactors.h - AWQ's factors ------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Columns that are fed large inputs are made larger before they are rounded,
/// as far as that lowers the output error. For r = 0, 1/grid, …, 1:
///
///   s = max( a^r, 1e-4 ),  or  max( a^r / (w^(1-r) + 1e-4), 1e-4 )  with duo
///   s = s / sqrt( max(s) · min(s) )
///
/// a being the mean magnitude of each input element and w[k] the mean over all
/// rows of |W[n,k]| relative to the largest of its group (0 in a group of
/// zeros). An element that was never fed (a = 0) has s = 1 and is left out of
/// max and min: what it was scaled by would be arbitrary. Channels that share a
/// factor take the mean of their a and w. The result is the s with the smallest
///
///   sum over the weights of tr( D·H·Dᵀ ),  D = Q(W·s)/s - W,
///
/// Q rounding to nearest; the first of equal ones, no scaling before all
/// others. The Hessian makes that the mean squared output error on the
/// calibration tokens, so no token needs to be kept.
///
/// Source: AWQ, arXiv 2306.00978, eq. 4 and 5; llm-awq auto_scale.py, AutoAWQ
/// (duo).
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_SALIENCYFACTORS_H
#define QK_NUMERICS_SALIENCYFACTORS_H

#include "qk/Numerics/Quantizer.h"
#include "qk/Numerics/WeightView.h"

#include <vector>

namespace qk::numerics {

struct SaliencyOptions {
  QuantizerOptions quantizer;
  /// Steps of the search; at least 1.
  int64_t grid = 20;
  /// Take the weights' sizes into account.
  bool duo = false;
  /// Channels that must have equal factors.
  std::vector<SharedDigit> shared = {};

  Status validate() const;
};

struct SaliencyFactors {
  /// [k]
  std::vector<float> factors;
  /// The r that was best; 0 and `factors` all 1 where no scaling was.
  double ratio = 0;
  /// The sum above with the factors, and without any.
  double loss = 0;
  double unscaledLoss = 0;
};

/// Searches the factors for `absmean` [k], the symmetric `hessian` [k,k] (its
/// upper triangle is read), and all weights that read the input.
///
/// Errors: options that do not validate; no weight; elements that are not
/// finite; a negative absmean.
Result<SaliencyFactors> saliencyFactors(const float *absmean,
                                        const float *hessian, int64_t k,
                                        std::span<const WeightView> weights,
                                        const SaliencyOptions &options);

/// The `count` channels of the largest `absmean` [k], the first of equal ones.
///
/// Errors: a count outside [0,k]; elements that are negative or not finite.
Result<std::vector<bool>> salientChannels(const float *absmean, int64_t k,
                                          int64_t count);

} // namespace qk::numerics

#endif // QK_NUMERICS_SALIENCYFACTORS_H
