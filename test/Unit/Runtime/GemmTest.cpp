//===- GemmTest.cpp - Float matrix products against f64 -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Runtime/Gemm.h"

#include <cmath>
#include <gtest/gtest.h>
#include <omp.h>
#include <random>
#include <vector>

namespace {

/// How an operand lies in memory.
enum class Layout { Rows, Columns, Padded, Strided, Broadcast };

/// A batch of matrices with some layout; the memory between them is NaN.
struct Operand {
  std::vector<float> data;
  int64_t batchStride, rowStride, colStride;

  Operand(Layout layout, int64_t batch, int64_t rows, int64_t cols,
          unsigned seed) {
    switch (layout) {
    case Layout::Rows:
      rowStride = cols, colStride = 1, batchStride = rows * cols;
      break;
    case Layout::Columns:
      rowStride = 1, colStride = rows, batchStride = rows * cols;
      break;
    case Layout::Padded:
      rowStride = cols + 5, colStride = 1, batchStride = rows * rowStride + 3;
      break;
    case Layout::Strided:
      rowStride = 3 * cols, colStride = 2, batchStride = rows * rowStride;
      break;
    case Layout::Broadcast:
      rowStride = 0, colStride = 1, batchStride = 0;
      break;
    }
    data.assign(batch * std::max(batchStride, cols) + 1, NAN);
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < batch; ++i)
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < cols; ++c)
          data[i * batchStride + r * rowStride + c * colStride] =
              normal(random);
  }
  double at(int64_t i, int64_t r, int64_t c) const {
    return data[i * batchStride + r * rowStride + c * colStride];
  }
};

struct Problem {
  int64_t batch, m, n, k;
};

using Gemm = decltype(qk_sgemm_batch);

std::vector<float> multiply(Problem p, const Operand &a, const Operand &b,
                            std::vector<float> c, int64_t cBatch, int64_t cRow,
                            float beta, Gemm *gemm = qk_sgemm_batch) {
  gemm(p.batch, p.m, p.n, p.k, a.data.data(), a.batchStride, a.rowStride,
       a.colStride, b.data.data(), b.batchStride, b.rowStride, b.colStride,
       c.data(), cBatch, cRow, beta);
  return c;
}

void check(Problem p, Layout aLayout, Layout bLayout, float beta) {
  SCOPED_TRACE(testing::Message()
               << p.batch << "x" << p.m << "x" << p.n << "x" << p.k << " A "
               << int(aLayout) << " B " << int(bLayout) << " beta " << beta);
  Operand a(aLayout, p.batch, p.m, p.k, 1), b(bLayout, p.batch, p.k, p.n, 2);
  int64_t cRow = p.n + 2, cBatch = p.m * cRow + 1;
  // With beta 0 what is there does not count, be it NaN.
  std::vector<float> c(p.batch * cBatch, beta == 0 ? NAN : 0.5f);
  auto result = multiply(p, a, b, c, cBatch, cRow, beta);
  for (int64_t i = 0; i < p.batch; ++i)
    for (int64_t r = 0; r < p.m; ++r)
      for (int64_t s = 0; s < cRow; ++s) {
        int64_t at = i * cBatch + r * cRow + s;
        if (s >= p.n) { // The memory between rows is not ours.
          ASSERT_EQ(std::isnan(result[at]), std::isnan(c[at]));
          continue;
        }
        double sum = beta == 0 ? 0 : beta * 0.5;
        for (int64_t j = 0; j < p.k; ++j)
          sum += a.at(i, r, j) * b.at(i, j, s);
        ASSERT_NEAR(result[at], sum, 1e-5 * (1 + std::sqrt(double(p.k))))
            << i << " " << r << " " << s;
      }
}

