//===- Clip.cpp - AWQ's clipping of weights -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Clip.h"

#include "Blas.h"
#include "LaneQuantizer.h"
#include "Panel.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/RoundToNearest.h"

#include <algorithm>
#include <limits>

namespace qk::numerics {

/// Rows that one work item clips.
static constexpr int64_t kRows = 64;

Status ClipOptions::validate() const {
  if (grid < 1)
    return Error{"expected grid to be at least 1, got " + std::to_string(grid)};
  if (quantizer.scaleSearch == ScaleSearch::Weighted)
    return Error{"clipping does not support a weighted scale search"};
  return quantizer.validate();
}

namespace {

/// Clips one group of a panel of rows. Arrays are transposed, [length][kRows].
struct GroupClipper {
  LaneQuantizer quantizer;
  int64_t steps;
  double grid;
  int64_t length;
  /// [length,length], symmetric.
  const float *hessian;
  /// Scratch: the difference d, and H·d.
  float *difference, *product;

  /// Clamps `x` in place.
  void clip(float *x, float *candidate) const {
    float largest[kRows], bound[kRows], least[kRows];
    withBestVectors([&]() QK_INLINE { maxima(x, largest); });
    std::copy(largest, largest + kRows, bound);
    std::fill(least, least + kRows, std::numeric_limits<float>::infinity());
    for (int64_t step = 0; step < steps; ++step) {
      float f = static_cast<float>(1.0 - static_cast<double>(step) / grid);
      withBestVectors([&]()
                          QK_INLINE { differences(x, largest, f, candidate); });
      blas::sgemm(blas::NoTrans, blas::NoTrans, length, kRows, length, 1.0f,
                  hessian, length, difference, kRows, 0.0f, product, kRows);
      withBestVectors([&]()
                          QK_INLINE { keepBetter(largest, f, least, bound); });
    }
    withBestVectors([&]() QK_INLINE { clamp(x, bound, x); });
  }

private:
  QK_INLINE void maxima(const float *x, float *largest) const {
    for (int64_t r = 0; r < kRows; r += kLanes) {
      Lanes value = splat(0.0f);
      for (int64_t i = 0; i < length; ++i) {
        Lanes element = loadLanes(x + i * kRows + r);
        value = max(value, max(element, -element));
      }
      storeLanes(largest + r, value);
    }
  }

  QK_INLINE void clamp(const float *x, const float *bound, float *out) const {
    for (int64_t r = 0; r < kRows; r += kLanes) {
      Lanes limit = loadLanes(bound + r);
      for (int64_t i = 0; i < length; ++i)
        storeLanes(out + i * kRows + r,
                   min(max(loadLanes(x + i * kRows + r), -limit), limit));
    }
  }

  /// Q(clamp(x, -f·m, f·m)) - x.
  QK_INLINE void differences(const float *x, const float *largest, float f,
                             float *candidate) const {
    float bound[kRows];
    for (int64_t r = 0; r < kRows; r += kLanes)
      storeLanes(bound + r, loadLanes(largest + r) * f);
    clamp(x, bound, candidate);
    for (int64_t r = 0; r < kRows; r += kLanes) {
      LaneParameters group = quantizer.parameters(
          candidate + r, kRows, length, [](int64_t) QK_INLINE { return 1.0f; });
      for (int64_t i = 0; i < length; ++i) {
        Lanes code =
            quantizer.centredCode(loadLanes(candidate + i * kRows + r), group);
        storeLanes(difference + i * kRows + r,
                   group.scale * code - loadLanes(x + i * kRows + r));
      }
    }
  }

  /// Where d·H·dᵀ is strictly smaller, f·m is the new bound.
  QK_INLINE void keepBetter(const float *largest, float f, float *least,
                            float *bound) const {
    for (int64_t r = 0; r < kRows; r += kLanes) {
      Lanes loss = splat(0.0f);
      for (int64_t i = 0; i < length; ++i)
        loss += loadLanes(difference + i * kRows + r) *
                loadLanes(product + i * kRows + r);
      Lanes before = loadLanes(least + r);
      LaneMask better = loss < before;
      storeLanes(least + r, better ? loss : before);
      storeLanes(bound + r,
                 better ? loadLanes(largest + r) * f : loadLanes(bound + r));
    }
  }
};

} // namespace

/// The diagonal blocks of the Hessian with both triangles, one after another;
/// block g starts at g·length².
static std::unique_ptr<float[]> diagonalBlocks(const float *hessian, int64_t k,
                                               int64_t length, int64_t groups) {
  auto blocks = uninitialized<float>(groups * length * length);
  parallelFor(groups, [&](int64_t g) {
    int64_t begin = g * length, size = std::min(length, k - begin);
    float *block = blocks.get() + g * length * length;
    for (int64_t i = 0; i < size; ++i)
      for (int64_t j = 0; j < size; ++j)
        block[i * size + j] =
            hessian[(begin + std::min(i, j)) * k + begin + std::max(i, j)];
  });
  return blocks;
}

Result<std::vector<float>> clip(const float *w, int64_t n, int64_t k,
                                const float *hessian,
                                const ClipOptions &options) {
  if (Status status = options.validate(); !status)
    return status.error();
  if (Status status = checkFinite(w, n, k, "weight"); !status)
    return status.error();
  if (Status status = checkFinite(hessian, k, k, "the Hessian"); !status)
    return status.error();

  const Scheme &scheme = options.quantizer.scheme;
  int64_t length = scheme.groupLength(k), groups = scheme.groups(k);
  auto blocks = diagonalBlocks(hessian, k, length, groups);
  std::vector<float> result(n * k);
  parallelFor((n + kRows - 1) / kRows, [&](int64_t item) {
    int64_t first = item * kRows, rows = std::min(kRows, n - first);
    auto x = uninitialized<float>(k * kRows);
    auto scratch = uninitialized<float>(3 * length * kRows);
    gatherPanel(w + first * k, k, rows, nullptr, x.get(), kRows);
    for (int64_t g = 0; g < groups; ++g) {
      GroupClipper clipper{
          LaneQuantizer(options.quantizer),
          // f = 1 is always among them.
          std::max<int64_t>(options.grid / 2, 1),
          static_cast<double>(options.grid),
          std::min(length, k - g * length),
          blocks.get() + g * length * length,
          scratch.get(),
          scratch.get() + length * kRows,
      };
      clipper.clip(x.get() + g * length * kRows,
                   scratch.get() + 2 * length * kRows);
    }
    scatterPanel(x.get(), kRows, k, rows, nullptr, result.data() + first * k);
  });
  return result;
}

} // namespace qk::numerics
