//===- CrossMomentTest.cpp - Two inputs of one layer, together ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/CrossMoment.h"

#include "Layers.h"
#include "qk/Numerics/Parallel.h"

#include <gtest/gtest.h>

#include <limits>

using namespace qk::numerics;

namespace {

constexpr int64_t kK = 290, kTokens = 1300;

std::vector<float> collect(const std::vector<float> &f,
                           const std::vector<float> &x, int64_t step,
                           const uint8_t *mask = nullptr) {
  CrossMomentAccumulator accumulator(kK, kK);
  for (int64_t t = 0; t < kTokens; t += step)
    accumulator.add(f.data() + t * kK, x.data() + t * kK,
                    std::min(step, kTokens - t), mask ? mask + t : nullptr);
  auto result = accumulator.finish();
  EXPECT_TRUE(static_cast<bool>(result));
  return *result;
}

TEST(CrossMoment, AgreesWithF64) {
  Layer f(1, kK, kTokens, 1), x(1, kK, kTokens, 2);
  std::vector<uint8_t> mask(kTokens);
  for (int64_t t = 0; t < kTokens; ++t)
    mask[t] = t % 3 != 1;
  for (const uint8_t *counts : {static_cast<const uint8_t *>(nullptr),
                                static_cast<const uint8_t *>(mask.data())}) {
    std::vector<float> got = collect(f.x, x.x, kTokens, counts);
    for (int64_t i = 0; i < kK; i += 7)
      for (int64_t j = 0; j < kK; j += 5) {
        double sum = 0, size = 0;
        int64_t tokens = 0;
        for (int64_t t = 0; t < kTokens; ++t) {
          if (counts && !counts[t])
            continue;
          double term = static_cast<double>(f.x[t * kK + i]) * x.x[t * kK + j];
          sum += term;
          size += std::fabs(term);
          ++tokens;
        }
        ASSERT_NEAR(got[i * kK + j], sum / tokens, 2e-6 * size / tokens)
            << i << " " << j;
      }
  }
}

TEST(CrossMoment, CallsAndThreadsLeaveNoTrace) {
  Layer f(1, kK, kTokens, 1), x(1, kK, kTokens, 2);
  int before = numThreads();
  std::vector<float> first;
  for (int threads : {1, 2, 7})
    for (int64_t step : {kTokens, int64_t(1024), int64_t(17)}) {
      setNumThreads(threads);
      std::vector<float> got = collect(f.x, x.x, step);
      if (first.empty())
        first = got;
      EXPECT_TRUE(got == first) << threads << " threads, steps of " << step;
    }
  setNumThreads(before);
}

TEST(CrossMoment, RefusesWhatIsNotFinite) {
  CrossMomentAccumulator accumulator(2, 2);
  float f[] = {1, std::numeric_limits<float>::infinity()}, x[] = {1, 2};
  accumulator.add(f, x, 1);
  auto result = accumulator.finish();
  ASSERT_FALSE(static_cast<bool>(result));
  EXPECT_EQ(result.error().message,
            "the cross moment is not finite near row 0: an input of the float "
            "or of the quantised model is not");
}

TEST(CrossMoment, IsZeroWithoutTokens) {
  auto result = CrossMomentAccumulator(3, 3).finish();
  ASSERT_TRUE(static_cast<bool>(result));
  EXPECT_EQ(*result, std::vector<float>(9, 0.0f));
}

} // namespace