TEST(Gemm, AnyShapeAndLayout) {
  for (Problem p : std::vector<Problem>{{1, 1, 1, 1},
                                        {3, 5, 7, 9},
                                        {8, 33, 40, 8},
                                        {2, 1, 70, 100},
                                        {2, 70, 1, 100},
                                        {1, 2, 3, 0},
                                        {1, 1, 50, 0},
                                        {1, 64, 172, 64},
                                        {1, 300, 65, 70},
                                        {1, 130, 200, 170},
                                        {2, 1, 70, 1000},
                                        {2, 70, 1, 1000}})
    for (auto a : {Layout::Rows, Layout::Columns, Layout::Padded,
                   Layout::Strided, Layout::Broadcast})
      for (auto b : {Layout::Rows, Layout::Columns, Layout::Padded,
                     Layout::Strided, Layout::Broadcast})
        for (float beta : {0.0f, 1.0f})
          check(p, a, b, beta);
}

TEST(Gemm, ManyTiles) {
  check({1, 300, 520, 100}, Layout::Rows, Layout::Columns, 0);
  check({1, 1, 3000, 300}, Layout::Rows, Layout::Columns, 1);
  check({1, 1, 3000, 300}, Layout::Rows, Layout::Rows, 1);
  check({4, 1, 1500, 257}, Layout::Columns, Layout::Columns, 0);
  check({6, 128, 600, 64}, Layout::Strided, Layout::Columns, 0.5f);
}

/// Rows that end in zeros, as a causal mask leaves them, are multiplied up to
/// there; but zero times infinity is not left out.
TEST(Gemm, RowsThatEndInZeros) {
  Problem p{2, 200, 90, 300};
  for (auto layout : {Layout::Rows, Layout::Columns, Layout::Strided})
    for (bool infinite : {false, true}) {
      Operand a(Layout::Padded, p.batch, p.m, p.k, 1),
          b(layout, p.batch, p.k, p.n, 2);
      for (int64_t i = 0; i < p.batch; ++i)
        for (int64_t r = 0; r < p.m; ++r)
          for (int64_t c = r + 21; c < p.k; ++c)
            a.data[i * a.batchStride + r * a.rowStride + c] = c % 2 ? 0 : -0.f;
      if (infinite)
        b.data[(p.k - 1) * b.rowStride] = INFINITY;
      auto result =
          multiply(p, a, b, std::vector<float>(p.batch * p.m * p.n, NAN),
                   p.m * p.n, p.n, 0);
      for (int64_t i = 0; i < p.batch; ++i)
        for (int64_t r = 0; r < p.m; ++r)
          for (int64_t s = 0; s < p.n; ++s) {
            double sum = 0;
            for (int64_t j = 0; j < p.k; ++j)
              sum += a.at(i, r, j) * b.at(i, j, s);
            float got = result[(i * p.m + r) * p.n + s];
            if (std::isnan(sum))
              ASSERT_TRUE(infinite && std::isnan(got)) << r << " " << s;
            else
              ASSERT_NEAR(got, sum, 2e-4) << i << " " << r << " " << s;
          }
    }
}

/// Equal to the plain loop, bit by bit.
void checkOrdered(Problem p, Layout aLayout, Layout bLayout, float beta) {
  SCOPED_TRACE(testing::Message()
               << p.batch << "x" << p.m << "x" << p.n << "x" << p.k << " A "
               << int(aLayout) << " B " << int(bLayout) << " beta " << beta);
  Operand a(aLayout, p.batch, p.m, p.k, 1), b(bLayout, p.batch, p.k, p.n, 2);
  int64_t cRow = p.n + 2, cBatch = p.m * cRow + 1;
  std::vector<float> c(p.batch * cBatch, beta == 0 ? NAN : 0.5f);
  auto result =
      multiply(p, a, b, c, cBatch, cRow, beta, qk_sgemm_ordered_batch);
  for (int64_t i = 0; i < p.batch; ++i)
    for (int64_t r = 0; r < p.m; ++r)
      for (int64_t s = 0; s < cRow; ++s) {
        int64_t at = i * cBatch + r * cRow + s;
        if (s >= p.n) {
          ASSERT_EQ(std::isnan(result[at]), std::isnan(c[at]));
          continue;
        }
        float sum = beta == 0 ? 0 : beta * 0.5f;
        for (int64_t j = 0; j < p.k; ++j) {
          // Both are f32, so this is the product rounded once.
          float product = float(a.at(i, r, j) * b.at(i, j, s));
          sum += product;
        }
        ASSERT_EQ(result[at], sum) << i << " " << r << " " << s;
      }
}

