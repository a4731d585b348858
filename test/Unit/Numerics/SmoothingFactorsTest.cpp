//===- SmoothingFactorsTest.cpp - SmoothQuant's factors against f64 -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/SmoothingFactors.h"

#include "Layers.h"
#include "Restatement.h"

#include <gtest/gtest.h>
#include <limits>

using namespace qk::numerics;

namespace {

std::vector<float> absmaxOf(const Layer &layer) {
  std::vector<float> absmax(layer.k);
  for (int64_t t = 0; t < layer.tokens; ++t)
    for (int64_t j = 0; j < layer.k; ++j)
      absmax[j] = std::max(absmax[j], std::fabs(layer.x[t * layer.k + j]));
  return absmax;
}

/// The formula of the paper, element by element.
double restated(double a, std::initializer_list<const Layer *> layers,
                int64_t j, double alpha) {
  if (a == 0)
    return 1;
  double w = 1e-5;
  for (const Layer *layer : layers)
    for (int64_t n = 0; n < layer->n; ++n)
      w = std::max<double>(w, std::fabs(layer->w[n * layer->k + j]));
  return std::max(std::pow(a, alpha) / std::pow(w, 1 - alpha), 1e-5);
}

TEST(SmoothingFactors, AgreeWithTheFormula) {
  // Two weights that read one input; K is not a multiple of the work items.
  Layer q(30, 300, 40, 1), v(7, 300, 40, 2);
  // A column without weights, one without input, one with neither.
  for (int64_t n = 0; n < q.n; ++n)
    q.w[n * 300 + 5] = q.w[n * 300 + 6] = 0;
  for (int64_t n = 0; n < v.n; ++n)
    v.w[n * 300 + 5] = v.w[n * 300 + 6] = 0;
  q.killColumn(6);
  q.killColumn(7);
  std::vector<float> absmax = absmaxOf(q);
  WeightView weights[] = {{q.w.data(), q.n}, {v.w.data(), v.n}};
  for (double alpha : {0.0, 0.25, 0.5, 0.85, 1.0}) {
    auto factors = smoothingFactors(absmax.data(), 300, weights, alpha);
    ASSERT_TRUE(factors) << factors.error().message;
    for (int64_t j = 0; j < 300; ++j) {
      double expected = restated(absmax[j], {&q, &v}, j, alpha);
      EXPECT_NEAR((*factors)[j], expected, 1e-6 * expected)
          << "alpha " << alpha << ", column " << j;
    }
  }
}

TEST(SmoothingFactors, EqualiseInputAndWeightAtOneHalf) {
  Layer layer(16, 64, 32, 3);
  std::vector<float> absmax = absmaxOf(layer);
  WeightView weights[] = {{layer.w.data(), layer.n}};
  auto factors = *smoothingFactors(absmax.data(), 64, weights, 0.5);
  for (int64_t j = 0; j < 64; ++j) {
    float w = 0;
    for (int64_t n = 0; n < 16; ++n)
      w = std::max(w, std::fabs(layer.w[n * 64 + j]));
    EXPECT_NEAR(absmax[j] / factors[j], w * factors[j], 1e-5 * absmax[j]);
  }
}

TEST(SmoothingFactors, AreEqualWhereShared) {
  // Channels k and k + 8, k + 16 of 24 share a factor: heads of 8, of which
  // three are one value head's.
  Layer layer(12, 48, 32, 4);
  std::vector<float> absmax = absmaxOf(layer);
  WeightView weights[] = {{layer.w.data(), layer.n}};
  SharedDigit shared[] = {{3, 8}};
  auto factors = *smoothingFactors(absmax.data(), 48, weights, 0.4, shared);
  for (int64_t half = 0; half < 48; half += 24)
    for (int64_t j = half; j < half + 8; ++j) {
      double a = 0, w = 0;
      for (int64_t head = 0; head < 3; ++head) {
        a = std::max<double>(a, absmax[j + 8 * head]);
        for (int64_t n = 0; n < layer.n; ++n)
          w = std::max<double>(w, std::fabs(layer.w[n * 48 + j + 8 * head]));
      }
      double expected = std::pow(a, 0.4) / std::pow(w, 0.6);
      for (int64_t head = 0; head < 3; ++head)
        EXPECT_NEAR(factors[j + 8 * head], expected, 1e-6 * expected);
    }
}

/// The expected output error as the header states it, in f64.
double restatedLoss(const Layer &layer, const std::vector<float> &absmax,
                    const std::vector<double> &s,
                    const SmoothingSearchOptions &options) {
  int64_t n = layer.n, k = layer.k;
  restatement::Quantizer quantizer{options.quantizer};
  restatement::Matrix d(n, k);
  double energy = 0, fed = 0;
  for (int64_t row = 0; row < n; ++row) {
    std::vector<double> group(k);
    for (int64_t j = 0; j < k; ++j)
      group[j] = layer.w[row * k + j] * s[j];
    auto p = quantizer.parameters(group);
    for (int64_t j = 0; j < k; ++j) {
      double q = quantizer.value(group[j], p);
      energy += q * q;
      fed += q * q / (s[j] * s[j]) * layer.hessian[j * k + j];
      d(row, j) = q / s[j] - layer.w[row * k + j];
    }
  }
  if (options.floatActivations) {
    // The mean of what rounding to three bits of mantissa takes from numbers
    // spread evenly over a power of two, over their squares.
    double noise = 0;
    constexpr int kNumbers = 100000;
    for (int i = 0; i < kNumbers; ++i) {
      double x = 1 + (i + 0.5) / kNumbers;
      double error = restatement::roundToBits(x, 4, -9) - x;
      noise += error * error / (x * x) / kNumbers;
    }
    return restatement::trace(d, restatement::Matrix(layer.hessian, k, k)) +
           fed * noise;
  }
  // E[max²] as the integral of t² over the density of the largest, which is the
  // difference of its distribution function over small steps.
  double end = 0, squared = 0, before = 0;
  for (int64_t j = 0; j < k; ++j)
    end = std::max(end, absmax[j] / s[j]);
  constexpr int kSteps = 20000;
  for (int step = 1; step <= kSteps; ++step) {
    double t = end * step / kSteps, below = 1;
    for (int64_t j = 0; j < k; ++j)
      if (t < absmax[j] / s[j])
        below *= std::erf(t * s[j] / std::sqrt(2.0 * layer.hessian[j * k + j]));
    squared += t * t * (below - before);
    before = below;
  }
  if (!options.perToken)
    squared = end * end;
  return restatement::trace(d, restatement::Matrix(layer.hessian, k, k)) +
         energy * squared / (127.0 * 127 * 12);
}

TEST(SmoothingSearch, AgreesWithTheRestatement) {
  Layer layer(24, 96, 400, 11);
  layer.killColumn(9);
  std::vector<float> absmax = absmaxOf(layer);
  WeightView weights[] = {{layer.w.data(), layer.n}};
  for (bool perToken : {true, false}) {
    SmoothingSearchOptions options;
    options.quantizer = {{CodeType::S8, -1, ScaleType::F16}, true};
    options.perToken = perToken;
    options.grid = 10;
    auto result = searchSmoothingFactors(absmax.data(), layer.hessian.data(),
                                         96, weights, options);
    ASSERT_TRUE(result) << result.error().message;
    double unscaled =
        restatedLoss(layer, absmax, std::vector<double>(96, 1.0), options);
    EXPECT_NEAR(result->unscaledLoss, unscaled, 0.01 * unscaled);
    double least = unscaled;
    for (int step = 0; step <= 10; ++step) {
      std::vector<double> s(96);
      for (int64_t j = 0; j < 96; ++j)
        s[j] = restated(absmax[j], {&layer}, j, step / 10.0);
      least = std::min(least, restatedLoss(layer, absmax, s, options));
    }
    EXPECT_NEAR(result->loss, least, 0.02 * least);
    // Three columns are fed inputs twenty times as large (Layers.h).
    EXPECT_LT(result->loss, 0.5 * unscaled);
    EXPECT_GT(result->alpha, 0);
    for (int64_t j = 0; j < 96; ++j)
      EXPECT_NEAR(result->factors[j],
                  restated(absmax[j], {&layer}, j, result->alpha),
                  1e-5 * result->factors[j]);
  }
}

// Floats have an exponent each: an outlier costs the others nothing, and there
// is little to gain.
TEST(SmoothingSearch, FloatsAgreeWithTheRestatement) {
  Layer layer(24, 96, 400, 11);
  std::vector<float> absmax = absmaxOf(layer);
  WeightView weights[] = {{layer.w.data(), layer.n}};
  SmoothingSearchOptions options;
  options.quantizer = {{CodeType::E4M3, -1, ScaleType::F16}, true};
  options.floatActivations = true;
  options.grid = 4;
  auto result = searchSmoothingFactors(absmax.data(), layer.hessian.data(), 96,
                                       weights, options);
  ASSERT_TRUE(result) << result.error().message;
  double unscaled =
      restatedLoss(layer, absmax, std::vector<double>(96, 1.0), options);
  EXPECT_NEAR(result->unscaledLoss, unscaled, 0.01 * unscaled);
  double least = unscaled;
  for (int step = 0; step <= 4; ++step) {
    std::vector<double> s(96);
    for (int64_t j = 0; j < 96; ++j)
      s[j] = restated(absmax[j], {&layer}, j, step / 4.0);
    least = std::min(least, restatedLoss(layer, absmax, s, options));
  }
  EXPECT_NEAR(result->loss, least, 0.02 * least);
  EXPECT_GT(result->loss, 0.5 * unscaled);
}

TEST(SmoothingSearch, RejectsOptionsThatMakeNoSense) {
  Layer layer(4, 8, 20, 12);
  std::vector<float> absmax = absmaxOf(layer);
  WeightView weights[] = {{layer.w.data(), layer.n}};
  auto message = [&](const SmoothingSearchOptions &options) {
    auto result = searchSmoothingFactors(absmax.data(), layer.hessian.data(), 8,
                                         weights, options);
    return result ? std::string() : result.error().message;
  };
  SmoothingSearchOptions options;
  options.quantizer = {{CodeType::S8, -1, ScaleType::F16}, true};
  EXPECT_EQ(message(options), "");
  options.grid = 0;
  EXPECT_EQ(message(options), "expected grid to be at least 1, got 0");
  options.grid = 1;
  options.maxCode = 0;
  EXPECT_EQ(message(options),
            "expected the largest code to be at least 1, got 0");
  options.maxCode = 127;
  options.quantizer.scaleSearch = ScaleSearch::Weighted;
  EXPECT_EQ(message(options),
            "smoothing factors do not support a weighted scale search");
}

TEST(SmoothingFactors, RejectWhatCannotBeUsed) {
  std::vector<float> a = {1, 2}, w = {1, 2, 3, 4};
  WeightView weights[] = {{w.data(), 2}};
  auto message = [&](double alpha) {
    auto result = smoothingFactors(a.data(), 2, weights, alpha);
    return result ? std::string() : result.error().message;
  };
  EXPECT_EQ(message(0.5), "");
  EXPECT_EQ(message(1.5), "expected alpha to be in [0, 1], got 1.500000");
  EXPECT_EQ(message(std::nan("")), "expected alpha to be in [0, 1], got nan");
  a[1] = -2;
  EXPECT_EQ(message(0.5),
            "expected absmax not to be negative, got -2.000000 at column 1");
  a[1] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(message(0.5), "absmax is infinite at row 0, column 1");
  a[1] = 2;
  w[3] = std::nanf("");
  EXPECT_EQ(message(0.5), "weight 0 is NaN at row 1, column 1");
  EXPECT_EQ(smoothingFactors(a.data(), 2, {}, 0.5).error().message,
            "expected at least one weight, got none");
}

} // namespace
