//===- GptqTest.cpp - Rounding with compensation against f64 --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Gptq.h"

#include "Layers.h"
#include "Restatement.h"
#include "qk/Numerics/OutputError.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/RoundToNearest.h"

#include <gtest/gtest.h>

using namespace qk::numerics;
using restatement::Matrix;

namespace {

GptqOptions makeOptions(CodeType type, int64_t group, bool symmetric = false) {
  GptqOptions options;
  options.quantizer = {{type, group, ScaleType::F16}, symmetric};
  return options;
}

/// The loss of dequantised values, in f64.
double lossOf(const Layer &layer, const std::vector<float> &values) {
  return trace(minus(Matrix(layer.w, layer.n, layer.k),
                     Matrix(values, layer.n, layer.k)),
               Matrix(layer.hessian, layer.k, layer.k));
}

double lossOf(const Layer &layer, const QuantizedWeight &q) {
  return lossOf(layer, dequantize(q));
}

double lossOfRoundToNearest(const Layer &layer, const GptqOptions &options) {
  return lossOf(layer, *roundToNearest(layer.w.data(), layer.n, layer.k,
                                       options.quantizer));
}

/// Solves in the library and in f64 and compares: 1 % of codes, 1e-3 of the
/// loss (algorithms.md). A code moved by a rounding of f32 is made good by
/// later columns, so that few layers need that much.
void compare(const Layer &layer, const GptqOptions &options,
             double codesThatMayDiffer = 0.01, double lossTolerance = 1e-3) {
  auto result =
      gptq(layer.w.data(), layer.n, layer.k, layer.hessian.data(), options);
  ASSERT_TRUE(result) << result.error().message;
  const QuantizedWeight &q = result->weight;
  auto expected = restatement::gptq(Matrix(layer.w, layer.n, layer.k),
                                    Matrix(layer.hessian, layer.k, layer.k),
                                    options.damping.damping, options.order,
                                    options.staticGroups, {options.quantizer},
                                    options.rescales);
  bool permuted =
      !options.staticGroups && options.order == ColumnOrder::Activation;
  EXPECT_EQ(q.permutation, permuted ? expected.order : std::vector<int32_t>());
  int64_t different = 0;
  for (int64_t n = 0; n < layer.n; ++n)
    for (int64_t t = 0; t < layer.k; ++t) {
      int64_t place = permuted ? t : expected.order[t];
      double code =
          restatement::codeValue(q.scheme, q.codes[n * layer.k + place]);
      different += code != expected.codes(n, t);
    }
  EXPECT_LE(different, codesThatMayDiffer * layer.n * layer.k);
  Matrix h(layer.hessian, layer.k, layer.k);
  double loss = lossOf(layer, q);
  double expectedLoss =
      trace(minus(Matrix(layer.w, layer.n, layer.k), expected.values), h);
  EXPECT_NEAR(loss, expectedLoss, lossTolerance * expectedLoss);
  // What the report says is what a dense computation finds.
  EXPECT_NEAR(result->report.loss, loss, 1e-4 * loss);
  EXPECT_NEAR(result->report.relativeError,
              loss / trace(Matrix(layer.w, layer.n, layer.k), h),
              1e-4 * result->report.relativeError);
  EXPECT_NEAR(result->report.lossDamped, expected.lossDamped,
              lossTolerance * expected.lossDamped);
  EXPECT_EQ(result->report.damping, options.damping.damping);
}

TEST(Gptq, AgreesWithThePapersLoop) {
  Layer layer(80, 160, 600, 1);
  for (auto order :
       {ColumnOrder::None, ColumnOrder::Activation, ColumnOrder::GroupAware})
    for (bool staticGroups : {false, true})
      for (int64_t group : {-1, 48, 64})
        for (auto type : {CodeType::U2, CodeType::U3, CodeType::U4})
          for (bool symmetric : {false, true}) {
            SCOPED_TRACE(testing::Message()
                         << "order " << int(order) << ", static "
                         << staticGroups << ", group " << group << ", bits "
                         << codeBits(type) << ", symmetric " << symmetric);
            GptqOptions options = makeOptions(type, group, symmetric);
            options.order = order;
            options.staticGroups = staticGroups;
            options.blockSize = 64;
            compare(layer, options);
          }
}

TEST(Gptq, EightBits) {
  Layer layer(40, 96, 400, 2);
  compare(layer, makeOptions(CodeType::U8, 32));
  compare(layer, makeOptions(CodeType::S8, -1, true));
  compare(layer, makeOptions(CodeType::S8, 32));
}

TEST(Gptq, Floats) {
  Layer layer(40, 96, 400, 12);
  compare(layer, makeOptions(CodeType::E4M3, -1, true));
  compare(layer, makeOptions(CodeType::E4M3, 32, true));
}

TEST(Gptq, SearchedScales) {
  Layer layer(64, 128, 500, 3);
  for (auto search : {ScaleSearch::Mse, ScaleSearch::Weighted})
    for (bool staticGroups : {false, true}) {
      SCOPED_TRACE(testing::Message()
                   << "search " << int(search) << ", static " << staticGroups);
      GptqOptions options = makeOptions(CodeType::U3, 32);
      options.staticGroups = staticGroups;
      options.quantizer.scaleSearch = search;
      // Two shrink factors as good as equal change a whole group.
      compare(layer, options, 0.02, 5e-3);
    }
}

TEST(Gptq, RescalesAgreeWithTheLoop) {
  Layer layer(37, 96, 500, 14);
  for (auto search : {ScaleSearch::None, ScaleSearch::Weighted})
    for (int64_t rescales : {1, 2}) {
      SCOPED_TRACE(testing::Message()
                   << "search " << int(search) << ", rescales " << rescales);
      GptqOptions options = makeOptions(CodeType::U3, 32);
      options.quantizer.scaleSearch = search;
      options.rescales = rescales;
      // Of two passes as good as equal either may be a row's.
      compare(layer, options, 0.05, 1e-2);
    }
}

// A row of which two columns are fed alike and carry nearly all of its output
// (an attention sink's channels): the first one's error has to be made good by
// the second, for which that one's own range is no good.
TEST(Gptq, RescalesMakeGoodAColumnOfMassiveInputs) {
  Layer layer(64, 128, 500, 15);
  const int64_t k = layer.k;
  std::mt19937 random(5);
  std::vector<float> sink(k);
  std::normal_distribution<float> normal;
  for (float &x : sink)
    x = normal(random);
  sink[3] = 3000;
  sink[70] = -1000;
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = 0; j < k; ++j)
      layer.hessian[i * k + j] += sink[i] * sink[j] / 500;
  GptqOptions options = makeOptions(CodeType::U4, 64);
  options.quantizer.scaleSearch = ScaleSearch::Weighted;
  auto loss = [&] {
    auto result =
        gptq(layer.w.data(), layer.n, k, layer.hessian.data(), options);
    EXPECT_TRUE(result);
    return lossOf(layer, result->weight);
  };
  const double once = loss();
  options.rescales = 1;
  const double twice = loss();
  EXPECT_LT(twice, 0.5 * once);
  options.rescales = 3;
  EXPECT_LE(loss(), 1.001 * twice);
}

