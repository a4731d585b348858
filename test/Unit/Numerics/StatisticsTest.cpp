//===- StatisticsTest.cpp - What a layer is fed ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Statistics.h"

#include "Layers.h"
#include "qk/Numerics/Parallel.h"

#include <gtest/gtest.h>

using namespace qk::numerics;

namespace {

bool same(const Statistics &a, const Statistics &b) {
  return a.tokens == b.tokens && a.hessian == b.hessian &&
         a.absmax == b.absmax && a.absmean == b.absmean;
}

TEST(Statistics, AgreesWithF64) {
  Layer layer(1, 300, 1300, 1);
  StatisticsAccumulator accumulator(300);
  ASSERT_TRUE(accumulator.add(layer.x.data(), 1300));
  EXPECT_EQ(accumulator.tokens(), 1300);
  Statistics s = accumulator.finish();
  EXPECT_EQ(s.tokens, 1300);
  for (int64_t i = 0; i < 300; ++i) {
    float absmax = 0;
    double sum = 0;
    for (int64_t t = 0; t < 1300; ++t) {
      absmax = std::max(absmax, std::fabs(layer.x[t * 300 + i]));
      sum += std::fabs(layer.x[t * 300 + i]);
    }
    EXPECT_EQ(s.absmax[i], absmax);
    EXPECT_NEAR(s.absmean[i], sum / 1300, 1e-6 * sum / 1300);
    for (int64_t j = 0; j < 300; ++j)
      ASSERT_NEAR(s.hessian[i * 300 + j], layer.hessian[i * 300 + j],
                  2e-6 * std::sqrt(layer.hessian[i * 301]) *
                      std::sqrt(layer.hessian[j * 301]))
          << i << " " << j;
  }
}

TEST(Statistics, CallsAndThreadsLeaveNoTrace) {
  Layer layer(1, 290, 1500, 2);
  int before = numThreads();
  std::vector<Statistics> results;
  for (int threads : {1, 2, 7})
    for (int64_t step : {1500, 1024, 256, 17}) {
      setNumThreads(threads);
      StatisticsAccumulator accumulator(290);
      for (int64_t t = 0; t < 1500; t += step)
        ASSERT_TRUE(accumulator.add(layer.x.data() + t * 290,
                                    std::min(step, 1500 - t)));
      results.push_back(accumulator.finish());
    }
  setNumThreads(before);
  for (const auto &result : results)
    EXPECT_TRUE(same(result, results[0]));
}

TEST(Statistics, MaskedTokensDoNotCount) {
  Layer layer(1, 20, 700, 3);
  std::vector<uint8_t> mask(700);
  std::vector<float> kept;
  for (int64_t t = 0; t < 700; ++t) {
    mask[t] = t % 3 != 1;
    if (mask[t])
      kept.insert(kept.end(), layer.x.begin() + t * 20,
                  layer.x.begin() + (t + 1) * 20);
    else
      layer.x[t * 20 + 4] = NAN;
  }
  StatisticsAccumulator masked(20), plain(20);
  ASSERT_TRUE(masked.add(layer.x.data(), 700, mask.data()));
  ASSERT_TRUE(plain.add(kept.data(), kept.size() / 20));
  EXPECT_EQ(masked.tokens(), int64_t(kept.size() / 20));
  EXPECT_TRUE(same(masked.finish(), plain.finish()));
}

TEST(Statistics, FirstTokensCountMoreInTheHessian) {
  // More calls than weighted tokens are gathered for one product.
  constexpr int64_t k = 270, step = 9, calls = 100;
  Layer layer(1, k, step * calls, 7);
  std::vector<uint8_t> mask(step, 1);
  mask[0] = mask[3] = 0;
  for (bool masked : {false, true}) {
    StatisticsAccumulator accumulator(k), plain(k);
    for (int64_t t = 0; t < layer.tokens; t += step) {
      const uint8_t *entries = masked ? mask.data() : nullptr;
      ASSERT_TRUE(accumulator.add(layer.x.data() + t * k, step, entries, 8.0f));
      ASSERT_TRUE(plain.add(layer.x.data() + t * k, step, entries));
    }
    Statistics s = accumulator.finish(), p = plain.finish();
    EXPECT_EQ(s.tokens, p.tokens);
    EXPECT_EQ(s.absmax, p.absmax);
    EXPECT_EQ(s.absmean, p.absmean);
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < k; ++j) {
        double sum = 0;
        for (int64_t t = masked ? 1 : 0; t < layer.tokens; t += step)
          sum += 7.0 * layer.x[t * k + i] * layer.x[t * k + j];
        ASSERT_NEAR(s.hessian[i * k + j], p.hessian[i * k + j] + sum / s.tokens,
                    4e-6 * std::sqrt(s.hessian[i * (k + 1)]) *
                        std::sqrt(s.hessian[j * (k + 1)]));
      }
  }
}

TEST(Statistics, RejectsWeightsBelowOne) {
  StatisticsAccumulator accumulator(2);
  float x[2] = {1, 2};
  EXPECT_EQ(accumulator.add(x, 1, nullptr, 0.5f).error().message,
            "weight 0.500000 of the first token is not allowed: expected at "
            "least 1");
}

TEST(Statistics, NamesTheFirstValueThatIsNotFinite) {
  Layer layer(1, 40, 300, 4);
  StatisticsAccumulator accumulator(40);
  ASSERT_TRUE(accumulator.add(layer.x.data(), 300));
  Statistics good = accumulator.finish();
  layer.x[280 * 40 + 1] = NAN;
  layer.x[130 * 40 + 39] = INFINITY;
  Status status = accumulator.add(layer.x.data(), 300);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "input is infinite at token 430, column 39");
  layer.x[130 * 40 + 39] = 0;
  EXPECT_EQ(accumulator.add(layer.x.data(), 300).error().message,
            "input is NaN at token 580, column 1");
  EXPECT_TRUE(same(accumulator.finish(), good));
}

TEST(Statistics, OnlyWhatWasAskedFor) {
  Layer layer(1, 30, 50, 5);
  StatisticsAccumulator accumulator(30, {false, true, false});
  ASSERT_TRUE(accumulator.add(layer.x.data(), 50));
  Statistics s = accumulator.finish();
  EXPECT_TRUE(s.hessian.empty());
  EXPECT_TRUE(s.absmean.empty());
  EXPECT_EQ(s.absmax.size(), 30u);
}

TEST(Statistics, NoTokens) {
  StatisticsAccumulator accumulator(3);
  Statistics s = accumulator.finish();
  EXPECT_EQ(s.tokens, 0);
  EXPECT_EQ(s.hessian, std::vector<float>(9));
  EXPECT_EQ(s.absmean, std::vector<float>(3));
}

} // namespace
