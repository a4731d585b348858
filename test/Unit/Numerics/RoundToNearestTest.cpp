//===- RoundToNearestTest.cpp - Round-to-nearest against f64 --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/RoundToNearest.h"

#include "Restatement.h"
#include "qk/Numerics/Parallel.h"

#include <gtest/gtest.h>
#include <limits>
#include <random>

using namespace qk::numerics;

namespace {

std::vector<float> randomWeight(int64_t n, int64_t k, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 0.05f);
  std::vector<float> w(n * k);
  for (float &value : w)
    value = normal(random);
  return w;
}

double codeAt(const QuantizedWeight &q, int64_t i) {
  return restatement::codeValue(q.scheme, q.codes[i]);
}

/// Whether a quotient lies half-way between two codes, within what f32 loses.
bool isHalfWay(const Scheme &scheme, double quotient) {
  if (scheme.isFloat()) // In steps of the float's last place.
    quotient /= std::ldexp(1.0, std::max(std::ilogb(quotient) - 3, -9));
  return std::fabs(quotient - std::floor(quotient) - 0.5) <= 1e-5;
}

/// Compares with the restatement; counts what differs.
void compare(const std::vector<float> &w, int64_t n, int64_t k,
             const QuantizerOptions &options, double groupsThatMayDiffer,
             const float *columnWeights = nullptr) {
  auto result = roundToNearest(w.data(), n, k, options, columnWeights);
  ASSERT_TRUE(result) << result.error().message;
  const QuantizedWeight &q = *result;
  int64_t length = options.scheme.groupLength(k), groups = q.scheme.groups(k);
  ASSERT_EQ(q.codes.size(), size_t(n * k));
  ASSERT_EQ(q.scales.size(), size_t(n * groups));
  ASSERT_EQ(q.zeroPoints.size(), options.symmetric ? 0 : size_t(n * groups));
  restatement::Quantizer reference{options};
  std::vector<float> values = dequantize(q);
  int64_t different = 0, differentGroups = 0;
  for (int64_t row = 0; row < n; ++row)
    for (int64_t g = 0; g < groups; ++g) {
      int64_t begin = row * k + g * length,
              end = row * k + std::min(k, (g + 1) * length);
      auto p = reference.parameters(
          {w.begin() + begin, w.begin() + end},
          [&](size_t j) { return columnWeights[g * length + j]; });
      double scale = q.scales[row * groups + g];
      EXPECT_EQ(scale, roundToScaleType(scale, options.scheme.scaleType));
      // The library's f32 arithmetic may round a scale the other way.
      int bits = options.scheme.scaleType == ScaleType::F16    ? 10
                 : options.scheme.scaleType == ScaleType::BF16 ? 7
                                                               : 22;
      bool search = options.scaleSearch != ScaleSearch::None;
      if (!search)
        EXPECT_NEAR(scale, p.scale, std::ldexp(p.scale, -bits));
      double zero = q.zeroPoints.empty() ? q.scheme.defaultZeroPoint()
                                         : q.zeroPoints[row * groups + g];
      differentGroups += scale != p.scale || zero != p.zero;
      for (int64_t i = begin; i < end; ++i)
        // The largest element of a symmetric group lies half-way between two
        // codes, as does a quotient that f32 rounds there: either will do.
        if (!isHalfWay(q.scheme, w[i] / scale))
          different += codeAt(q, i) != reference.code(w[i], {scale, zero});
      for (int64_t i = begin; i < end; ++i)
        EXPECT_FLOAT_EQ(values[i], scale * (codeAt(q, i) - zero));
    }
  EXPECT_EQ(different, 0);
  EXPECT_LE(differentGroups, 1 + groupsThatMayDiffer * n * groups);
}

TEST(RoundToNearest, EverySchemeAgreesWithTheRestatement) {
  // 172 is not a multiple of 32; 70 rows leave a tail of vectors.
  auto w = randomWeight(70, 172, 1);
  for (auto type :
       {CodeType::U2, CodeType::U3, CodeType::U4, CodeType::U8, CodeType::S8})
    for (int64_t group : {-1, 1, 32, 172, 500})
      for (auto scale : {ScaleType::F16, ScaleType::BF16, ScaleType::F32})
        for (bool symmetric : {false, true}) {
          SCOPED_TRACE(testing::Message()
                       << codeBits(type) << " bits, group " << group
                       << ", scale type " << int(scale) << ", symmetric "
                       << symmetric);
          compare(w, 70, 172, {{type, group, scale}, symmetric},
                  scale == ScaleType::F32 ? 1 : 2e-3);
        }
}

