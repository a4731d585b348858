//===- ElementwiseTest.cpp - Scaled weights and statistics ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Elementwise.h"

#include "Layers.h"
#include "Restatement.h"
#include "qk/Numerics/Parallel.h"

#include <gtest/gtest.h>
#include <limits>

using namespace qk::numerics;

namespace {

/// Factors between 1/4 and 4, of both signs.
std::vector<float> someFactors(int64_t k) {
  std::vector<float> factors(k);
  for (int64_t j = 0; j < k; ++j)
    factors[j] = std::exp2(float(j * 37 % 41) / 10 - 2) * (j % 3 ? 1 : -1);
  return factors;
}

/// Runs `compute` (which fills its argument) with 1, 2 and 7 threads.
template <typename Compute>
void expectSameBytes(size_t size, Compute &&compute) {
  int before = numThreads();
  setNumThreads(1);
  std::vector<float> expected(size), got(size);
  compute(expected);
  for (int threads : {2, 7}) {
    setNumThreads(threads);
    got.assign(size, 0.0f);
    compute(got);
    EXPECT_EQ(got, expected) << threads << " threads";
  }
  setNumThreads(before);
}

// 333 columns leave a tail of vectors, and several work items.
TEST(Elementwise, ScalesColumns) {
  Layer layer(205, 333, 1, 1);
  std::vector<float> factors = someFactors(333), out(layer.w.size());
  for (bool inverse : {false, true}) {
    ASSERT_TRUE(scaleColumns(layer.w.data(), 205, 333, factors.data(), inverse,
                             out.data()));
    for (size_t i = 0; i < out.size(); ++i) {
      double w = layer.w[i], s = factors[i % 333];
      ASSERT_EQ(out[i], float(inverse ? w / s : w * s)) << "element " << i;
    }
    expectSameBytes(out.size(), [&](std::vector<float> &result) {
      ASSERT_TRUE(scaleColumns(layer.w.data(), 205, 333, factors.data(),
                               inverse, result.data()));
    });
    // In place.
    std::vector<float> own = layer.w;
    ASSERT_TRUE(scaleColumns(own.data(), 205, 333, factors.data(), inverse,
                             own.data()));
    EXPECT_EQ(own, out);
  }
}

TEST(Elementwise, ScalesStatisticsAsScaledInputsWould) {
  // The statistics of x / s, taken token by token.
  Layer layer(1, 200, 60, 2);
  std::vector<float> factors = someFactors(200);
  std::vector<float> hessian(200 * 200), absmax(200), scaledMax(200);
  restatement::Matrix expected(200, 200);
  std::vector<double> expectedMax(200);
  for (int64_t t = 0; t < layer.tokens; ++t)
    for (int64_t i = 0; i < 200; ++i) {
      double xi = layer.x[t * 200 + i];
      absmax[i] = std::max(absmax[i], std::fabs(layer.x[t * 200 + i]));
      expectedMax[i] = std::max(expectedMax[i], xi / factors[i]);
      expectedMax[i] = std::max(expectedMax[i], -xi / factors[i]);
      for (int64_t j = 0; j < 200; ++j)
        expected(i, j) +=
            xi / factors[i] * layer.x[t * 200 + j] / factors[j] / layer.tokens;
    }
  ASSERT_TRUE(
      scaleHessian(layer.hessian.data(), 200, factors.data(), hessian.data()));
  for (int64_t i = 0; i < 200; ++i)
    for (int64_t j = 0; j < 200; ++j) {
      double bound = 1e-5 * std::sqrt(expected(i, i) * expected(j, j));
      ASSERT_NEAR(hessian[i * 200 + j], expected(i, j), bound);
      // As symmetric as what it was made from.
      if (layer.hessian[i * 200 + j] == layer.hessian[j * 200 + i])
        ASSERT_EQ(hessian[i * 200 + j], hessian[j * 200 + i]);
    }
  for (float &factor : factors)
    factor = std::fabs(factor);
  ASSERT_TRUE(
      scaleMagnitudes(absmax.data(), 200, factors.data(), scaledMax.data()));
  for (int64_t i = 0; i < 200; ++i)
    EXPECT_NEAR(scaledMax[i], expectedMax[i], 1e-6 * expectedMax[i]);
  expectSameBytes(hessian.size(), [&](std::vector<float> &result) {
    ASSERT_TRUE(
        scaleHessian(layer.hessian.data(), 200, factors.data(), result.data()));
  });
}

TEST(Elementwise, RoundsToTheElementType) {
  Layer layer(150, 333, 1, 3);
  for (auto [type, bits, exponent] : {std::tuple(ScaleType::F16, 11, -24),
                                      std::tuple(ScaleType::BF16, 8, -133),
                                      std::tuple(ScaleType::F32, 24, -149)}) {
    std::vector<float> values = layer.w;
    roundElements(values.data(), values.size(), type);
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_EQ(values[i],
                restatement::roundToBits(layer.w[i], bits, exponent));
    expectSameBytes(values.size(), [&](std::vector<float> &result) {
      result = layer.w;
      roundElements(result.data(), result.size(), type);
    });
  }
  float large = 70000;
  roundElements(&large, 1, ScaleType::F16);
  EXPECT_EQ(large, std::numeric_limits<float>::infinity());
}

TEST(Elementwise, Transposes) {
  Layer layer(75, 131, 1, 4);
  std::vector<float> out(layer.w.size());
  transpose(layer.w.data(), 75, 131, out.data());
  for (int64_t i = 0; i < 75; ++i)
    for (int64_t j = 0; j < 131; ++j)
      ASSERT_EQ(out[j * 75 + i], layer.w[i * 131 + j]);
  expectSameBytes(out.size(), [&](std::vector<float> &result) {
    transpose(layer.w.data(), 75, 131, result.data());
  });
}

TEST(Elementwise, GathersFactors) {
  std::vector<float> in{10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21};
  auto gather = [&](std::vector<FactorDigit> digits) {
    return gatherFactors(in.data(), digits);
  };
  // Every second head.
  EXPECT_EQ(gather({{2, 6, 0, 2}, {3, 1, 0, 3}}),
            (std::vector<float>{10, 11, 12, 16, 17, 18}));
  // Stride 0 repeats.
  EXPECT_EQ(gather({{2, 4, 0, 2}, {2, 0, 0, 2}, {2, 3, 0, 2}}),
            (std::vector<float>{10, 13, 10, 13, 14, 17, 14, 17}));
  EXPECT_EQ(gather({}), std::vector<float>{10});
  // Of two heads of three slots of two elements the last slot; 1 elsewhere.
  EXPECT_EQ(gather({{2, 2, 0, 2}, {3, 0, 2, 1}, {2, 1, 0, 2}}),
            (std::vector<float>{1, 1, 1, 1, 10, 11, 1, 1, 1, 1, 12, 13}));
}

TEST(Elementwise, ScaleOfAnActivation) {
  std::vector<float> absmax{1, 254, 3}, zero{0, 0};
  EXPECT_EQ(activationScale(absmax.data(), 3, 127), 2.0f);
  EXPECT_EQ(activationScale(zero.data(), 2, 127), 1.0f);
}

TEST(Elementwise, RejectsFactorsThatCannotBeUsed) {
  std::vector<float> w = {1, 2, 3, 4}, factors = {1, 0}, out(4);
  auto message = [](Status status) {
    return status ? std::string() : status.error().message;
  };
  EXPECT_EQ(
      message(scaleColumns(w.data(), 2, 2, factors.data(), false, out.data())),
      "");
  EXPECT_EQ(
      message(scaleColumns(w.data(), 2, 2, factors.data(), true, out.data())),
      "expected factors to divide by, got 0.000000 at column 1");
  EXPECT_EQ(message(scaleHessian(w.data(), 2, factors.data(), out.data())),
            "expected factors to divide by, got 0.000000 at column 1");
  EXPECT_EQ(message(scaleMagnitudes(w.data(), 2, factors.data(), out.data())),
            "expected factors to divide by, got 0.000000 at column 1");
  factors[0] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(
      message(scaleColumns(w.data(), 2, 2, factors.data(), false, out.data())),
      "expected finite factors, got inf at column 0");
}

} // namespace
