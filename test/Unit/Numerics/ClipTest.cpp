//===- ClipTest.cpp - AWQ's clipping against f64 --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Clip.h"

#include "Layers.h"
#include "Restatement.h"
#include "qk/Numerics/Parallel.h"

#include <gtest/gtest.h>

using namespace qk::numerics;

namespace {

double clamped(double w, double bound) {
  return std::min(std::max(w, -bound), bound);
}

/// d·H_gg·dᵀ of one group of one row with the bound `bound`.
double groupLoss(const Layer &layer, int64_t row, int64_t begin, int64_t end,
                 double bound, const QuantizerOptions &options) {
  restatement::Quantizer quantizer{options};
  std::vector<double> c, d;
  for (int64_t j = begin; j < end; ++j)
    c.push_back(clamped(layer.w[row * layer.k + j], bound));
  auto p = quantizer.parameters(c);
  for (int64_t j = begin; j < end; ++j)
    d.push_back(quantizer.value(c[j - begin], p) - layer.w[row * layer.k + j]);
  double sum = 0;
  for (int64_t i = begin; i < end; ++i)
    for (int64_t j = begin; j < end; ++j)
      sum += d[i - begin] * layer.hessian[i * layer.k + j] * d[j - begin];
  return sum;
}

/// Compares each group with the restated search. Returns how many were
/// clipped.
int64_t compare(const Layer &layer, const ClipOptions &options) {
  auto result =
      clip(layer.w.data(), layer.n, layer.k, layer.hessian.data(), options);
  EXPECT_TRUE(result) << result.error().message;
  int64_t length = options.quantizer.scheme.groupLength(layer.k), cut = 0,
          groups = 0, different = 0;
  for (int64_t row = 0; row < layer.n; ++row)
    for (int64_t begin = 0; begin < layer.k; begin += length) {
      int64_t end = std::min(layer.k, begin + length);
      double largest = 0, bound = 0;
      for (int64_t j = begin; j < end; ++j) {
        largest =
            std::max<double>(largest, std::fabs(layer.w[row * layer.k + j]));
        bound =
            std::max<double>(bound, std::fabs((*result)[row * layer.k + j]));
      }
      double least = INFINITY, best = largest;
      for (int64_t step = 0; step < std::max<int64_t>(options.grid / 2, 1);
           ++step) {
        double f = 1 - double(step) / options.grid;
        double loss =
            groupLoss(layer, row, begin, end, f * largest, options.quantizer);
        if (loss < least) {
          least = loss;
          best = f * largest;
        }
      }
      // The result is the weight clamped to its own largest element, and its
      // loss the restated search's.
      for (int64_t j = begin; j < end; ++j)
        EXPECT_FLOAT_EQ((*result)[row * layer.k + j],
                        clamped(layer.w[row * layer.k + j], bound));
      double loss = groupLoss(layer, row, begin, end, bound, options.quantizer);
      EXPECT_LE(loss, least * 1.02 + 1e-12);
      different += std::fabs(bound - best) > 1e-6 * largest;
      cut += bound < largest * 0.999;
      ++groups;
    }
  // f32 may choose another f where two are as good as equal.
  EXPECT_LE(different, 1 + groups / 50);
  return cut;
}

TEST(Clip, AgreesWithTheRestatement) {
  // 70 rows leave a tail of vectors, 100 columns one of groups.
  Layer layer(70, 100, 150, 1);
  for (int64_t n = 0; n < layer.n; n += 7) // Groups of zeros.
    std::fill_n(layer.w.begin() + n * 100 + 32, 32, 0.0f);
  for (auto type : {CodeType::U2, CodeType::U3, CodeType::U4})
    for (int64_t group : {32, -1})
      for (bool symmetric : {false, true}) {
        SCOPED_TRACE(testing::Message()
                     << codeBits(type) << " bits, group " << group
                     << ", symmetric " << symmetric);
        // With f32 scales the largest element of a symmetric group would lie
        // half-way between two codes, and f32 and f64 choose differently.
        int64_t cut =
            compare(layer, {{{type, group, ScaleType::F16}, symmetric}, 20});
        EXPECT_GT(cut, 0);
      }
}

TEST(Clip, KeepsTheWeightWithOneStep) {
  Layer layer(20, 64, 50, 2);
  for (int64_t grid : {1, 2, 3}) {
    auto result = clip(layer.w.data(), 20, 64, layer.hessian.data(),
                       {{{CodeType::U3, 32, ScaleType::F16}}, grid});
    ASSERT_TRUE(result);
    EXPECT_EQ(*result, layer.w);
  }
}

TEST(Clip, ReadsTheUpperTriangle) {
  Layer layer(16, 64, 50, 3);
  ClipOptions options{{{CodeType::U3, 32, ScaleType::F16}}};
  auto expected = *clip(layer.w.data(), 16, 64, layer.hessian.data(), options);
  for (int64_t i = 0; i < 64; ++i)
    for (int64_t j = 0; j < i; ++j)
      layer.hessian[i * 64 + j] = -7;
  EXPECT_EQ(*clip(layer.w.data(), 16, 64, layer.hessian.data(), options),
            expected);
}

TEST(Clip, DoesNotDependOnThreads) {
  Layer layer(200, 172, 200, 4);
  ClipOptions options{{{CodeType::U3, 32, ScaleType::F16}}};
  int before = numThreads();
  setNumThreads(1);
  auto expected =
      *clip(layer.w.data(), 200, 172, layer.hessian.data(), options);
  for (int threads : {2, 7}) {
    setNumThreads(threads);
    EXPECT_EQ(*clip(layer.w.data(), 200, 172, layer.hessian.data(), options),
              expected);
  }
  setNumThreads(before);
}

TEST(Clip, RejectsWhatCannotBeUsed) {
  std::vector<float> h = {1, 0, 0, 1}, w = {1, 2, 3, 4};
  ClipOptions options{{{CodeType::U4, 2, ScaleType::F16}}};
  auto message = [&] {
    auto result = clip(w.data(), 2, 2, h.data(), options);
    return result ? std::string() : result.error().message;
  };
  EXPECT_EQ(message(), "");
  options.grid = -1;
  EXPECT_EQ(message(), "expected grid to be at least 1, got -1");
  options.grid = 20;
  options.quantizer.scaleSearch = ScaleSearch::Weighted;
  EXPECT_EQ(message(), "clipping does not support a weighted scale search");
  options.quantizer.scaleSearch = ScaleSearch::None;
  w[2] = std::nanf("");
  EXPECT_EQ(message(), "weight is NaN at row 1, column 0");
  w[2] = 1;
  h[3] = std::nanf("");
  EXPECT_EQ(message(), "the Hessian is NaN at row 1, column 1");
}

} // namespace
