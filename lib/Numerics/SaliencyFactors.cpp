//===- SaliencyFactors.cpp - AWQ's factors --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/SaliencyFactors.h"

#include "Panel.h"
#include "ScaledRounding.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/RoundToNearest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

namespace qk::numerics {

Status SaliencyOptions::validate() const {
  if (grid < 1)
    return Error{"expected grid to be at least 1, got " + std::to_string(grid)};
  if (quantizer.scaleSearch == ScaleSearch::Weighted)
    return Error{"saliency factors do not support a weighted scale search"};
  return quantizer.validate();
}

/// w[k]: mean over all rows of |W[n,k]| relative to the largest of its group.
static std::vector<double> relativeSizes(std::span<const WeightView> weights,
                                         int64_t k, const Scheme &scheme) {
  int64_t length = scheme.groupLength(k), rows = 0;
  std::vector<double> sizes(k);
  for (const WeightView &weight : weights)
    rows += weight.n;
  parallelFor(scheme.groups(k), [&](int64_t group) {
    int64_t begin = group * length, end = std::min(k, begin + length);
    for (const WeightView &weight : weights)
      for (int64_t row = 0; row < weight.n; ++row) {
        const float *w = weight.data + row * k;
        float largest = 0;
        for (int64_t i = begin; i < end; ++i)
          largest = std::max(largest, std::fabs(w[i]));
        if (largest == 0)
          continue;
        for (int64_t i = begin; i < end; ++i)
          sizes[i] += std::fabs(w[i]) / largest;
      }
    for (int64_t i = begin; i < end; ++i)
      sizes[i] /= std::max<int64_t>(rows, 1);
  });
  return sizes;
}

/// The mean of channels that share a factor, for all of them.
static void takeMeans(std::vector<double> &values,
                      std::span<const SharedDigit> shared) {
  if (shared.empty() || values.empty())
    return;
  std::vector<double> sums(values.size());
  std::vector<int64_t> counts(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    int64_t first = firstSharing(static_cast<int64_t>(i), shared);
    sums[first] += values[i];
    ++counts[first];
  }
  for (size_t i = 0; i < values.size(); ++i) {
    int64_t first = firstSharing(static_cast<int64_t>(i), shared);
    values[i] = sums[first] / static_cast<double>(counts[first]);
  }
}

/// The factors for one r; `sizes` is empty without duo.
static std::vector<float> factorsFor(double r,
                                     const std::vector<double> &absmean,
                                     const std::vector<double> &sizes) {
  size_t k = absmean.size();
  std::vector<double> s(k, 1.0);
  double least = std::numeric_limits<double>::infinity(), largest = 0;
  for (size_t i = 0; i < k; ++i) {
    if (absmean[i] == 0)
      continue;
    s[i] = std::pow(absmean[i], r);
    if (!sizes.empty())
      s[i] /= std::pow(sizes[i], 1 - r) + 1e-4;
    s[i] = std::max(s[i], 1e-4);
    least = std::min(least, s[i]);
    largest = std::max(largest, s[i]);
  }
  double middle = largest > 0 ? std::sqrt(least * largest) : 1.0;
  std::vector<float> factors(k, 1.0f);
  for (size_t i = 0; i < k; ++i)
    if (absmean[i] != 0)
      factors[i] = static_cast<float>(s[i] / middle);
  return factors;
}

Result<SaliencyFactors> saliencyFactors(const float *absmean,
                                        const float *hessian, int64_t k,
                                        std::span<const WeightView> weights,
                                        const SaliencyOptions &options) {
  if (Status status = options.validate(); !status)
    return status.error();
  if (Status status = checkMagnitudes(absmean, k, "absmean"); !status)
    return status.error();
  if (Status status = checkFinite(hessian, k, k, "the Hessian"); !status)
    return status.error();
  if (Status status = checkWeights(weights, k); !status)
    return status.error();

  std::vector<double> means(absmean, absmean + k), sizes;
  if (options.duo)
    sizes = relativeSizes(weights, k, options.quantizer.scheme);
  takeMeans(means, options.shared);
  takeMeans(sizes, options.shared);
  int64_t rows = 0;
  for (const WeightView &weight : weights)
    rows = std::max(rows, weight.n);
  auto scratch = uninitialized<float>(rows * k);
  auto lossWith = [&](const std::vector<float> &s) -> Result<double> {
    double sum = 0;
    for (const WeightView &weight : weights) {
      Result<ScaledRounding> rounding = roundScaled(
          weight, k, hessian, s.data(), options.quantizer, scratch.get());
      if (!rounding)
        return rounding.error();
      sum += rounding->loss;
    }
    return sum;
  };

  SaliencyFactors best{std::vector<float>(k, 1.0f)};
  Result<double> unscaled = lossWith(best.factors);
  if (!unscaled)
    return unscaled.error();
  best.loss = best.unscaledLoss = *unscaled;
  // Without duo r = 0 is no scaling, which has been tried.
  for (int64_t step = options.duo ? 0 : 1; step <= options.grid; ++step) {
    double r = static_cast<double>(step) / static_cast<double>(options.grid);
    std::vector<float> candidate = factorsFor(r, means, sizes);
    Result<double> loss = lossWith(candidate);
    if (!loss)
      return loss.error();
    if (*loss < best.loss) {
      best.factors = std::move(candidate);
      best.ratio = r;
      best.loss = *loss;
    }
  }
  return best;
}

Result<std::vector<bool>> salientChannels(const float *absmean, int64_t k,
                                          int64_t count) {
  if (count < 0 || count > k)
    return Error{"expected a number of salient channels in [0, " +
                 std::to_string(k) + "], got " + std::to_string(count)};
  for (int64_t i = 0; i < k; ++i)
    if (!(absmean[i] >= 0) || !std::isfinite(absmean[i]))
      return Error{"absmean of channel " + std::to_string(i) +
                   " is negative or not finite"};
  std::vector<int64_t> channels(k);
  std::iota(channels.begin(), channels.end(), 0);
  std::sort(channels.begin(), channels.end(), [&](int64_t a, int64_t b) {
    return absmean[a] != absmean[b] ? absmean[a] > absmean[b] : a < b;
  });
  std::vector<bool> salient(k);
  for (int64_t i = 0; i < count; ++i)
    salient[channels[i]] = true;
  return salient;
}

} // namespace qk::numerics
