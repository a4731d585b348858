//===- Statistics.cpp - What a layer is fed ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Statistics.h"

#include "Blas.h"
#include "Panel.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/Work.h"

#include <atomic>
#include <cmath>

namespace qk::numerics {

/// Tokens whose products are summed in f32. The f64 additions, one a chunk and
/// element, then take a tenth of the time.
static constexpr int64_t kChunk = 512;
static constexpr int64_t kTile = 256;
/// Tokens that count more than once, gathered for one product.
static constexpr int64_t kExtra = 64;

struct StatisticsAccumulator::State {
  StatisticsOptions options;
  int64_t k;
  /// Tokens that count, and all.
  int64_t tokens = 0, seen = 0;
  /// The upper triangle of Σ x·xᵀ: tile (i, j), i ≤ j, at j(j+1)/2 + i,
  /// row-major with as many columns as it has.
  std::vector<std::unique_ptr<double[]>> tiles;
  std::vector<float> absmax;
  std::vector<double> sums;
  /// Tokens not yet part of a whole chunk, [kChunk, K].
  std::unique_ptr<float[]> staged;
  int64_t stagedRows = 0;
  /// What the Hessian gets beside the tokens, [kExtra, K]: those that count
  /// more than once, times the root of how much more.
  std::unique_ptr<float[]> extra;
  int64_t extraRows = 0;

  int64_t stripes() const { return (k + kTile - 1) / kTile; }
  int64_t width(int64_t stripe) const {
    return std::min(kTile, k - stripe * kTile);
  }

  void addChunk(const float *x, int64_t rows);
  void addExtra(const float *x, float weight);
  void flushExtra();
  void addTileNumber(int64_t item, const float *x, int64_t rows);
  void addTile(int64_t i, int64_t j, const float *x, int64_t rows);
  void addColumns(int64_t stripe, const float *x, int64_t rows);
};

StatisticsAccumulator::StatisticsAccumulator(int64_t k,
                                             StatisticsOptions options)
    : state(std::make_unique<State>()) {
  state->options = options;
  state->k = k;
  int64_t stripes = state->stripes();
  if (options.hessian)
    state->tiles.resize(stripes * (stripes + 1) / 2);
  if (options.absmax)
    state->absmax.resize(k);
  if (options.absmean)
    state->sums.resize(k);
}

StatisticsAccumulator::~StatisticsAccumulator() = default;
StatisticsAccumulator::StatisticsAccumulator(StatisticsAccumulator &&) =
    default;
StatisticsAccumulator &
StatisticsAccumulator::operator=(StatisticsAccumulator &&) = default;

int64_t StatisticsAccumulator::k() const { return state->k; }
int64_t StatisticsAccumulator::tokens() const { return state->tokens; }

/// tile(i, j) += xᵢᵀ·xⱼ over the chunk.
void StatisticsAccumulator::State::addTile(int64_t i, int64_t j, const float *x,
                                           int64_t rows) {
  int64_t height = width(i), columns = width(j);
  auto product = uninitialized<float>(height * columns);
  if (i == j)
    blas::ssyrk(blas::Upper, blas::Trans, height, rows, 1.0f, x + i * kTile, k,
                0.0f, product.get(), columns);
  else
    blas::sgemm(blas::Trans, blas::NoTrans, height, columns, rows, 1.0f,
                x + i * kTile, k, x + j * kTile, k, 0.0f, product.get(),
                columns);
  auto &tile = tiles[j * (j + 1) / 2 + i];
  if (!tile)
    tile = std::make_unique<double[]>(height * columns);
  double *sum = tile.get();
  const float *term = product.get();
  for (int64_t r = 0; r < height; ++r)
    for (int64_t c = i == j ? r : 0; c < columns; ++c)
      sum[r * columns + c] += term[r * columns + c];
}

/// Largest and summed magnitudes of a stripe of columns.
void StatisticsAccumulator::State::addColumns(int64_t stripe, const float *x,
                                              int64_t rows) {
  int64_t begin = stripe * kTile, columns = width(stripe);
  float largest[kTile] = {}, sum[kTile] = {};
  withBestVectors([&]() QK_INLINE {
    // Two vectors of columns at a time, in registers for all rows.
    constexpr int64_t width = 2 * kLanes;
    int64_t c = 0;
    for (; c + width <= columns; c += width) {
      Lanes most[2] = {splat(0.0f), splat(0.0f)}, total[2] = {most[0], most[1]};
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t v = 0; v < 2; ++v) {
          Lanes magnitude = __builtin_elementwise_abs(
              loadLanes(x + row * k + begin + c + v * kLanes));
          most[v] = max(magnitude, most[v]);
          total[v] += magnitude;
        }
      for (int64_t v = 0; v < 2; ++v) {
        storeLanes(largest + c + v * kLanes, most[v]);
        storeLanes(sum + c + v * kLanes, total[v]);
      }
    }
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t rest = c; rest < columns; ++rest) {
        float magnitude = __builtin_fabsf(x[row * k + begin + rest]);
        largest[rest] = magnitude > largest[rest] ? magnitude : largest[rest];
        sum[rest] += magnitude;
      }
  });
  for (int64_t c = 0; c < columns; ++c) {
    if (options.absmax)
      absmax[begin + c] = std::max(absmax[begin + c], largest[c]);
    if (options.absmean)
      sums[begin + c] += sum[c];
  }
}

void StatisticsAccumulator::State::addTileNumber(int64_t item, const float *x,
                                                 int64_t rows) {
  int64_t j = 0;
  while ((j + 1) * (j + 2) / 2 <= item)
    ++j;
  addTile(item - j * (j + 1) / 2, j, x, rows);
}