TEST(Gptq, GroupsThatDoNotDivideTheRow) {
  Layer layer(48, 172, 600, 4);
  for (bool staticGroups : {false, true}) {
    GptqOptions options = makeOptions(CodeType::U4, 32);
    options.staticGroups = staticGroups;
    compare(layer, options);
  }
}

// A short last group may come anywhere in the order of groups.
TEST(Gptq, GroupAwareOrder) {
  Layer layer(16, 83, 300, 4);
  for (bool loudTail : {false, true}) {
    if (loudTail) {
      for (int64_t t = 0; t < layer.tokens; ++t)
        layer.x[t * 83 + 82] *= 100;
      layer.updateHessian();
    }
    for (int64_t block : {16, 32, 128})
      for (bool staticGroups : {false, true}) {
        GptqOptions options = makeOptions(CodeType::U4, 16);
        options.order = ColumnOrder::GroupAware;
        options.staticGroups = staticGroups;
        options.blockSize = block;
        compare(layer, options);
      }
    auto order = groupAwareOrder(layer.hessian.data(), 83, 16);
    EXPECT_EQ(order[0] == 82, loudTail);
  }
}

TEST(Gptq, TheBlockSizeChangesNothing) {
  Layer layer(32, 128, 500, 5);
  for (bool staticGroups : {false, true})
    for (int64_t block : {1, 7, 64, 1000}) {
      SCOPED_TRACE(testing::Message() << "block " << block);
      GptqOptions options = makeOptions(CodeType::U4, 32);
      options.staticGroups = staticGroups;
      options.blockSize = block;
      compare(layer, options);
    }
}

