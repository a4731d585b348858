//===- Gemm.cpp - Float matrix products for generated code ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Runtime/Gemm.h"
#include "qk/Runtime/Runtime.h"

#include "../Numerics/Lanes.h"
#include "Blas.h"
#include "Parallel.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>

using namespace qk::numerics;
using qk::runtime::forEach;
namespace blas = qk::blas;

namespace {

/// A matrix somewhere in memory.
struct View {
  const float *data;
  int64_t rowStride, colStride;
  const float *at(int64_t row, int64_t col) const {
    return data + row * rowStride + col * colStride;
  }
};

/// A view as BLAS wants it.
struct Operand {
  const float *data;
  int64_t stride;
  blas::Transpose transpose;
};

std::unique_ptr<float[]> scratch(int64_t count) {
  return std::make_unique_for_overwrite<float[]>(count);
}

} // namespace

/// Whether `stride` can be the distance of stored rows of `length` elements.
static bool isLeading(int64_t stride, int64_t length) {
  return stride >= length && stride <= std::numeric_limits<int>::max();
}

/// A leading dimension is at least 1, also of a matrix without elements: CBLAS
/// ends the process otherwise.
static constexpr int64_t kOne = 1;

/// `view` [rows, cols] for BLAS; copied to `copy` where neither dimension has
/// unit stride. A dimension of size 1 may have any stride.
static Operand makeOperand(View view, int64_t rows, int64_t cols,
                           std::unique_ptr<float[]> &copy) {
  if ((view.colStride == 1 || cols == 1) &&
      (isLeading(view.rowStride, cols) || rows == 1))
    return {view.data, std::max({view.rowStride, cols, kOne}), blas::NoTrans};
  if ((view.rowStride == 1 || rows == 1) &&
      (isLeading(view.colStride, rows) || cols == 1))
    return {view.data, std::max({view.colStride, rows, kOne}), blas::Trans};
  copy = scratch(rows * cols);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c)
      copy[r * cols + c] = *view.at(r, c);
  return {copy.get(), std::max(cols, kOne), blas::NoTrans};
}

/// One tile on the calling thread.
static void multiplyTile(int64_t m, int64_t n, int64_t k, View a, View b,
                         float *c, int64_t cStride, float beta) {
  std::unique_ptr<float[]> aCopy, bCopy;
  Operand left = makeOperand(a, m, k, aCopy);
  Operand right = makeOperand(b, k, n, bCopy);
  blas::sgemm(left.transpose, right.transpose, m, n, k, 1.0f, left.data,
              left.stride, right.data, right.stride, beta, c,
              std::max(cStride, n));
}

/// Whether any of `count` consecutive floats has bits of `mask` that are all
/// set (or, where `exact` is false, any bit of it).
static bool anyBits(const float *data, int64_t count, uint32_t mask,
                    bool exact) {
  constexpr int64_t kBlock = 64;
  const auto *bits = reinterpret_cast<const std::byte *>(data);
  auto load = [&](int64_t i) {
    uint32_t value;
    std::memcpy(&value, bits + 4 * i, 4);
    return value & mask;
  };
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    int64_t end = std::min(count, begin + kBlock);
    uint32_t any = 0;
    if (exact)
      for (int64_t i = begin; i < end; ++i)
        any |= load(i) == mask;
    else
      for (int64_t i = begin; i < end; ++i)
        any |= load(i);
    if (any)
      return true;
  }
  return false;
}

/// How many leading columns of `a` [m, k], stored row by row, are needed: those
/// after them are all zero. In steps of 64; the last row first, which a causal
/// mask leaves the most.
static int64_t usedColumns(int64_t m, int64_t k, View a) {
  constexpr int64_t kStep = 64;
  int64_t used = 0;
  for (int64_t row = m; row-- > 0 && used < k;)
    // All bits but the sign.
    while (used < k && anyBits(a.at(row, used), k - used, 0x7fffffff, false))
      used = std::min(k, used + kStep);
  return used;
}

/// Whether zero times each of `b` [k, n] is zero: no infinity, no NaN.
static bool isFinite(int64_t k, int64_t n, View b) {
  if (b.colStride != 1 && b.rowStride == 1) {
    std::swap(k, n);
    std::swap(b.rowStride, b.colStride);
  }
  if (b.colStride != 1)
    return false;
  for (int64_t row = 0; row < k; ++row)
    if (anyBits(b.at(row, 0), n, 0x7f800000, true))
      return false;
  return true;
}

