//===- SmoothingFactors.cpp - SmoothQuant's factors -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/SmoothingFactors.h"

#include "Panel.h"
#include "ScaledRounding.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/RoundToNearest.h"

#include <algorithm>
#include <cmath>

namespace qk::numerics {

/// max over all rows of |W[n,k]|.
static std::vector<float> columnMaxima(std::span<const WeightView> weights,
                                       int64_t k) {
  constexpr int64_t kColumns = 256;
  std::vector<float> maxima(k);
  parallelFor((k + kColumns - 1) / kColumns, [&](int64_t item) {
    int64_t begin = item * kColumns, end = std::min(k, begin + kColumns);
    for (const WeightView &weight : weights)
      for (int64_t row = 0; row < weight.n; ++row)
        for (int64_t i = begin; i < end; ++i)
          maxima[i] = std::max(maxima[i], std::fabs(weight.data[row * k + i]));
  });
  return maxima;
}

/// The largest of channels that share a factor, for all of them.
static void takeMaxima(std::vector<float> &values,
                       std::span<const SharedDigit> shared) {
  if (shared.empty())
    return;
  int64_t k = static_cast<int64_t>(values.size());
  for (int64_t i = 0; i < k; ++i) {
    float &first = values[firstSharing(i, shared)];
    first = std::max(first, values[i]);
  }
  for (int64_t i = 0; i < k; ++i)
    values[i] = values[firstSharing(i, shared)];
}

/// The formula, from maxima that channels share already.
static std::vector<float> factorsFor(double alpha,
                                     const std::vector<float> &absmax,
                                     const std::vector<float> &weights) {
  std::vector<float> factors(absmax.size(), 1.0f);
  for (size_t i = 0; i < factors.size(); ++i) {
    if (absmax[i] == 0)
      continue;
    double w = std::max<double>(weights[i], 1e-5);
    double s = std::pow<double>(absmax[i], alpha) / std::pow(w, 1 - alpha);
    factors[i] = static_cast<float>(std::max(s, 1e-5));
  }
  return factors;
}

Result<std::vector<float>>
smoothingFactors(const float *absmax, int64_t k,
                 std::span<const WeightView> weights, double alpha,
                 std::span<const SharedDigit> shared) {
  if (!(alpha >= 0 && alpha <= 1))
    return Error{"expected alpha to be in [0, 1], got " +
                 std::to_string(alpha)};
  if (Status status = checkMagnitudes(absmax, k, "absmax"); !status)
    return status.error();
  if (Status status = checkWeights(weights, k); !status)
    return status.error();
  std::vector<float> a(absmax, absmax + k), w = columnMaxima(weights, k);
  takeMaxima(a, shared);
  takeMaxima(w, shared);
  return factorsFor(alpha, a, w);
}

Status SmoothingSearchOptions::validate() const {
  if (grid < 1)
    return Error{"expected grid to be at least 1, got " + std::to_string(grid)};
  if (maxCode < 1)
    return Error{"expected the largest code to be at least 1, got " +
                 std::to_string(maxCode)};
  if (quantizer.scaleSearch == ScaleSearch::Weighted)
    return Error{"smoothing factors do not support a weighted scale search"};
  return quantizer.validate();
}

/// The variance of rounding x to e4m3, over x²: a step is 2^-3 of x's power of
/// two, its variance step²/12, and 1/m² of mantissas spread evenly over [1, 2)
/// is 1/2 in the mean. Subnormals, which are less than 2^-14 of the largest
/// value, are not counted.
constexpr double kE4M3Variance = 0x1p-7 / 12;

/// E[max_k (x[k]/s[k])²] of a token.
static double meanSquaredLargest(const float *absmax, const float *hessian,
                                 int64_t k, const float *s) {
  constexpr int64_t kSteps = 128;
  double end = 0;
  for (int64_t i = 0; i < k; ++i)
    end = std::max<double>(end, absmax[i] / s[i]);
  // ∫ 2t·P(max > t) dt from 0 to what nothing exceeds, by the midpoint rule.
  std::vector<double> parts(kSteps);
  parallelFor(kSteps, [&](int64_t step) {
    double t = end * (static_cast<double>(step) + 0.5) / kSteps, below = 1;
    for (int64_t i = 0; i < k && below > 0; ++i) {
      double deviation = std::sqrt(2.0 * hessian[i * k + i]) / s[i];
      if (deviation > 0 && t < absmax[i] / s[i])
        below *= std::erf(t / deviation);
    }
    parts[step] = 2 * t * (1 - below) * end / kSteps;
  });
  double sum = 0;
  for (double part : parts)
    sum += part;
  return sum;
}

Result<SmoothingSearch>
searchSmoothingFactors(const float *absmax, const float *hessian, int64_t k,
                       std::span<const WeightView> weights,
                       const SmoothingSearchOptions &options) {
  if (Status status = options.validate(); !status)
    return status.error();
  if (Status status = checkMagnitudes(absmax, k, "absmax"); !status)
    return status.error();
  if (Status status = checkFinite(hessian, k, k, "the Hessian"); !status)
    return status.error();
  if (Status status = checkWeights(weights, k); !status)
    return status.error();

  int64_t rows = 0;
  for (const WeightView &weight : weights)
    rows = std::max(rows, weight.n);
  auto scratch = uninitialized<float>(rows * k);
  auto lossWith = [&](const std::vector<float> &s) -> Result<double> {
    ScaledRounding sum;
    for (const WeightView &weight : weights) {
      Result<ScaledRounding> rounding = roundScaled(
          weight, k, hessian, s.data(), options.quantizer, scratch.get());
      if (!rounding)
        return rounding.error();
      sum.loss += rounding->loss;
      sum.energy += rounding->energy;
      sum.fedEnergy += rounding->fedEnergy;
    }
    if (options.floatActivations)
      return sum.loss + sum.fedEnergy * kE4M3Variance;
    double largest = 0;
    if (options.perToken) {
      largest = meanSquaredLargest(absmax, hessian, k, s.data());
    } else {
      for (int64_t i = 0; i < k; ++i)
        largest = std::max<double>(largest, absmax[i] / s[i]);
      largest *= largest;
    }
    double codes = static_cast<double>(options.maxCode);
    return sum.loss + sum.energy * largest / (codes * codes * 12);
  };

  SmoothingSearch best;
  best.factors.assign(k, 1.0f);
  Result<double> unscaled = lossWith(best.factors);
  if (!unscaled)
    return unscaled.error();
  best.loss = best.unscaledLoss = *unscaled;
  std::vector<float> a(absmax, absmax + k), w = columnMaxima(weights, k);
  takeMaxima(a, options.shared);
  takeMaxima(w, options.shared);
  for (int64_t step = 0; step <= options.grid; ++step) {
    double alpha =
        static_cast<double>(step) / static_cast<double>(options.grid);
    std::vector<float> candidate = factorsFor(alpha, a, w);
    Result<double> loss = lossWith(candidate);
    if (!loss)
      return loss.error();
    if (*loss < best.loss) {
      best.factors = std::move(candidate);
      best.alpha = alpha;
      best.loss = *loss;
    }
  }
  return best;
}

} // namespace qk::numerics