TEST(OrderedGemm, IsThePlainLoop) {
  for (Problem p : std::vector<Problem>{{1, 1, 1, 1},
                                        {3, 5, 7, 9},
                                        {2, 1, 70, 300},
                                        {2, 70, 1, 100},
                                        {1, 2, 3, 0},
                                        {1, 300, 65, 70},
                                        {1, 37, 48, 600}})
    for (auto a : {Layout::Rows, Layout::Columns, Layout::Padded,
                   Layout::Strided, Layout::Broadcast})
      for (auto b : {Layout::Rows, Layout::Columns, Layout::Padded,
                     Layout::Strided, Layout::Broadcast})
        for (float beta : {0.0f, 1.0f})
          checkOrdered(p, a, b, beta);
  int before = omp_get_max_threads();
  omp_set_num_threads(7);
  checkOrdered({3, 300, 200, 300}, Layout::Rows, Layout::Columns, 1);
  omp_set_num_threads(before);
  checkOrdered({0, 3, 4, 5}, Layout::Rows, Layout::Rows, 0);
  checkOrdered({1, 0, 4, 5}, Layout::Rows, Layout::Rows, 0);
  checkOrdered({1, 3, 0, 5}, Layout::Rows, Layout::Rows, 0);
}

/// Small products are ordered ones, also where they meet one that isn't.
TEST(Gemm, SmallOnesAreOrdered) {
  auto isOrdered = [](Problem p) {
    Operand a(Layout::Rows, p.batch, p.m, p.k, 1),
        b(Layout::Columns, p.batch, p.k, p.n, 2);
    std::vector<float> c(p.batch * p.m * p.n, NAN);
    return multiply(p, a, b, c, p.m * p.n, p.n, 0) ==
           multiply(p, a, b, c, p.m * p.n, p.n, 0, qk_sgemm_ordered_batch);
  };
  EXPECT_TRUE(isOrdered({1, 32, 172, 64}));
  EXPECT_TRUE(isOrdered({1, 128, 128, 256}));
  EXPECT_FALSE(isOrdered({1, 128, 128, 257}));
  EXPECT_TRUE(isOrdered({3, 1, 256, 256}));
  EXPECT_FALSE(isOrdered({3, 1, 256, 257}));
}

TEST(Gemm, EmptyProblems) {
  check({0, 3, 4, 5}, Layout::Rows, Layout::Rows, 0);
  check({1, 0, 4, 5}, Layout::Rows, Layout::Rows, 0);
  check({1, 3, 0, 5}, Layout::Rows, Layout::Rows, 0);
}

TEST(Gemm, SameBytesForAnyNumberOfThreads) {
  int before = omp_get_max_threads();
  for (Problem p : {Problem{1, 500, 300, 200}, Problem{1, 1, 2000, 500},
                    Problem{1, 2000, 1, 500}, Problem{8, 64, 64, 64}})
    for (auto layout : {Layout::Rows, Layout::Columns}) {
      Operand a(Layout::Rows, p.batch, p.m, p.k, 1),
          b(layout, p.batch, p.k, p.n, 2);
      std::vector<std::vector<float>> results;
      for (int threads : {1, 2, 7}) {
        omp_set_num_threads(threads);
        results.push_back(
            multiply(p, a, b, std::vector<float>(p.batch * p.m * p.n, 1.0f),
                     p.m * p.n, p.n, 1.0f));
      }
      EXPECT_EQ(results[0], results[1]);
      EXPECT_EQ(results[0], results[2]);
    }
  omp_set_num_threads(before);
}

} // namespace