TEST(Gptq, DeadColumns) {
  Layer layer(40, 96, 400, 6);
  for (int64_t column : {0, 17, 18, 95})
    layer.killColumn(column);
  for (bool staticGroups : {false, true}) {
    GptqOptions options = makeOptions(CodeType::U4, 32);
    options.staticGroups = staticGroups;
    compare(layer, options);
    auto result = gptq(layer.w.data(), 40, 96, layer.hessian.data(), options);
    EXPECT_EQ(result->report.deadColumns, 4);
    auto values = dequantize(result->weight);
    for (int64_t n = 0; n < 40; ++n)
      EXPECT_EQ(values[n * 96 + 17], 0.0f);
  }
}

TEST(Gptq, AllColumnsDead) {
  Layer layer(8, 32, 10, 7);
  std::fill(layer.hessian.begin(), layer.hessian.end(), 0.0f);
  auto result = gptq(layer.w.data(), 8, 32, layer.hessian.data(),
                     makeOptions(CodeType::U4, 32));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->report.deadColumns, 32);
  EXPECT_EQ(result->report.loss, 0);
  EXPECT_EQ(result->report.relativeError, 0);
}

TEST(Gptq, GroupsOfZerosAndOneSidedGroups) {
  Layer layer(40, 128, 500, 8);
  for (int64_t n = 0; n < 40; ++n)
    for (int64_t j = 0; j < 32; ++j) {
      layer.w[n * 128 + j] = 0;
      layer.w[n * 128 + 32 + j] = std::fabs(layer.w[n * 128 + 32 + j]);
    }
  for (bool symmetric : {false, true}) {
    GptqOptions options = makeOptions(CodeType::U4, 32, symmetric);
    compare(layer, options);
    auto result = gptq(layer.w.data(), 40, 128, layer.hessian.data(), options);
    for (float scale : result->weight.scales)
      EXPECT_TRUE(std::isfinite(scale) && scale > 0);
    for (int64_t n = 0; n < 40; ++n)
      EXPECT_EQ(result->weight.scales[n * 4], 1.0f);
  }
}

TEST(Gptq, RankDeficientHessian) {
  // 20 tokens in 96 dimensions: the damping alone makes it definite, and what
  // little is left of the loss comes from rounding, ours and the reference's.
  Layer layer(40, 96, 20, 9);
  GptqOptions options = makeOptions(CodeType::U4, 32);
  compare(layer, options, 0.03, 1e-2);
  auto result = gptq(layer.w.data(), 40, 96, layer.hessian.data(), options);
  EXPECT_LT(result->report.loss, 0.5 * lossOfRoundToNearest(layer, options));
}

TEST(Gptq, BeatsRoundToNearest) {
  Layer layer(128, 256, 2000, 10);
  for (auto type : {CodeType::U3, CodeType::U4, CodeType::S8})
    for (bool staticGroups : {false, true}) {
      GptqOptions options = makeOptions(type, 128, type == CodeType::S8);
      options.staticGroups = staticGroups;
      auto result =
          gptq(layer.w.data(), 128, 256, layer.hessian.data(), options);
      EXPECT_LT(result->report.loss,
                0.7 * lossOfRoundToNearest(layer, options));
    }
}