TEST(RoundToNearest, FloatsAgreeWithTheRestatement) {
  auto w = randomWeight(70, 172, 9);
  // Down to where e4m3 has fewer bits, and to what becomes 0.
  for (size_t i = 0; i < w.size(); ++i)
    w[i] = std::ldexp(w[i], -int(i % 20));
  for (int64_t group : {-1, 1, 32, 500})
    for (auto scale : {ScaleType::F16, ScaleType::BF16, ScaleType::F32}) {
      SCOPED_TRACE(testing::Message()
                   << "group " << group << ", scale type " << int(scale));
      compare(w, 70, 172, {{CodeType::E4M3, group, scale}, true},
              scale == ScaleType::F32 ? 1 : 2e-3);
    }
  QuantizerOptions asymmetric{{CodeType::E4M3, -1, ScaleType::F16}, false};
  EXPECT_EQ(roundToNearest(w.data(), 70, 172, asymmetric).error().message,
            "codes of e4m3 have no zero points: expected a symmetric range");
  QuantizerOptions perTensor{{CodeType::E4M3, -1, ScaleType::F32}, true};
  perTensor.perTensor = true;
  auto q = roundToNearest(w.data(), 70, 172, perTensor);
  ASSERT_TRUE(q);
  float largest = 0;
  for (float value : w)
    largest = std::max(largest, std::fabs(value));
  EXPECT_FLOAT_EQ(q->scales[0], largest / 448);
  for (size_t i = 0; i < w.size(); ++i)
    if (!isHalfWay(q->scheme, w[i] / q->scales[0]))
      ASSERT_EQ(codeAt(*q, int64_t(i)),
                restatement::roundToBits(w[i] / q->scales[0], 4, -9));
}

TEST(RoundToNearest, SearchAgreesWithTheRestatement) {
  auto w = randomWeight(33, 100, 2);
  std::vector<float> weights(100);
  for (size_t i = 0; i < 100; ++i)
    weights[i] = 0.1f + float(i % 7);
  for (auto search : {ScaleSearch::Mse, ScaleSearch::Weighted})
    for (bool symmetric : {false, true})
      for (auto type : {CodeType::U3, CodeType::U4}) {
        SCOPED_TRACE(testing::Message() << "search " << int(search));
        compare(w, 33, 100, {{type, 48, ScaleType::F16}, symmetric, search},
                // Two shrink factors may be as good as equal.
                0.02, weights.data());
      }
}

TEST(RoundToNearest, SearchLowersTheError) {
  auto w = randomWeight(64, 512, 3);
  QuantizerOptions options{{CodeType::U3, 128, ScaleType::F16}};
  auto error = [&] {
    std::vector<float> values =
        dequantize(*roundToNearest(w.data(), 64, 512, options));
    double sum = 0;
    for (size_t i = 0; i < w.size(); ++i)
      sum += std::pow(std::fabs(values[i] - w[i]), 2.4);
    return sum;
  };
  double plain = error();
  options.scaleSearch = ScaleSearch::Mse;
  EXPECT_LT(error(), 0.9 * plain);
}

TEST(RoundToNearest, GroupsOfZerosAndOneSidedGroups) {
  // Groups of 4: zeros, positive only, negative only, one tiny value.
  std::vector<float> w = {0,  0,  0,  0,   1, 2, 3, 15, //
                          -1, -2, -3, -15, 0, 0, 0, 1e-20f};
  for (bool symmetric : {false, true})
    for (auto type : {CodeType::U4, CodeType::S8}) {
      QuantizerOptions options{{type, 4, ScaleType::F16}, symmetric};
      auto q = roundToNearest(w.data(), 1, 16, options);
      ASSERT_TRUE(q);
      EXPECT_EQ(q->scales[0], 1.0f);
      EXPECT_EQ(q->scales[3], 0x1p-24f);
      std::vector<float> values = dequantize(*q);
      for (int i = 0; i < 4; ++i)
        EXPECT_EQ(values[i], 0.0f);
      for (int i = 4; i < 12; ++i)
        EXPECT_NEAR(values[i], w[i], q->scales[i / 4] * 0.5001f) << i;
      for (int i = 12; i < 16; ++i)
        EXPECT_NEAR(values[i], w[i], 1e-6f);
    }
}

TEST(RoundToNearest, SymmetricGroupsWithoutANegativeValueDoNotSaturate) {
  std::vector<float> w(32);
  for (int i = 0; i < 32; ++i)
    w[i] = 0.1f + 0.9f * i / 31;
  QuantizerOptions options{{CodeType::U4, -1, ScaleType::F32}, true};
  auto q = roundToNearest(w.data(), 1, 32, options);
  std::vector<float> values = dequantize(*q);
  for (int i = 0; i < 32; ++i)
    EXPECT_NEAR(values[i], w[i], q->scales[0] * 0.5001f);
}