/// A tile whose rows may end in zeros, as the probabilities of causal attention
/// do: they are not multiplied. Strips of rows, each with its own end.
static void multiplyTrimmed(int64_t m, int64_t n, int64_t k, View a, View b,
                            float *c, int64_t cStride, float beta) {
  constexpr int64_t kRows = 128, kLeast = 128;
  // One look at most matrices tells that there is nothing to leave out.
  if (a.colStride != 1 || k < kLeast || m < 2 || *a.at(0, k - 1) != 0.0f)
    return multiplyTile(m, n, k, a, b, c, cStride, beta);
  for (int64_t r = 0; r < m; r += kRows) {
    int64_t rows = std::min(kRows, m - r);
    View strip{a.at(r, 0), a.rowStride, a.colStride};
    int64_t used = std::max<int64_t>(usedColumns(rows, k, strip), 1);
    if (used < k &&
        !isFinite(k - used, n, {b.at(used, 0), b.rowStride, b.colStride}))
      used = k;
    multiplyTile(rows, n, used, strip, b, c + r * cStride, cStride, beta);
  }
}

namespace {

/// y[i] = Σ_j matrix(i, j)·x[j] + beta·y[i]. BLAS libraries are slow at it when
/// it is asked for as a product with one row, and it is what decoding needs.
struct MatrixVector {
  int64_t rows, cols;
  View matrix;
  /// Contiguous.
  const float *x;
  float *y;
  int64_t yStride;
  float beta;

  QK_INLINE void store(int64_t row, float value) const {
    float &target = y[row * yStride];
    target = beta == 0.0f ? value : value + beta * target;
  }

  /// Rows of unit stride, `V` at once.
  template <int V> QK_INLINE void dot(int64_t row) const {
    Lanes sum[V];
    const float *source[V];
    for (int v = 0; v < V; ++v) {
      sum[v] = splat(0.0f);
      source[v] = matrix.at(row + v, 0);
    }
    int64_t j = 0;
    for (; j + kLanes <= cols; j += kLanes)
      for (int v = 0; v < V; ++v)
        sum[v] =
            multiplyAdd(loadLanes(source[v] + j), loadLanes(x + j), sum[v]);
    for (int v = 0; v < V; ++v) {
      float total = sumOfLanes(sum[v]);
      for (int64_t rest = j; rest < cols; ++rest)
        total += source[v][rest] * x[rest];
      store(row + v, total);
    }
  }

  QK_INLINE void dots(int64_t begin, int64_t end) const {
    int64_t row = begin;
    for (; row + 4 <= end; row += 4)
      dot<4>(row);
    for (; row < end; ++row)
      dot<1>(row);
  }

  /// Columns of unit stride: at most kStripe sums, four columns at a time.
  static constexpr int64_t kStripe = 1024;
  QK_INLINE void combine(int64_t begin, int64_t end) const {
    float sum[kStripe] = {};
    int64_t count = end - begin, j = 0;
    for (; j + 4 <= cols; j += 4) {
      const float *c0 = matrix.at(begin, j), *c1 = matrix.at(begin, j + 1),
                  *c2 = matrix.at(begin, j + 2), *c3 = matrix.at(begin, j + 3);
      float x0 = x[j], x1 = x[j + 1], x2 = x[j + 2], x3 = x[j + 3];
      for (int64_t i = 0; i < count; ++i)
        sum[i] += (c0[i] * x0 + c1[i] * x1) + (c2[i] * x2 + c3[i] * x3);
    }
    for (; j < cols; ++j) {
      const float *column = matrix.at(begin, j);
      for (int64_t i = 0; i < count; ++i)
        sum[i] += column[i] * x[j];
    }
    for (int64_t i = 0; i < count; ++i)
      store(begin + i, sum[i]);
  }

  void anyStrides(int64_t begin, int64_t end) const {
    for (int64_t row = begin; row < end; ++row) {
      float sum = 0.0f;
      for (int64_t j = 0; j < cols; ++j)
        sum += *matrix.at(row, j) * x[j];
      store(row, sum);
    }
  }

  void run(int64_t begin, int64_t end) const {
    if (matrix.colStride == 1 || cols == 1)
      withBestVectors([&]() QK_INLINE { dots(begin, end); });
    else if (matrix.rowStride == 1)
      withBestVectors([&]() QK_INLINE {
        for (int64_t i = begin; i < end; i += kStripe)
          combine(i, std::min(end, i + kStripe));
      });
    else
      anyStrides(begin, end);
  }
};

} // namespace