void StatisticsAccumulator::State::addExtra(const float *x, float weight) {
  if (!extra)
    extra = uninitialized<float>(kExtra * k);
  float root = std::sqrt(weight - 1.0f);
  for (int64_t i = 0; i < k; ++i)
    extra[extraRows * k + i] = root * x[i];
  if (++extraRows == kExtra)
    flushExtra();
}

void StatisticsAccumulator::State::flushExtra() {
  if (extraRows)
    parallelFor(static_cast<int64_t>(tiles.size()), [&](int64_t item) {
      addTileNumber(item, extra.get(), extraRows);
    });
  extraRows = 0;
}

void StatisticsAccumulator::State::addChunk(const float *x, int64_t rows) {
  int64_t columnItems = options.absmax || options.absmean ? stripes() : 0;
  int64_t tileItems = static_cast<int64_t>(tiles.size());
  if (tileItems)
    addWork(Work::Hessian, static_cast<double>(rows) * k * k);
  parallelFor(tileItems + columnItems, [&](int64_t item) {
    if (item >= tileItems)
      return addColumns(item - tileItems, x, rows);
    addTileNumber(item, x, rows);
  });
}

/// Finds the first value that is not finite in a row that counts: its index,
/// or -1.
static int64_t findNonFinite(const float *x, int64_t rows, int64_t k,
                             const uint8_t *mask) {
  constexpr int64_t step = 64;
  std::atomic<int64_t> first = rows * k;
  parallelFor((rows + step - 1) / step, [&](int64_t item) {
    for (int64_t row = item * step, end = std::min(rows, row + step); row < end;
         ++row) {
      if (mask && !mask[row])
        continue;
      const float *source = x + row * k;
      float sums[kLanes] = {};
      withBestVectors([&]() QK_INLINE {
        // x·0 is 0 for finite x and NaN for the others.
        Lanes sum = splat(0.0f);
        int64_t c = 0;
        for (; c + kLanes <= k; c += kLanes)
          sum += loadLanes(source + c) * 0.0f;
        storeLanes(sums, sum);
        for (; c < k; ++c)
          sums[0] += source[c] * 0.0f;
      });
      for (float sum : sums)
        if (sum != 0.0f) {
          int64_t c = 0;
          while (std::isfinite(source[c]))
            ++c;
          int64_t found = row * k + c, known = first;
          while (found < known && !first.compare_exchange_weak(known, found)) {
          }
          return;
        }
    }
  });
  return first == rows * k ? -1 : first.load();
}

Status StatisticsAccumulator::add(const float *x, int64_t rows,
                                  const uint8_t *mask, float firstWeight) {
  State &s = *state;
  int64_t k = s.k;
  if (!(std::isfinite(firstWeight) && firstWeight >= 1.0f))
    return Error{"weight " + std::to_string(firstWeight) +
                 " of the first token is not allowed: expected at least 1"};
  if (int64_t bad = findNonFinite(x, rows, k, mask); bad >= 0)
    return Error{std::string("input is ") +
                 (std::isnan(x[bad]) ? "NaN" : "infinite") + " at token " +
                 std::to_string(s.seen + bad / k) + ", column " +
                 std::to_string(bad % k)};
  s.seen += rows;
  int64_t first = 0;
  while (mask && first < rows && !mask[first])
    ++first;
  if (firstWeight > 1.0f && first < rows && s.options.hessian)
    s.addExtra(x + first * k, firstWeight);
  for (int64_t row = 0; row < rows;) {
    if (!mask && s.stagedRows == 0 && rows - row >= kChunk) {
      s.addChunk(x + row * k, kChunk);
      s.tokens += kChunk;
      row += kChunk;
      continue;
    }
    if (mask && !mask[row]) {
      ++row;
      continue;
    }
    if (!s.staged)
      s.staged = uninitialized<float>(kChunk * k);
    std::copy_n(x + row * k, k, s.staged.get() + s.stagedRows * k);
    ++s.tokens;
    ++row;
    if (++s.stagedRows == kChunk) {
      s.addChunk(s.staged.get(), kChunk);
      s.stagedRows = 0;
    }
  }
  return {};
}

Statistics StatisticsAccumulator::finish() {
  State &s = *state;
  int64_t k = s.k;
  if (s.stagedRows)
    s.addChunk(s.staged.get(), s.stagedRows);
  s.stagedRows = 0;
  s.staged.reset();
  s.flushExtra();
  s.extra.reset();

  Statistics result;
  result.k = k;
  result.tokens = s.tokens;
  double scale = s.tokens ? 1.0 / static_cast<double>(s.tokens) : 0.0;
  result.absmax = s.absmax;
  for (double sum : s.sums)
    result.absmean.push_back(static_cast<float>(sum * scale));
  if (!s.options.hessian)
    return result;
  result.hessian.resize(k * k);
  for (int64_t j = 0; j < s.stripes(); ++j)
    parallelFor(j + 1, [&](int64_t i) {
      const double *tile = s.tiles[j * (j + 1) / 2 + i].get();
      int64_t columns = s.width(j);
      for (int64_t r = 0; tile && r < s.width(i); ++r)
        for (int64_t c = i == j ? r : 0; c < columns; ++c) {
          int64_t row = i * kTile + r, column = j * kTile + c;
          result.hessian[row * k + column] = result.hessian[column * k + row] =
              static_cast<float>(tile[r * columns + c] * scale);
        }
    });
  return result;
}

} // namespace qk::numerics
