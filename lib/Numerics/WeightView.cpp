//===- WeightView.cpp - Checks of what the searches read ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/WeightView.h"

#include "qk/Numerics/RoundToNearest.h"

namespace qk::numerics {

int64_t firstSharing(int64_t k, std::span<const SharedDigit> shared) {
  for (const SharedDigit &digit : shared)
    k -= k / digit.stride % digit.size * digit.stride;
  return k;
}

Status checkWeights(std::span<const WeightView> weights, int64_t k) {
  if (weights.empty())
    return Error{"expected at least one weight, got none"};
  for (size_t i = 0; i < weights.size(); ++i) {
    std::string what = "weight " + std::to_string(i);
    if (Status status =
            checkFinite(weights[i].data, weights[i].n, k, what.c_str());
        !status)
      return status;
  }
  return {};
}

Status checkMagnitudes(const float *values, int64_t k, const char *what) {
  if (Status status = checkFinite(values, 1, k, what); !status)
    return status;
  for (int64_t i = 0; i < k; ++i)
    if (values[i] < 0)
      return Error{std::string("expected ") + what +
                   " not to be negative, got " + std::to_string(values[i]) +
                   " at column " + std::to_string(i)};
  return {};
}

} // namespace qk::numerics
