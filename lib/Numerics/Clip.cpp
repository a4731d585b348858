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
  if (sweeps < 0)
    return Error{"expected clipping sweeps to be at least 0, got " +
                 std::to_string(sweeps)};
  if (quantizer.scaleSearch == ScaleSearch::Weighted)
    return Error{"clipping does not support a weighted scale search"};
  return quantizer.validate();
}

namespace {

/// Searches the factor of one group for a panel of rows. Arrays are transposed,
/// [length][kRows].
struct GroupClipper {
  LaneQuantizer quantizer;
  bool symmetric;
  int64_t steps;
  double grid;
  int64_t length;
  /// [length,length], symmetric.
  const float *hessian;
  /// Scratch: H·d.
  float *product;

  /// Of the weights `x` the clipped ones, c, and their error d = Q(c) - x.
  /// `others` is (H·e)_g of the other groups' errors e, or null for none.
  void search(const float *x, const float *others, float *clipped,
              float *error) const {
    float factor[kRows], best[kRows], least[kRows];
    std::fill(least, least + kRows, std::numeric_limits<float>::infinity());
    Range range;
    withBestVectors([&]() QK_INLINE { findRange(x, range); });
    for (int64_t step = 0; step < steps; ++step) {
      std::fill(factor, factor + kRows,
                static_cast<float>(1.0 - static_cast<double>(step) / grid));
      withBestVectors(
          [&]() QK_INLINE { round(x, range, factor, clipped, error); });
      blas::sgemm(blas::NoTrans, blas::NoTrans, length, kRows, length, 1.0f,
                  hessian, length, error, kRows, 0.0f, product, kRows);
      withBestVectors(
          [&]() QK_INLINE { keepBetter(error, others, factor, least, best); });
    }
    withBestVectors([&]() QK_INLINE { round(x, range, best, clipped, error); });
  }

private:
  /// The least and the largest weight of each row, or 0.
  struct Range {
    float low[kRows], high[kRows];
  };

  QK_INLINE void findRange(const float *x, Range &range) const {
    for (int64_t r = 0; r < kRows; r += kLanes) {
      Lanes low = splat(0.0f), high = splat(0.0f);
      for (int64_t i = 0; i < length; ++i) {
        Lanes element = loadLanes(x + i * kRows + r);
        low = min(low, element);
        high = max(high, element);
      }
      if (symmetric) {
        high = max(high, -low);
        low = -high;
      }
      storeLanes(range.low + r, low);
      storeLanes(range.high + r, high);
    }
  }

  QK_INLINE void round(const float *x, const Range &range, const float *factor,
                       float *clipped, float *error) const {
    for (int64_t r = 0; r < kRows; r += kLanes) {
      Lanes f = loadLanes(factor + r), low = f * loadLanes(range.low + r),
            high = f * loadLanes(range.high + r);
      for (int64_t i = 0; i < length; ++i)
        storeLanes(clipped + i * kRows + r,
                   min(max(loadLanes(x + i * kRows + r), low), high));
      LaneParameters group = quantizer.parameters(
          clipped + r, kRows, length, [](int64_t) QK_INLINE { return 1.0f; });
      for (int64_t i = 0; i < length; ++i) {
        Lanes code =
            quantizer.centredCode(loadLanes(clipped + i * kRows + r), group);
        storeLanes(error + i * kRows + r,
                   group.scale * code - loadLanes(x + i * kRows + r));
      }
    }
  }

  /// Where d·(H_gg·d + 2·others) is strictly smaller, `factor` is the best.
  QK_INLINE void keepBetter(const float *error, const float *others,
                            const float *factor, float *least,
                            float *best) const {
    for (int64_t r = 0; r < kRows; r += kLanes) {
      Lanes loss = splat(0.0f);
      for (int64_t i = 0; i < length; ++i) {
        Lanes gradient = loadLanes(product + i * kRows + r);
        if (others)
          gradient += splat(2.0f) * loadLanes(others + i * kRows + r);
        loss += loadLanes(error + i * kRows + r) * gradient;
      }
      Lanes before = loadLanes(least + r);
      LaneMask better = loss < before;
      storeLanes(least + r, better ? loss : before);
      storeLanes(best + r,
                 better ? loadLanes(factor + r) : loadLanes(best + r));
    }
  }
};

} // namespace

/// Rows [begin, begin + size) of the Hessian, with both triangles, [size,k].
static void gatherRows(const float *hessian, int64_t k, int64_t begin,
                       int64_t size, float *rows) {
  parallelFor(size, [&](int64_t i) {
    int64_t row = begin + i;
    for (int64_t j = 0; j < row; ++j)
      rows[i * k + j] = hessian[j * k + row];
    std::copy_n(hessian + row * k + row, k - row, rows + i * k + row);
  });
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
  int64_t length = scheme.groupLength(k), items = (n + kRows - 1) / kRows;
  // A group without others would be searched for the same again.
  int64_t sweeps = length < k ? options.sweeps : 0;
  auto rows = uninitialized<float>(length * k),
       block = uninitialized<float>(length * length);
  // Q(c) - w of all groups, in panels [k][kRows].
  auto errors = uninitialized<float>(sweeps > 0 ? items * k * kRows : 0);
  std::vector<float> result(n * k);
  for (int64_t sweep = 0; sweep <= sweeps; ++sweep)
    for (int64_t begin = 0; begin < k; begin += length) {
      int64_t size = std::min(length, k - begin);
      gatherRows(hessian, k, begin, size, rows.get());
      for (int64_t i = 0; i < size; ++i)
        std::copy_n(rows.get() + i * k + begin, size, block.get() + i * size);
      parallelFor(items, [&](int64_t item) {
        int64_t first = item * kRows, present = std::min(kRows, n - first),
                count = size * kRows;
        auto scratch = uninitialized<float>(5 * count);
        float *x = scratch.get(), *clipped = x + count,
              *product = clipped + count, *others = product + count;
        for (int64_t i = 0; i < size; ++i)
          for (int64_t r = 0; r < kRows; ++r)
            x[i * kRows + r] =
                r < present ? w[(first + r) * k + begin + i] : 0.0f;
        float *panel = errors.get() + item * k * kRows,
              *error = sweeps > 0 ? panel + begin * kRows : others + count;
        if (sweep > 0) {
          std::fill_n(error, count, 0.0f);
          blas::sgemm(blas::NoTrans, blas::NoTrans, size, kRows, k, 1.0f,
                      rows.get(), k, panel, kRows, 0.0f, others, kRows);
        }
        GroupClipper clipper{
            LaneQuantizer(options.quantizer), options.quantizer.symmetric,
            // f = 1 is always among them.
            std::max<int64_t>(options.grid / 2, 1),
            static_cast<double>(options.grid), size, block.get(), product};
        clipper.search(x, sweep > 0 ? others : nullptr, clipped, error);
        for (int64_t r = 0; r < present; ++r)
          for (int64_t i = 0; i < size; ++i)
            result[(first + r) * k + begin + i] = clipped[i * kRows + r];
      });
    }
  return result;
}

} // namespace qk::numerics
