//===- ScaledRounding.cpp - What rounding scaled columns costs ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScaledRounding.h"

#include "qk/Numerics/OutputError.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/RoundToNearest.h"

namespace qk::numerics {

Result<ScaledRounding> roundScaled(const WeightView &weight, int64_t k,
                                   const float *hessian, const float *s,
                                   const QuantizerOptions &options,
                                   float *scratch) {
  parallelFor(weight.n, [&](int64_t row) {
    for (int64_t i = 0; i < k; ++i)
      scratch[row * k + i] = weight.data[row * k + i] * s[i];
  });
  Result<QuantizedWeight> rounded =
      roundToNearest(scratch, weight.n, k, options);
  if (!rounded)
    return rounded.error();
  std::vector<float> values = dequantize(*rounded);
  std::vector<double> energies(weight.n), fedEnergies(weight.n);
  parallelFor(weight.n, [&](int64_t row) {
    for (int64_t i = 0; i < k; ++i) {
      float value = values[row * k + i];
      energies[row] += static_cast<double>(value) * value;
      value /= s[i];
      fedEnergies[row] +=
          static_cast<double>(value) * value * hessian[i * k + i];
      scratch[row * k + i] = value - weight.data[row * k + i];
    }
  });
  ScaledRounding result;
  for (double energy : energies)
    result.energy += energy;
  for (double energy : fedEnergies)
    result.fedEnergy += energy;
  result.loss = outputEnergy(scratch, weight.n, k, hessian);
  return result;
}

} // namespace qk::numerics
