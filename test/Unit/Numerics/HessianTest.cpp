//===- HessianTest.cpp - Order, damping and factor of a Hessian -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Hessian.h"

#include "Layers.h"
#include "Restatement.h"
#include "qk/Numerics/LinearAlgebra.h"
#include "qk/Numerics/OutputError.h"
#include "qk/Numerics/Parallel.h"

#include <gtest/gtest.h>

using namespace qk::numerics;
using restatement::Matrix;

namespace {

TEST(Hessian, FactorsTheOrderedDampedMatrix) {
  Layer layer(1, 70, 200, 1);
  auto order = activationOrder(layer.hessian.data(), 70);
  auto factor = factorHessian(layer.hessian.data(), 70, order.data(), {0.05});
  ASSERT_TRUE(factor);
  double mean = 0;
  for (int64_t i = 0; i < 70; ++i)
    mean += layer.hessian[i * 71] / 70;
  EXPECT_NEAR(factor->lambda, 0.05 * mean, 1e-6 * mean);
  for (int64_t i = 0; i < 70; ++i)
    for (int64_t j = 0; j < 70; ++j) {
      double sum = 0;
      for (int64_t t = 0; t < 70; ++t)
        sum += double(factor->r[i * 70 + t]) * factor->r[j * 70 + t];
      double expected = layer.hessian[order[i] * 70 + order[j]] +
                        (i == j ? factor->lambda : 0);
      EXPECT_NEAR(sum, expected, 1e-4 * mean);
      if (j < i) {
        EXPECT_EQ(factor->r[i * 70 + j], 0.0f);
      }
    }
}

TEST(Hessian, OrderIsStable) {
  std::vector<float> h(25);
  float diagonal[] = {1, 3, 1, 3, 2};
  for (int i = 0; i < 5; ++i)
    h[i * 6] = diagonal[i];
  EXPECT_EQ(activationOrder(h.data(), 5),
            (std::vector<int32_t>{1, 3, 4, 0, 2}));
}

TEST(Hessian, RetriesWithMoreDamping) {
  // Eigenvalues 1 ± 1.05: definite from a damping of 0.1 on.
  std::vector<float> h = {1, 1.05f, 1.05f, 1};
  auto factor = factorHessian(h.data(), 2, nullptr, {0.01, 3});
  ASSERT_TRUE(factor);
  EXPECT_DOUBLE_EQ(factor->damping, 0.1);
  auto failed = factorHessian(h.data(), 2, nullptr, {0.0001, 2});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message,
            "hessian is not positive definite: the factorisation failed at "
            "column 0 of 2 with damping 0.0001 and with up to 0.01; calibrate "
            "on more tokens or raise the damping");
}

/// A well-conditioned symmetric matrix.
std::vector<float> definiteMatrix(int64_t n) {
  std::mt19937 random(static_cast<unsigned>(n));
  std::normal_distribution<float> normal;
  std::vector<float> a(n * n);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j)
      a[i * n + j] = a[j * n + i] = normal(random);
    a[i * n + i] = 3 * std::sqrt(float(n));
  }
  return a;
}

TEST(LinearAlgebra, ReverseCholeskyOfSeveralTiles) {
  for (int64_t n : {1, 255, 256, 257, 700}) {
    auto a = definiteMatrix(n), r = a;
    ASSERT_EQ(reverseCholesky(n, r.data(), n), -1);
    double worst = 0;
    for (int64_t i = 0; i < n; i += 3)
      for (int64_t j = 0; j < n; j += 7) {
        double sum = 0;
        for (int64_t t = std::max(i, j); t < n; ++t)
          sum += double(r[i * n + t]) * r[j * n + t];
        worst = std::max(worst, std::fabs(sum - a[i * n + j]));
      }
    EXPECT_LT(worst, 1e-4);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < i; ++j)
        ASSERT_EQ(r[i * n + j], 0.0f) << i << " " << j;
  }
}

TEST(LinearAlgebra, ReverseCholeskyNamesTheRow) {
  for (int64_t bad : {0, 10, 299, 300, 599}) {
    auto a = definiteMatrix(600);
    a[bad * 601] = -1;
    EXPECT_EQ(reverseCholesky(600, a.data(), 600), bad);
  }
}

TEST(LinearAlgebra, SameBytesForAnyNumberOfThreads) {
  int before = numThreads();
  std::vector<std::vector<float>> results;
  for (int threads : {1, 2, 7}) {
    setNumThreads(threads);
    auto a = definiteMatrix(900);
    ASSERT_EQ(reverseCholesky(900, a.data(), 900), -1);
    std::vector<float> c(900 * 900);
    gemm(Transposed::Yes, Transposed::No, 900, 900, 900, 1, a.data(), 900,
         a.data(), 900, 0, c.data(), 900);
    a.insert(a.end(), c.begin(), c.end());
    results.push_back(a);
  }
  setNumThreads(before);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(LinearAlgebra, Gemm) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  int64_t m = 300, n = 270, k = 40;
  std::vector<float> a(m * k), b(k * n), c(m * n), before;
  for (auto *matrix : {&a, &b, &c})
    for (float &value : *matrix)
      value = normal(random);
  before = c;
  for (bool turnA : {false, true})
    for (bool turnB : {false, true}) {
      c = before;
      gemm(Transposed(turnA), Transposed(turnB), m, n, k, 2.0f, a.data(),
           turnA ? m : k, b.data(), turnB ? k : n, 0.5f, c.data(), n);
      for (int64_t i = 0; i < m; i += 13)
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (int64_t t = 0; t < k; ++t)
            sum += double(turnA ? a[t * m + i] : a[i * k + t]) *
                   (turnB ? b[j * k + t] : b[t * n + j]);
          ASSERT_NEAR(c[i * n + j], 2 * sum + 0.5 * before[i * n + j], 1e-4);
        }
    }
}

TEST(OutputError, AgreesWithADenseComputation) {
  Layer layer(150, 300, 400, 2);
  std::vector<float> changed = layer.w;
  for (size_t i = 0; i < changed.size(); i += 3)
    changed[i] += 0.01f;
  Matrix h(layer.hessian, 300, 300), w(layer.w, 150, 300);
  double loss = trace(minus(Matrix(changed, 150, 300), w), h);
  OutputError error = outputError(layer.w.data(), changed.data(), 150, 300,
                                  layer.hessian.data());
  EXPECT_NEAR(error.loss, loss, 1e-5 * loss);
  EXPECT_NEAR(error.relative, loss / trace(w, h), 1e-5 * error.relative);
  EXPECT_EQ(outputError(layer.w.data(), layer.w.data(), 150, 300,
                        layer.hessian.data())
                .relative,
            0);
}

} // namespace
