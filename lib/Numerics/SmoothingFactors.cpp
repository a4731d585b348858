//===- SmoothingFactors.cpp - SmoothQuant's factors -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/SmoothingFactors.h"

#include "qk/Numerics/Parallel.h"

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

Result<std::vector<float>> smoothingFactors(const float *absmax, int64_t k,
                                            std::span<const WeightView> weights,
                                            double alpha) {
  if (!(alpha >= 0 && alpha <= 1))
    return Error{"expected alpha to be in [0, 1], got " +
                 std::to_string(alpha)};
  if (Status status = checkMagnitudes(absmax, k, "absmax"); !status)
    return status.error();
  if (Status status = checkWeights(weights, k); !status)
    return status.error();
  std::vector<float> factors = columnMaxima(weights, k);
  for (int64_t i = 0; i < k; ++i) {
    double w = std::max<double>(factors[i], 1e-5);
    double s = std::pow<double>(absmax[i], alpha) / std::pow(w, 1 - alpha);
    factors[i] = static_cast<float>(std::max(s, 1e-5));
  }
  return factors;
}

} // namespace qk::numerics
