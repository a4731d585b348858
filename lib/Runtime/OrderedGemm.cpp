//===- OrderedGemm.cpp - Products summed in the order they are written ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Runtime/Gemm.h"
#include "qk/Runtime/Runtime.h"

#include "../Numerics/Lanes.h"
#include "Parallel.h"

#include <algorithm>
#include <cstring>
#include <memory>

using namespace qk::numerics;
using qk::runtime::forEach;

namespace {

/// Columns of C that one work item computes: two vectors. Rows that share a
/// vector of B.
constexpr int64_t kColumns = 2 * kLanes, kRows = 4;
/// Rows of an item, and terms of a sum between which C holds the sum so far
/// (exactly: it is the same f32); so the panel of B is 32 KiB.
constexpr int64_t kItemRows = 256, kDepth = 256;

/// A part of C: `rows` x `columns`, all of K.
struct Tile {
  int64_t rows, columns, k;
  const float *a;
  int64_t aRow, aCol;
  const float *b;
  int64_t bRow, bCol;
  float *c;
  int64_t cRow;
  float beta;

  /// Terms [begin, begin + depth) of B as [depth][kColumns], zeros beyond its
  /// columns.
  void pack(int64_t begin, int64_t depth, float *panel) const {
    std::memset(panel, 0, depth * kColumns * sizeof(float));
    for (int64_t column = 0; column < columns; ++column)
      for (int64_t i = 0; i < depth; ++i)
        panel[i * kColumns + column] = b[(begin + i) * bRow + column * bCol];
  }

  QK_INLINE Lanes load(const float *row, int64_t first) const {
    if (columns - first >= kLanes)
      return loadLanes(row + first);
    Lanes lanes = splat(0.0f);
    for (int64_t i = first; i < columns; ++i)
      lanes[i - first] = row[i];
    return lanes;
  }
  QK_INLINE void store(float *row, int64_t first, Lanes lanes) const {
    if (columns - first >= kLanes)
      return storeLanes(row + first, lanes);
    for (int64_t i = first; i < columns; ++i)
      row[i] = lanes[i - first];
  }

  /// Adds terms [begin, begin + depth) to `R` rows from `row` on. A product and
  /// a sum are rounded each; sums never leave their lane.
  template <int R>
  QK_INLINE void accumulate(int64_t row, int64_t begin, int64_t depth,
                            const float *panel) const {
#pragma clang fp contract(off)
    Lanes low[R], high[R];
    for (int r = 0; r < R; ++r) {
      float *target = c + (row + r) * cRow;
      if (begin == 0 && beta == 0.0f) {
        low[r] = high[r] = splat(0.0f);
        continue;
      }
      float factor = begin == 0 ? beta : 1.0f;
      low[r] = load(target, 0) * factor;
      high[r] = load(target, kLanes) * factor;
    }
    for (int64_t i = 0; i < depth; ++i) {
      Lanes b0 = loadLanes(panel + i * kColumns),
            b1 = loadLanes(panel + i * kColumns + kLanes);
      for (int r = 0; r < R; ++r) {
        Lanes x = splat(a[(row + r) * aRow + (begin + i) * aCol]);
        low[r] = low[r] + x * b0;
        high[r] = high[r] + x * b1;
      }
    }
    for (int r = 0; r < R; ++r) {
      float *target = c + (row + r) * cRow;
      store(target, 0, low[r]);
      store(target, kLanes, high[r]);
    }
  }

  QK_INLINE void accumulateRows(int64_t begin, int64_t depth,
                                const float *panel) const {
    int64_t row = 0;
    for (; row + kRows <= rows; row += kRows)
      accumulate<kRows>(row, begin, depth, panel);
    for (; row < rows; ++row)
      accumulate<1>(row, begin, depth, panel);
  }

  void run() const {
    auto panel = std::make_unique_for_overwrite<float[]>(kDepth * kColumns);
    int64_t begin = 0;
    do { // Once where K is 0, for beta.
      int64_t depth = std::min(kDepth, k - begin);
      pack(begin, depth, panel.get());
      withBestVectors(
          [&]() QK_INLINE { accumulateRows(begin, depth, panel.get()); });
      begin += kDepth;
    } while (begin < k);
  }
};

} // namespace

void qk_sgemm_ordered_batch(int64_t batch, int64_t m, int64_t n, int64_t k,
                            const float *a, int64_t a_batch_stride,
                            int64_t a_row_stride, int64_t a_col_stride,
                            const float *b, int64_t b_batch_stride,
                            int64_t b_row_stride, int64_t b_col_stride,
                            float *c, int64_t c_batch_stride,
                            int64_t c_row_stride, float beta) {
  if (batch <= 0 || m <= 0 || n <= 0)
    return;
  double start = qk_profile_begin();
  int64_t across = (n + kColumns - 1) / kColumns,
          tiles = (m + kItemRows - 1) / kItemRows * across;
  forEach(batch * tiles, 2 * batch * m * n * k, [&](int64_t item) {
    int64_t i = item / tiles, row = item % tiles / across * kItemRows,
            column = item % tiles % across * kColumns;
    Tile{std::min(kItemRows, m - row),
         std::min(kColumns, n - column),
         k,
         a + i * a_batch_stride + row * a_row_stride,
         a_row_stride,
         a_col_stride,
         b + i * b_batch_stride + column * b_col_stride,
         b_row_stride,
         b_col_stride,
         c + i * c_batch_stride + row * c_row_stride + column,
         c_row_stride,
         beta}
        .run();
  });
  qk_profile_end(QK_PROFILE_CONTRACTION, start,
                 2.0 * static_cast<double>(batch * m * n * k));
}
