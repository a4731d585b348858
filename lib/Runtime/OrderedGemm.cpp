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

/// Columns of C that one work item computes: two vectors.
constexpr int64_t kColumns = 2 * kLanes;
/// Rows of an item, and terms of a sum between which C holds the sum so far
/// (exactly: it is the same f32); so the panel of B is 32 KiB.
constexpr int64_t kItemRows = 256, kDepth = 256;

/// Whether there are 32 registers of a vector of Lanes.h each.
bool hasAVX512() {
#if defined(__x86_64__)
  static const bool has =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return has;
#else
  return false;
#endif
}

/// Half a vector of Lanes.h, which AVX2 has in one register.
constexpr int64_t kHalf = 8;
using HalfLanes = float __attribute__((ext_vector_type(kHalf)));

/// target[i*targetStride + r] = source[r*sourceStride + i], r and i < 8.
QK_INLINE inline void transposeBlock(const float *source, int64_t sourceStride,
                                     float *target, int64_t targetStride) {
  HalfLanes rows[kHalf], pairs[kHalf], fours[kHalf];
  for (int64_t r = 0; r < kHalf; ++r)
    std::memcpy(&rows[r], source + r * sourceStride, sizeof(HalfLanes));
  // Numbers within a half of a register first: that is what shuffles are cheap
  // at.
  for (int64_t r = 0; r < kHalf; r += 2) {
    pairs[r] =
        __builtin_shufflevector(rows[r], rows[r + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    pairs[r + 1] = __builtin_shufflevector(rows[r], rows[r + 1], 2, 10, 3, 11,
                                           6, 14, 7, 15);
  }
  for (int64_t r = 0; r < kHalf; r += 4)
    for (int64_t i = 0; i < 2; ++i) {
      fours[r + 2 * i] = __builtin_shufflevector(pairs[r + i], pairs[r + i + 2],
                                                 0, 1, 8, 9, 4, 5, 12, 13);
      fours[r + 2 * i + 1] = __builtin_shufflevector(
          pairs[r + i], pairs[r + i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (int64_t i = 0; i < 4; ++i) {
    HalfLanes low = __builtin_shufflevector(fours[i], fours[i + 4], 0, 1, 2, 3,
                                            8, 9, 10, 11),
              high = __builtin_shufflevector(fours[i], fours[i + 4], 4, 5, 6, 7,
                                             12, 13, 14, 15);
    std::memcpy(target + i * targetStride, &low, sizeof(low));
    std::memcpy(target + (i + 4) * targetStride, &high, sizeof(high));
  }
}

/// Fewer numbers than a vector has.
QK_INLINE inline void copyPart(const float *source, int64_t count,
                               float *target) {
  int64_t i = 0;
  if (count >= kHalf) {
    std::memcpy(target, source, sizeof(HalfLanes));
    i = kHalf;
  }
#pragma clang loop vectorize(disable) unroll(disable)
  for (; i < count; ++i)
    target[i] = source[i];
}

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
  QK_INLINE void pack(int64_t begin, int64_t depth, float *panel) const {
    // Columns and terms in whole blocks.
    int64_t packed = 0, whole = depth / kHalf * kHalf;
    if (bRow == 1)
      for (; packed + kHalf <= columns; packed += kHalf)
        for (int64_t i = 0; i < whole; i += kHalf)
          transposeBlock(b + begin + i + packed * bCol, bCol,
                         panel + i * kColumns + packed, kColumns);
    for (int64_t i = 0; i < depth; ++i) {
      float *row = panel + i * kColumns;
      const float *source = b + (begin + i) * bRow;
      int64_t column = i < whole ? packed : 0;
      if (bCol == 1)
        for (; column + kHalf <= columns; column += kHalf)
          std::memcpy(row + column, source + column, sizeof(HalfLanes));
#pragma clang loop vectorize(disable) unroll(disable)
      for (; column < columns; ++column)
        row[column] = source[column * bCol];
#pragma clang loop vectorize(disable) unroll(disable)
      for (; column < kColumns; ++column)
        row[column] = 0.0f;
    }
  }

  QK_INLINE Lanes load(const float *row, int64_t first) const {
    if (columns - first >= kLanes)
      return loadLanes(row + first);
    float lanes[kLanes] = {};
    copyPart(row + first, columns - first, lanes);
    return loadLanes(lanes);
  }
  QK_INLINE void store(float *row, int64_t first, Lanes values) const {
    if (columns - first >= kLanes)
      return storeLanes(row + first, values);
    float lanes[kLanes];
    storeLanes(lanes, values);
    copyPart(lanes, columns - first, row + first);
  }

  /// Adds terms [begin, begin + depth), the rows of `panel`, to `R` rows from
  /// `row` on, `V` vectors from `column` on. A product and a sum are rounded
  /// each; sums never leave their lane.
  template <int R, int V>
  QK_INLINE void accumulate(int64_t row, int64_t column, int64_t begin,
                            int64_t depth, const float *panel,
                            int64_t stride) const {
#pragma clang fp contract(off)
    Lanes sums[R][V];
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < V; ++v) {
        float *target = c + (row + r) * cRow;
        if (begin == 0 && beta == 0.0f)
          sums[r][v] = splat(0.0f);
        else
          sums[r][v] =
              load(target, column + v * kLanes) * (begin == 0 ? beta : 1.0f);
      }
    const float *x = a + row * aRow + begin * aCol;
    panel += column;
    for (int64_t i = 0; i < depth; ++i, x += aCol, panel += stride) {
      Lanes terms[V];
      for (int v = 0; v < V; ++v)
        terms[v] = loadLanes(panel + v * kLanes);
      for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v)
          sums[r][v] = sums[r][v] + splat(x[r * aRow]) * terms[v];
    }
    for (int r = 0; r < R; ++r)
      for (int v = 0; v < V; ++v)
        store(c + (row + r) * cRow, column + v * kLanes, sums[r][v]);
  }

  /// Of the rows from `row` on, `R` at once while there are as many; the first
  /// row that is left.
  template <int R, int V>
  QK_INLINE int64_t accumulateRows(int64_t row, int64_t column, int64_t begin,
                                   int64_t depth, const float *panel,
                                   int64_t stride) const {
    for (; row + R <= rows; row += R)
      accumulate<R, V>(row, column, begin, depth, panel, stride);
    return row;
  }

  /// As many sums at once as registers hold with what is added to them, and
  /// never fewer than hide how long an addition takes, if there are.
  QK_INLINE void accumulateAll(int64_t begin, int64_t depth, const float *panel,
                               int64_t stride) const {
    int64_t row = 0;
    if (hasAVX512()) {
      row = accumulateRows<12, 2>(row, 0, begin, depth, panel, stride);
      row = accumulateRows<4, 2>(row, 0, begin, depth, panel, stride);
    } else {
      int64_t next = row;
      for (int64_t column = 0; column < columns; column += kLanes)
        next = accumulateRows<4, 1>(row, column, begin, depth, panel, stride);
      row = next;
    }
    row = accumulateRows<2, 2>(row, 0, begin, depth, panel, stride);
    accumulateRows<1, 2>(row, 0, begin, depth, panel, stride);
  }

  void run() const {
    // Rows of B that lie as a panel's do are read where they are.
    bool direct = bCol == 1 && columns == kColumns;
    std::unique_ptr<float[]> panel;
    if (!direct)
      panel = std::make_unique_for_overwrite<float[]>(
          std::clamp<int64_t>(k, 1, kDepth) * kColumns);
    int64_t begin = 0;
    do { // Once where K is 0, for beta.
      int64_t depth = std::min(kDepth, k - begin);
      withBestVectors([&]() QK_INLINE {
        if (!direct)
          pack(begin, depth, panel.get());
        accumulateAll(begin, depth, direct ? b + begin * bRow : panel.get(),
                      direct ? bRow : kColumns);
      });
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
