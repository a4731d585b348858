//===- RoundToNearest.cpp - Quantise and dequantise a weight ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/RoundToNearest.h"

#include "LaneQuantizer.h"
#include "Panel.h"
#include "qk/Numerics/Parallel.h"

#include <atomic>
#include <cmath>

namespace qk::numerics {

/// Rows that one work item rounds. Four vectors, to hide latencies; 64·K floats
/// of scratch stay in the second-level cache up to K = 4096.
static constexpr int64_t kRows = 64;

Status checkFinite(const float *matrix, int64_t n, int64_t k,
                   const char *what) {
  std::atomic<bool> bad = false;
  parallelFor((n + kRows - 1) / kRows, [&](int64_t item) {
    int64_t begin = item * kRows * k, end = std::min(n, (item + 1) * kRows) * k;
    // x·0 is 0 for finite x and NaN for the others.
    float sum = 0.0f;
    withBestVectors([&]() QK_INLINE {
      Lanes sums = splat(0.0f);
      int64_t i = begin;
      for (; i + kLanes <= end; i += kLanes)
        sums += loadLanes(matrix + i) * 0.0f;
      for (int64_t lane = 0; lane < kLanes; ++lane)
        sum += sums[lane];
      for (; i < end; ++i)
        sum += matrix[i] * 0.0f;
    });
    if (sum != 0.0f)
      bad = true;
  });
  if (!bad)
    return {};
  int64_t i = 0;
  while (std::isfinite(matrix[i]))
    ++i;
  return Error{std::string(what) + " is " +
               (std::isnan(matrix[i]) ? "NaN" : "infinite") + " at row " +
               std::to_string(i / k) + ", column " + std::to_string(i % k)};
}

namespace {

/// Rounds the rows of one panel.
struct PanelRounder {
  LaneQuantizer quantizer;
  int64_t k, length, groups;
  const float *columnWeights;

  /// All arrays are transposed with stride kRows: x and codes [K], scales and
  /// zeros [G].
  QK_INLINE void round(const float *x, uint8_t *codes, float *scales,
                       float *zeros) const {
    for (int64_t g = 0; g < groups; ++g) {
      int64_t begin = g * length, end = std::min(k, begin + length);
      auto weightOf = [&](int64_t i) QK_INLINE {
        return columnWeights ? columnWeights[begin + i] : 1.0f;
      };
      for (int64_t r = 0; r < kRows; r += kLanes) {
        LaneParameters group = quantizer.parameters(
            x + begin * kRows + r, kRows, end - begin, weightOf);
        storeLanes(scales + g * kRows + r, group.scale);
        storeLanes(zeros + g * kRows + r, group.zero);
        for (int64_t i = begin; i < end; ++i) {
          LaneBytes bytes = quantizer.bytesOf(
              quantizer.centredCode(loadLanes(x + i * kRows + r), group),
              group);
          std::memcpy(codes + i * kRows + r, &bytes, kLanes);
        }
      }
    }
  }
};

} // namespace

/// All elements in one group.
static QuantizedWeight roundPerTensor(const float *w, int64_t n, int64_t k,
                                      const QuantizerOptions &options) {
  const Scheme &scheme = options.scheme;
  float lo = 0, hi = 0;
  for (int64_t i = 0; i < n * k; ++i) {
    lo = std::min(lo, w[i]);
    hi = std::max(hi, w[i]);
  }
  if (options.symmetric) {
    hi = std::max(-lo, hi);
    lo = -hi;
  }
  auto cmin = static_cast<float>(scheme.codeMin());
  auto cmax = static_cast<float>(scheme.codeMax());
  float scale = storedScale((hi - lo) / (cmax - cmin), scheme.scaleType);
  auto zero = static_cast<float>(scheme.defaultZeroPoint());
  if (!options.symmetric && hi > lo)
    zero = std::clamp(std::nearbyint(-lo / scale) + cmin, cmin, cmax);
  QuantizedWeight result{scheme, n, k, {}, {}, {}, {}};
  result.codes.resize(n * k);
  result.scales.assign(n, scale);
  if (!options.symmetric)
    result.zeroPoints.assign(n, static_cast<int16_t>(zero));
  parallelFor(n, [&](int64_t row) {
    for (int64_t i = row * k; i < (row + 1) * k; ++i)
      result.codes[i] =
          scheme.isFloat()
              ? encodeE4M3(w[i] / scale)
              : static_cast<uint8_t>(static_cast<int>(std::clamp(
                    std::nearbyint(w[i] / scale) + zero, cmin, cmax)));
  });
  return result;
}

Result<QuantizedWeight> roundToNearest(const float *w, int64_t n, int64_t k,
                                       const QuantizerOptions &options,
                                       const float *columnWeights) {
  if (Status status = options.validate(); !status)
    return status.error();
  if (options.scaleSearch == ScaleSearch::Weighted && !columnWeights)
    return Error{"a weighted scale search needs a weight for each column"};
  if (Status status = checkFinite(w, n, k, "weight"); !status)
    return status.error();
  if (options.perTensor)
    return roundPerTensor(w, n, k, options);

  const Scheme &scheme = options.scheme;
  int64_t groups = scheme.groups(k);
  QuantizedWeight result{scheme, n, k, {}, {}, {}, {}};
  result.codes.resize(n * k);
  result.scales.resize(n * groups);
  if (!options.symmetric)
    result.zeroPoints.resize(n * groups);

  PanelRounder rounder{LaneQuantizer(options), k, scheme.groupLength(k), groups,
                       columnWeights};
  parallelFor((n + kRows - 1) / kRows, [&](int64_t item) {
    int64_t first = item * kRows, rows = std::min(kRows, n - first);
    auto x = uninitialized<float>(k * kRows);
    auto codes = uninitialized<uint8_t>(k * kRows);
    auto scales = uninitialized<float>(groups * kRows);
    auto zeros = uninitialized<float>(groups * kRows);
    gatherPanel(w + first * k, k, rows, nullptr, x.get(), kRows);
    withBestVectors([&]() QK_INLINE {
      rounder.round(x.get(), codes.get(), scales.get(), zeros.get());
    });
    scatterPanel(codes.get(), kRows, k, rows, nullptr,
                 result.codes.data() + first * k);
    scatterPanel(scales.get(), kRows, groups, rows, nullptr,
                 result.scales.data() + first * groups);
    if (!options.symmetric)
      scatterPanel(zeros.get(), kRows, groups, rows, nullptr,
                   result.zeroPoints.data() + first * groups);
  });
  return result;
}

std::vector<float> dequantize(const QuantizedWeight &weight) {
  const Scheme &scheme = weight.scheme;
  int64_t k = weight.k, length = scheme.groupLength(k),
          groups = scheme.groups(k);
  std::vector<float> values(weight.n * k);
  parallelFor((weight.n + kRows - 1) / kRows, [&](int64_t item) {
    for (int64_t n = item * kRows, end = std::min(weight.n, (item + 1) * kRows);
         n < end; ++n)
      for (int64_t g = 0; g < groups; ++g) {
        float scale = weight.scales[n * groups + g];
        int zero = weight.zeroPoints.empty()
                       ? scheme.defaultZeroPoint()
                       : weight.zeroPoints[n * groups + g];
        for (int64_t i = g * length, last = std::min(k, i + length); i < last;
             ++i) {
          float code = scheme.codeValue(weight.codes[n * k + i]);
          int64_t column =
              weight.permutation.empty() ? i : weight.permutation[i];
          values[n * k + column] = scale * (code - static_cast<float>(zero));
        }
      }
  });
  return values;
}

} // namespace qk::numerics