TEST(RoundToNearest, ScalesBeyondTheirTypeStayFinite) {
  for (float magnitude : {1e-30f, 1e-6f, 1e5f, 1e7f, 3e38f}) {
    std::vector<float> w = {magnitude, -magnitude, magnitude / 2, 0};
    for (auto type : {ScaleType::F16, ScaleType::BF16, ScaleType::F32}) {
      auto q = roundToNearest(w.data(), 1, 4, {{CodeType::U4, -1, type}});
      ASSERT_TRUE(q);
      EXPECT_TRUE(std::isfinite(q->scales[0]) && q->scales[0] > 0)
          << magnitude << " " << int(type);
      // Large codes saturate instead of wrapping.
      EXPECT_GE(q->codes[0], q->codes[2]);
      EXPECT_GE(q->codes[2], q->codes[3]);
      EXPECT_GE(q->codes[3], q->codes[1]);
    }
  }
}

TEST(RoundToNearest, RoundsScalesToTheirTypes) {
  EXPECT_EQ(roundToScaleType(1.0f + 0x1p-11f, ScaleType::F16), 1.0f);
  EXPECT_EQ(roundToScaleType(1.0f + 0x1.8p-11f, ScaleType::F16),
            1.0f + 0x1p-10f);
  EXPECT_EQ(roundToScaleType(1.0f + 0x3p-11f, ScaleType::F16), 1.0f + 0x1p-9f);
  EXPECT_EQ(roundToScaleType(0x1.8p-24f, ScaleType::F16), 0x1p-23f);
  EXPECT_EQ(roundToScaleType(0x0.8p-24f, ScaleType::F16), 0.0f);
  EXPECT_EQ(roundToScaleType(65519.0f, ScaleType::F16), 65504.0f);
  EXPECT_EQ(roundToScaleType(65520.0f, ScaleType::F16), INFINITY);
  EXPECT_EQ(roundToScaleType(1.0f + 0x1p-8f, ScaleType::BF16), 1.0f);
  EXPECT_EQ(roundToScaleType(1.0f + 0x3p-8f, ScaleType::BF16), 1.0f + 0x1p-6f);
}

TEST(RoundToNearest, DequantizeUndoesThePermutation) {
  QuantizedWeight q{{CodeType::U4, 2, ScaleType::F32},
                    1,
                    3,
                    {9, 10, 11},
                    {1.0f, 10.0f},
                    {8, 8},
                    {2, 0, 1}};
  EXPECT_EQ(dequantize(q), (std::vector<float>{2.0f, 30.0f, 1.0f}));
}

TEST(RoundToNearest, SameBytesForAnyNumberOfThreads) {
  auto w = randomWeight(300, 100, 4);
  int before = numThreads();
  std::vector<QuantizedWeight> results;
  for (int threads : {1, 2, 7}) {
    setNumThreads(threads);
    results.push_back(*roundToNearest(
        w.data(), 300, 100,
        {{CodeType::U4, 32, ScaleType::F16}, false, ScaleSearch::Mse}));
  }
  setNumThreads(before);
  for (const auto &q : results) {
    EXPECT_EQ(q.codes, results[0].codes);
    EXPECT_EQ(q.scales, results[0].scales);
    EXPECT_EQ(q.zeroPoints, results[0].zeroPoints);
  }
}

TEST(RoundToNearest, RejectsWhatItCannotDo) {
  std::vector<float> w(100 * 40, 1.0f);
  auto message = [&](QuantizerOptions options) {
    auto q = roundToNearest(w.data(), 100, 40, options);
    return q ? "accepted" : q.error().message;
  };
  EXPECT_EQ(message({{CodeType::U4, 0}}),
            "group size 0 is not allowed: expected a positive number, or -1 "
            "for one group a row");
  EXPECT_EQ(message({{CodeType::U4, -2}}),
            "group size -2 is not allowed: expected a positive number, or -1 "
            "for one group a row");
  EXPECT_EQ(message({{}, false, ScaleSearch::Weighted}),
            "a weighted scale search needs a weight for each column");
  w[70 * 40 + 39] = NAN;
  EXPECT_EQ(message({}), "weight is NaN at row 70, column 39");
  w[70 * 40 + 39] = -INFINITY;
  EXPECT_EQ(message({}), "weight is infinite at row 70, column 39");
  EXPECT_EQ(unsignedCodeType(5).error().message,
            "codes of 5 bits are not supported: expected u2, u3, u4, u8 or s8");
  EXPECT_EQ(*unsignedCodeType(3), CodeType::U3);
}

} // namespace
