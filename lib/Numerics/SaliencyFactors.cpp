//===- SaliencyFactors.cpp - AWQ's factors --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/SaliencyFactors.h"

#include "Panel.h"
#include "qk/Numerics/OutputError.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/RoundToNearest.h"

#include <algorithm>
#include <cmath>

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

/// The factors for one r; `sizes` is empty without duo.
static std::vector<float> factorsFor(double r, const float *absmean, int64_t k,
                                     const std::vector<double> &sizes) {
  std::vector<double> s(k);
  for (int64_t i = 0; i < k; ++i) {
    s[i] = std::pow<double>(absmean[i], r);
    if (!sizes.empty())
      s[i] /= std::pow(sizes[i], 1 - r) + 1e-4;
    s[i] = std::max(s[i], 1e-4);
  }
  auto [least, largest] = std::minmax_element(s.begin(), s.end());
  double middle = std::sqrt(*least * *largest);
  std::vector<float> factors(k);
  for (int64_t i = 0; i < k; ++i)
    factors[i] = static_cast<float>(s[i] / middle);
  return factors;
}

/// tr(D·H·Dᵀ), D = Q(W·s)/s - W. `scratch` has room for W.
static Result<double> lossOf(const WeightView &weight, int64_t k,
                             const float *hessian, const float *s,
                             const QuantizerOptions &options, float *scratch) {
  parallelFor(weight.n, [&](int64_t row) {
    for (int64_t i = 0; i < k; ++i)
      scratch[row * k + i] = weight.data[row * k + i] * s[i];
  });
  Result<QuantizedWeight> rounded =
      roundToNearest(scratch, weight.n, k, options);
  if (!rounded)
    return rounded.error();
  std::vector<float> values = dequantize(*rounded);
  parallelFor(weight.n, [&](int64_t row) {
    for (int64_t i = 0; i < k; ++i)
      scratch[row * k + i] =
          values[row * k + i] / s[i] - weight.data[row * k + i];
  });
  return outputEnergy(scratch, weight.n, k, hessian);
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

  std::vector<double> sizes;
  if (options.duo)
    sizes = relativeSizes(weights, k, options.quantizer.scheme);
  int64_t rows = 0;
  for (const WeightView &weight : weights)
    rows = std::max(rows, weight.n);
  auto scratch = uninitialized<float>(rows * k);
  auto lossWith = [&](const std::vector<float> &s) -> Result<double> {
    double sum = 0;
    for (const WeightView &weight : weights) {
      Result<double> loss = lossOf(weight, k, hessian, s.data(),
                                   options.quantizer, scratch.get());
      if (!loss)
        return loss;
      sum += *loss;
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
    std::vector<float> candidate = factorsFor(r, absmean, k, sizes);
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

} // namespace qk::numerics
