//===- LogProbabilities.h - Logits to probabilities -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_LOGPROBABILITIES_H
#define QK_NUMERICS_LOGPROBABILITIES_H

#include <cstdint>

namespace qk::numerics {

/// Turns `count` ≥ 1 logits, in place, into the logarithms of the softmax:
/// x[i] - log Σ exp x. In f64, exponentials within 2 units in the last place;
/// sums in a fixed order of sixteen lanes. A logit that is not finite makes
/// results that are not. With `probabilities` (null: none) also their
/// exponentials, which sum to one.
void toLogProbabilities(double *x, int64_t count, double *probabilities);

/// Σ p·(logP - logQ), over all p > 0.
double divergence(const double *p, const double *logP, const double *logQ,
                  int64_t count);

} // namespace qk::numerics

#endif // QK_NUMERICS_LOGPROBABILITIES_H