TEST(Gptq, IdentityHessianIsRoundToNearest) {
  Layer layer(40, 100, 10, 11);
  for (int64_t i = 0; i < 100; ++i)
    for (int64_t j = 0; j < 100; ++j)
      layer.hessian[i * 100 + j] = i == j;
  GptqOptions options = makeOptions(CodeType::U4, 32);
  auto result = gptq(layer.w.data(), 40, 100, layer.hessian.data(), options);
  auto nearest = roundToNearest(layer.w.data(), 40, 100, options.quantizer);
  EXPECT_EQ(result->weight.codes, nearest->codes);
  EXPECT_EQ(result->weight.scales, nearest->scales);
  EXPECT_EQ(result->weight.zeroPoints, nearest->zeroPoints);
}

TEST(Gptq, SameBytesForAnyNumberOfThreads) {
  Layer layer(300, 600, 700, 12);
  int before = numThreads();
  for (bool staticGroups : {false, true}) {
    GptqOptions options = makeOptions(CodeType::U4, 128);
    options.staticGroups = staticGroups;
    std::vector<GptqResult> results;
    for (int threads : {1, 2, 7}) {
      setNumThreads(threads);
      results.push_back(std::move(
          *gptq(layer.w.data(), 300, 600, layer.hessian.data(), options)));
    }
    for (const auto &result : results) {
      EXPECT_EQ(result.weight.codes, results[0].weight.codes);
      EXPECT_EQ(result.weight.scales, results[0].weight.scales);
      EXPECT_EQ(result.weight.zeroPoints, results[0].weight.zeroPoints);
      EXPECT_EQ(result.report.loss, results[0].report.loss);
      EXPECT_EQ(result.report.lossDamped, results[0].report.lossDamped);
    }
  }
  setNumThreads(before);
}

TEST(Gptq, RejectsWhatItCannotDo) {
  Layer layer(4, 8, 20, 13);
  auto message = [&](const GptqOptions &options) {
    auto result = gptq(layer.w.data(), 4, 8, layer.hessian.data(), options);
    return result ? "accepted" : result.error().message;
  };
  GptqOptions options = makeOptions(CodeType::U4, 0);
  EXPECT_EQ(message(options),
            "group size 0 is not allowed: expected a positive number, or -1 "
            "for one group a row");
  options = makeOptions(CodeType::U4, 4);
  options.damping.damping = 0;
  EXPECT_EQ(message(options),
            "damping 0 is not allowed: expected a positive number");
  options.damping.damping = -0.5;
  EXPECT_EQ(message(options),
            "damping -0.5 is not allowed: expected a positive number");
  options.damping.damping = 0.01;
  options.blockSize = 0;
  EXPECT_EQ(message(options),
            "block size 0 is not allowed: expected a positive number");
  options.blockSize = 128;
  options.rescales = -1;
  EXPECT_EQ(message(options), "rescales -1 is not allowed: expected 0 or more");
  options.rescales = 1;
  options.staticGroups = false;
  EXPECT_EQ(message(options),
            "rescales need static groups: others have their scales chosen from "
            "compensated weights already");
  options.staticGroups = true;
  options.rescales = 0;
  layer.w[9] = NAN;
  EXPECT_EQ(message(options), "weight is NaN at row 1, column 1");
  layer.w[9] = 0;
  layer.hessian[3] = NAN;
  EXPECT_EQ(message(options), "hessian is NaN at row 0, column 3");
  layer.hessian[3] = 0;
  layer.hessian[3 * 8 + 3] = -1;
  EXPECT_EQ(message(options),
            "hessian has -1 on its diagonal at column 3: expected a second "
            "moment, which is never negative");
}

} // namespace
