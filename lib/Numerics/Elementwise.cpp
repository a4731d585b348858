//===- Elementwise.cpp - Weights and statistics, scaled -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Elementwise.h"

#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/Quantizer.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace qk::numerics {

/// Elements of one work item: more than a thread's start costs, and within the
/// second-level cache.
static constexpr int64_t kElements = 1 << 15;

/// Calls body(begin, end) for stretches of whole rows.
template <typename Body>
static void forRows(int64_t rows, int64_t k, Body &&body) {
  int64_t step = std::max<int64_t>(1, kElements / std::max<int64_t>(1, k));
  parallelFor((rows + step - 1) / step, [&](int64_t item) {
    body(item * step, std::min(rows, (item + 1) * step));
  });
}

static Status checkFactors(const float *factors, int64_t k, bool divides) {
  for (int64_t i = 0; i < k; ++i)
    if (!std::isfinite(factors[i]) || (divides && factors[i] == 0.0f))
      return Error{std::string("expected ") +
                   (divides ? "factors to divide by" : "finite factors") +
                   ", got " + std::to_string(factors[i]) + " at column " +
                   std::to_string(i)};
  return {};
}

Status scaleColumns(const float *in, int64_t rows, int64_t k,
                    const float *factors, bool inverse, float *out,
                    float offset) {
  if (Status status = checkFactors(factors, k, inverse); !status)
    return status;
  forRows(rows, k, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * k; i < end * k; i += k)
      if (inverse)
        for (int64_t j = 0; j < k; ++j)
          out[i + j] = (in[i + j] + offset) / factors[j] - offset;
      else
        for (int64_t j = 0; j < k; ++j)
          out[i + j] = (in[i + j] + offset) * factors[j] - offset;
  });
  return {};
}

Status scaleRows(const float *in, int64_t rows, int64_t k, const float *factors,
                 bool inverse, float *out) {
  if (Status status = checkFactors(factors, rows, inverse); !status)
    return status;
  forRows(rows, k, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      for (int64_t i = row * k; i < (row + 1) * k; ++i)
        out[i] = inverse ? in[i] / factors[row] : in[i] * factors[row];
  });
  return {};
}

Status scaleHessian(const float *in, int64_t k, const float *factors,
                    float *out) {
  if (Status status = checkFactors(factors, k, /*divides=*/true); !status)
    return status;
  forRows(k, k, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const double factor = factors[i];
      for (int64_t j = 0; j < k; ++j)
        out[i * k + j] =
            static_cast<float>(in[i * k + j] / (factor * factors[j]));
    }
  });
  return {};
}

Status scaleMagnitudes(const float *in, int64_t k, const float *factors,
                       float *out) {
  return scaleColumns(in, 1, k, factors, /*inverse=*/true, out);
}

void roundElements(float *values, int64_t count, ScaleType type) {
  if (type == ScaleType::F32)
    return;
  forRows(count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      values[i] = roundToScaleType(values[i], type);
  });
}

std::vector<float> gatherFactors(const float *factors,
                                 std::span<const FactorDigit> digits) {
  // Index 0 of no digits; each digit multiplies the indices. Outside: -1.
  std::vector<int64_t> indices{0};
  for (FactorDigit digit : digits) {
    std::vector<int64_t> longer;
    longer.reserve(indices.size() * digit.size);
    for (int64_t index : indices)
      for (int64_t i = 0; i < digit.size; ++i) {
        int64_t at = i - digit.first;
        bool inside = index >= 0 && at >= 0 && at < digit.count;
        longer.push_back(inside ? index + at * digit.stride : -1);
      }
    indices = std::move(longer);
  }
  std::vector<float> result;
  result.reserve(indices.size());
  for (int64_t index : indices)
    result.push_back(index < 0 ? 1.0f : factors[index]);
  return result;
}

float activationScale(const float *absmax, int64_t k, int64_t maxCode) {
  float largest = *std::max_element(absmax, absmax + k);
  return largest > 0 ? largest / maxCode : 1.0f;
}

void transpose(const float *in, int64_t rows, int64_t columns, float *out) {
  // Square tiles: both sides touch whole cache lines.
  constexpr int64_t kTile = 32;
  parallelFor((columns + kTile - 1) / kTile, [&](int64_t item) {
    int64_t begin = item * kTile, end = std::min(columns, begin + kTile);
    for (int64_t top = 0; top < rows; top += kTile)
      for (int64_t j = begin; j < end; ++j)
        for (int64_t i = top; i < std::min(rows, top + kTile); ++i)
          out[j * rows + i] = in[i * columns + j];
  });
}

} // namespace qk::numerics