/// Whether a product is computed term by term, as it is written: what stock
/// compilers' loops give, bit by bit. Small ones are, where that takes about as
/// long as a call of BLAS (a vector's: while it takes microseconds).
static bool isOrdered(int64_t m, int64_t n, int64_t k) {
  constexpr int64_t kProduct = int64_t(1) << 22, kVector = int64_t(1) << 16;
  if (m == 1 || n == 1)
    return std::max(m, n) <= kVector / std::max(k, kOne);
  return m <= kProduct / n && m * n <= kProduct / std::max(k, kOne);
}

/// `matrix` times the vector `x` of stride `xStride`, for each of a batch.
static void multiplyVectors(int64_t batch, int64_t matrixStep, int64_t xStep,
                            int64_t yStep, MatrixVector first,
                            int64_t xStride) {
  int64_t rows = first.rows, cols = first.cols;
  // Some 64 Ki elements an item, in whole vectors.
  int64_t step = std::max<int64_t>(65536 / std::max<int64_t>(cols, 1), 64);
  step = (step + 63) / 64 * 64;
  int64_t steps = (rows + step - 1) / step;
  forEach(batch * steps, 8 * batch * rows * cols, [&](int64_t item) {
    int64_t i = item / steps, begin = item % steps * step;
    MatrixVector one = first;
    one.matrix.data += i * matrixStep;
    one.x += i * xStep;
    one.y += i * yStep;
    std::unique_ptr<float[]> copy;
    if (xStride != 1 && cols > 1) {
      copy = scratch(cols);
      for (int64_t j = 0; j < cols; ++j)
        copy[j] = one.x[j * xStride];
      one.x = copy.get();
    }
    one.run(begin, std::min(rows, begin + step));
  });
}

void qk_sgemm_batch(int64_t batch, int64_t m, int64_t n, int64_t k,
                    const float *a, int64_t a_batch_stride,
                    int64_t a_row_stride, int64_t a_col_stride, const float *b,
                    int64_t b_batch_stride, int64_t b_row_stride,
                    int64_t b_col_stride, float *c, int64_t c_batch_stride,
                    int64_t c_row_stride, float beta) {
  if (batch <= 0 || m <= 0 || n <= 0)
    return;
  if (isOrdered(m, n, k))
    return qk_sgemm_ordered_batch(batch, m, n, k, a, a_batch_stride,
                                  a_row_stride, a_col_stride, b, b_batch_stride,
                                  b_row_stride, b_col_stride, c, c_batch_stride,
                                  c_row_stride, beta);
  const struct Timer {
    double begin, flops;
    ~Timer() { qk_profile_end(QK_PROFILE_CONTRACTION, begin, flops); }
  } timer{qk_profile_begin(), 2.0 * static_cast<double>(batch * m * n * k)};
  View left{a, a_row_stride, a_col_stride},
      right{b, b_row_stride, b_col_stride};
  if (m == 1)
    return multiplyVectors(
        batch, b_batch_stride, a_batch_stride, c_batch_stride,
        {n, k, {b, b_col_stride, b_row_stride}, a, c, 1, beta}, a_col_stride);
  if (n == 1)
    return multiplyVectors(
        batch, a_batch_stride, b_batch_stride, c_batch_stride,
        {m, k, left, b, c, c_row_stride, beta}, b_row_stride);

  // Tiles of 256 x 1024, halved while there are few of them and each is still
  // worth a call: BLAS copies both operands of each.
  int64_t rows = std::min<int64_t>(m, 256), cols = std::min<int64_t>(n, 1024);
  auto count = [](int64_t size, int64_t step) {
    return (size + step - 1) / step;
  };
  while (batch * count(m, rows) * count(n, cols) < 16 &&
         rows * cols * k >= 2'000'000) {
    int64_t &larger = rows >= cols ? rows : cols;
    larger = (larger / 2 + 15) / 16 * 16;
  }
  int64_t across = count(n, cols), tiles = count(m, rows) * across;
  forEach(batch * tiles, 2 * batch * m * n * k, [&](int64_t item) {
    int64_t i = item / tiles, r = item % tiles / across * rows,
            s = item % tiles % across * cols;
    View aTile{left.at(r, 0) + i * a_batch_stride, a_row_stride, a_col_stride};
    View bTile{right.at(0, s) + i * b_batch_stride, b_row_stride, b_col_stride};
    multiplyTrimmed(std::min(rows, m - r), std::min(cols, n - s), k, aTile,
                    bTile, c + i * c_batch_stride + r * c_row_stride + s,
                    c_row_stride, beta);
  });
}
