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

struct Range {
  double low, high;
};

/// f times the range of w[begin, end), which has 0 in it.
Range shrunk(const float *w, int64_t begin, int64_t end, double f,
             bool symmetric) {
  Range range{0, 0};
  for (int64_t j = begin; j < end; ++j) {
    range.low = std::min<double>(range.low, w[j]);
    range.high = std::max<double>(range.high, w[j]);
  }
  if (symmetric) {
    range.high = std::max(range.high, -range.low);
    range.low = -range.high;
  }
  return {f * range.low, f * range.high};
}

double clamped(double w, Range range) {
  return std::min(std::max(w, range.low), range.high);
}

/// d = Q(clamp(w)) - w of one group.
std::vector<double> errorOf(const float *w, int64_t begin, int64_t end,
                            Range range, const QuantizerOptions &options) {
  restatement::Quantizer quantizer{options};
  std::vector<double> c;
  for (int64_t j = begin; j < end; ++j)
    c.push_back(clamped(w[j], range));
  auto p = quantizer.parameters(c);
  for (int64_t j = begin; j < end; ++j)
    c[j - begin] = quantizer.value(c[j - begin], p) - w[j];
  return c;
}

/// d·(H_gg·d + 2·others).
double lossOf(const std::vector<double> &d, const std::vector<double> &others,
              const Layer &layer, int64_t begin) {
  double sum = 0;
  for (size_t i = 0; i < d.size(); ++i) {
    double gradient = 2 * others[i];
    for (size_t j = 0; j < d.size(); ++j)
      gradient += layer.hessian[(begin + i) * layer.k + begin + j] * d[j];
    sum += d[i] * gradient;
  }
  return sum;
}

/// Compares each group with the restated search, given the errors that the
/// groups of `before` (the result of one sweep less, or null) and those of the
/// result that were searched earlier have. Returns how many were clipped.
int64_t compare(const Layer &layer, const ClipOptions &options,
                const std::vector<float> *before,
                const std::vector<float> &result) {
  int64_t k = layer.k, length = options.quantizer.scheme.groupLength(k),
          cut = 0, groups = 0, different = 0;
  for (int64_t row = 0; row < layer.n; ++row) {
    const float *w = layer.w.data() + row * k,
                *clipped = result.data() + row * k;
    auto factorOf = [&](const float *c, int64_t begin, int64_t end) {
      Range whole = shrunk(w, begin, end, 1, options.quantizer.symmetric),
            left = shrunk(c, begin, end, 1, options.quantizer.symmetric);
      double width = whole.high - whole.low;
      return width > 0 ? (left.high - left.low) / width : 1.0;
    };
    std::vector<double> errors(k);
    auto setErrors = [&](const float *c, int64_t begin, int64_t end) {
      Range range = shrunk(w, begin, end, factorOf(c, begin, end),
                           options.quantizer.symmetric);
      auto d = errorOf(w, begin, end, range, options.quantizer);
      std::copy(d.begin(), d.end(), errors.begin() + begin);
    };
    for (int64_t begin = 0; before && begin < k; begin += length)
      setErrors(before->data() + row * k, begin, std::min(k, begin + length));
    for (int64_t begin = 0; begin < k; begin += length) {
      int64_t end = std::min(k, begin + length);
      std::vector<double> others(end - begin);
      for (int64_t i = begin; before && i < end; ++i)
        for (int64_t j = 0; j < k; ++j)
          if (j < begin || j >= end)
            others[i - begin] += layer.hessian[i * k + j] * errors[j];
      double least = INFINITY, most = 0, best = 1, own = 0,
             f = factorOf(clipped, begin, end);
      for (int64_t step = 0; step < std::max<int64_t>(options.grid / 2, 1);
           ++step) {
        double tried = 1 - double(step) / options.grid;
        double loss = lossOf(
            errorOf(w, begin, end,
                    shrunk(w, begin, end, tried, options.quantizer.symmetric),
                    options.quantizer),
            others, layer, begin);
        most = std::max(most, std::fabs(loss));
        if (loss < least) {
          least = loss;
          best = tried;
        }
        if (std::fabs(tried - f) < 1e-5)
          own = loss;
      }
      // The result is the weight clamped to a part of its range, and its loss
      // the restated search's.
      Range range = shrunk(w, begin, end, f, options.quantizer.symmetric);
      for (int64_t j = begin; j < end; ++j)
        EXPECT_NEAR(clipped[j], clamped(w[j], range), 1e-6);
      EXPECT_LE(own, least + 0.02 * most + 1e-12);
      different += std::fabs(f - best) > 1e-5;
      cut += f < 0.999;
      ++groups;
      setErrors(clipped, begin, end);
    }
  }
  // f32 may choose another f where two are as good as equal.
  EXPECT_LE(different, 1 + groups / 50);
  return cut;
}

/// tr(D·H·Dᵀ), D = Q(c) - w.
double errorOfAll(const Layer &layer, const std::vector<float> &clipped,
                  const QuantizerOptions &options) {
  int64_t k = layer.k, length = options.scheme.groupLength(k);
  double sum = 0;
  restatement::Quantizer quantizer{options};
  for (int64_t row = 0; row < layer.n; ++row) {
    std::vector<double> d(k);
    for (int64_t begin = 0; begin < k; begin += length) {
      std::vector<double> c(clipped.begin() + row * k + begin,
                            clipped.begin() + row * k +
                                std::min(k, begin + length));
      auto p = quantizer.parameters(c);
      for (size_t j = 0; j < c.size(); ++j)
        d[begin + j] = quantizer.value(c[j], p) - layer.w[row * k + begin + j];
    }
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < k; ++j)
        sum += d[i] * layer.hessian[i * k + j] * d[j];
  }
  return sum;
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
        ClipOptions options{{{type, group, ScaleType::F16}, symmetric}, 20};
        auto run = [&] {
          auto result = clip(layer.w.data(), layer.n, layer.k,
                             layer.hessian.data(), options);
          EXPECT_TRUE(result) << result.error().message;
          return *result;
        };
        std::vector<float> before = run();
        EXPECT_GT(compare(layer, options, nullptr, before), 0);
        double error = errorOfAll(layer, before, options.quantizer);
        for (options.sweeps = 1; options.sweeps <= 3; ++options.sweeps) {
          std::vector<float> result = run();
          EXPECT_GT(compare(layer, options, &before, result), 0);
          double now = errorOfAll(layer, result, options.quantizer);
          EXPECT_LE(now, error * (1 + 1e-5));
          if (group == -1) {
            EXPECT_EQ(result, before);
          } else if (options.sweeps == 1) {
            EXPECT_LT(now, error * 0.99);
          }
          error = now;
          before = std::move(result);
        }
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
  ClipOptions options{{{CodeType::U3, 32, ScaleType::F16}}, 20, 1};
  auto expected = *clip(layer.w.data(), 16, 64, layer.hessian.data(), options);
  for (int64_t i = 0; i < 64; ++i)
    for (int64_t j = 0; j < i; ++j)
      layer.hessian[i * 64 + j] = -7;
  EXPECT_EQ(*clip(layer.w.data(), 16, 64, layer.hessian.data(), options),
            expected);
}

TEST(Clip, DoesNotDependOnThreads) {
  Layer layer(200, 172, 200, 4);
  ClipOptions options{{{CodeType::U3, 32, ScaleType::F16}}, 20, 2};
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
  options.sweeps = -1;
  EXPECT_EQ(message(), "expected clipping sweeps to be at least 0, got -1");
  options.sweeps = 0;
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
