//===- CrossMoment.cpp - Two inputs of one layer, together ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/CrossMoment.h"

#include "Blas.h"
#include "Panel.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/Work.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace qk::numerics {

/// As in Statistics.cpp: tokens whose products are summed in f32.
static constexpr int64_t kChunk = 512;
static constexpr int64_t kTile = 256;

struct CrossMomentAccumulator::State {
  int64_t n, k;
  int64_t tokens = 0;
  /// Tile (i, j) of Σ fᵀ·x at i * stripes(k) + j, with as many columns as it
  /// has.
  std::vector<std::unique_ptr<double[]>> tiles;
  /// Tokens not yet part of a whole chunk, [kChunk, N] and [kChunk, K].
  std::unique_ptr<float[]> stagedF, stagedX;
  int64_t stagedRows = 0;

  static int64_t stripes(int64_t size) { return (size + kTile - 1) / kTile; }
  static int64_t width(int64_t size, int64_t stripe) {
    return std::min(kTile, size - stripe * kTile);
  }
  void addChunk(const float *f, const float *x, int64_t rows);
};

CrossMomentAccumulator::CrossMomentAccumulator(int64_t n, int64_t k)
    : state(std::make_unique<State>()) {
  state->n = n;
  state->k = k;
  state->tiles.resize(State::stripes(n) * State::stripes(k));
}

CrossMomentAccumulator::~CrossMomentAccumulator() = default;
CrossMomentAccumulator::CrossMomentAccumulator(CrossMomentAccumulator &&) =
    default;
CrossMomentAccumulator &
CrossMomentAccumulator::operator=(CrossMomentAccumulator &&) = default;

void CrossMomentAccumulator::State::addChunk(const float *f, const float *x,
                                             int64_t rows) {
  int64_t count = stripes(k);
  addWork(Work::CrossMoment, 2.0 * static_cast<double>(rows) * n * k);
  parallelFor(stripes(n) * count, [&](int64_t item) {
    int64_t i = item / count, j = item % count;
    int64_t height = width(n, i), columns = width(k, j);
    auto product = uninitialized<float>(height * columns);
    blas::sgemm(blas::Trans, blas::NoTrans, height, columns, rows, 1.0f,
                f + i * kTile, n, x + j * kTile, k, 0.0f, product.get(),
                columns);
    auto &tile = tiles[item];
    if (!tile)
      tile = std::make_unique<double[]>(height * columns);
    double *sum = tile.get();
    const float *term = product.get();
    for (int64_t at = 0; at < height * columns; ++at)
      sum[at] += term[at];
  });
}

void CrossMomentAccumulator::add(const float *f, const float *x, int64_t rows,
                                 const uint8_t *mask) {
  State &s = *state;
  int64_t n = s.n, k = s.k;
  for (int64_t row = 0; row < rows;) {
    if (!mask && s.stagedRows == 0 && rows - row >= kChunk) {
      s.addChunk(f + row * n, x + row * k, kChunk);
      s.tokens += kChunk;
      row += kChunk;
      continue;
    }
    if (mask && !mask[row]) {
      ++row;
      continue;
    }
    if (!s.stagedF) {
      s.stagedF = uninitialized<float>(kChunk * n);
      s.stagedX = uninitialized<float>(kChunk * k);
    }
    std::copy_n(f + row * n, n, s.stagedF.get() + s.stagedRows * n);
    std::copy_n(x + row * k, k, s.stagedX.get() + s.stagedRows * k);
    ++s.tokens;
    ++row;
    if (++s.stagedRows == kChunk) {
      s.addChunk(s.stagedF.get(), s.stagedX.get(), kChunk);
      s.stagedRows = 0;
    }
  }
}

Result<std::vector<float>> CrossMomentAccumulator::finish() {
  State &s = *state;
  int64_t n = s.n, k = s.k, stripes = State::stripes(k);
  auto items = static_cast<int64_t>(s.tiles.size());
  if (s.stagedRows)
    s.addChunk(s.stagedF.get(), s.stagedX.get(), s.stagedRows);
  s.stagedRows = 0;
  s.stagedF.reset();
  s.stagedX.reset();
  double scale = s.tokens ? 1.0 / static_cast<double>(s.tokens) : 0.0;
  std::vector<float> moment(n * k);
  std::vector<uint8_t> finite(items, 1);
  parallelFor(items, [&](int64_t item) {
    const double *tile = s.tiles[item].get();
    if (!tile)
      return;
    int64_t top = item / stripes * kTile, left = item % stripes * kTile;
    int64_t height = State::width(n, item / stripes);
    int64_t columns = State::width(k, item % stripes);
    for (int64_t r = 0; r < height; ++r)
      for (int64_t c = 0; c < columns; ++c) {
        auto value = static_cast<float>(tile[r * columns + c] * scale);
        moment[(top + r) * k + left + c] = value;
        if (!std::isfinite(value))
          finite[item] = 0;
      }
  });
  for (int64_t item = 0; item < items; ++item)
    if (!finite[item])
      return Error{"the cross moment is not finite near row " +
                   std::to_string(item / stripes * kTile) +
                   ": an input of the float or of the quantised model is not"};
  return moment;
}

} // namespace qk::numerics
