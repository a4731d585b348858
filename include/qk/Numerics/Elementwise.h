//===- Elementwise.h - Weights and statistics, scaled -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What the steps before a rounding do to a weight and to the statistics of its
/// input, element by element. With x' = x / s the weight becomes W' = W·s, and
///
///   H'[i,j] = H[i,j] / (s[i]·s[j]),  a'[k] = a[k] / s[k].
///
/// Source: SmoothQuant, arXiv 2211.10438, eq. 3; AWQ, arXiv 2306.00978, eq. 4.
///
/// Every element is computed on its own: results have the same bytes for any
/// number of threads. `in` and `out` may be the same array (not for transpose).
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_ELEMENTWISE_H
#define QK_NUMERICS_ELEMENTWISE_H

#include "qk/Numerics/Result.h"
#include "qk/Numerics/Scheme.h"

#include <cstdint>
#include <span>
#include <vector>

namespace qk::numerics {

/// out[i,k] = in[i,k] · factors[k], or with `inverse` in[i,k] / factors[k], in
/// f32, for `rows` rows of `k` elements. With an offset o it is
/// (in[i,k] + o) · factors[k] - o, for a norm that multiplies by o + w.
///
/// Errors: a factor that is not finite, with `inverse` also one that is 0.
Status scaleColumns(const float *in, int64_t rows, int64_t k,
                    const float *factors, bool inverse, float *out,
                    float offset = 0);

/// out[i,k] = in[i,k] · factors[i], or with `inverse` in[i,k] / factors[i].
///
/// Errors: as for scaleColumns.
Status scaleRows(const float *in, int64_t rows, int64_t k, const float *factors,
                 bool inverse, float *out);

/// H' of the statistic [k,k] as above. The product and the quotient are taken
/// in f64 and rounded once, so that H' is as symmetric as H.
///
/// Errors: a factor that is 0 or not finite.
Status scaleHessian(const float *in, int64_t k, const float *factors,
                    float *out);

/// a' of absmax or absmean [k] as above.
///
/// Errors: a factor that is 0 or not finite.
Status scaleMagnitudes(const float *in, int64_t k, const float *factors,
                       float *out);

/// Rounds each element, half to even, to what `type` can hold; beyond its
/// range: infinite.
void roundElements(float *values, int64_t count, ScaleType type);

/// A digit of an index in row-major order: `size` values, of which those from
/// `first` on, `count` of them, each step `stride` factors on.
struct FactorDigit {
  int64_t size;
  int64_t stride;
  int64_t first;
  int64_t count;
};

/// factors[Σ (i - first) · stride] for each index (i of each digit, the last
/// running fastest) that is inside of all parts, 1 for others.
std::vector<float> gatherFactors(const float *factors,
                                 std::span<const FactorDigit> digits);

/// The static scale of an activation whose largest magnitudes are `absmax` [k]
/// and whose codes go up to `maxCode`: the largest of them over maxCode, 1
/// where all are 0.
float activationScale(const float *absmax, int64_t k, int64_t maxCode);

/// out[j,i] = in[i,j] of a matrix [rows,columns].
void transpose(const float *in, int64_t rows, int64_t columns, float *out);

} // namespace qk::numerics

#endif // QK_NUMERICS_ELEMENTWISE_H
