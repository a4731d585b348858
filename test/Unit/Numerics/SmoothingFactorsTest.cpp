//===- SmoothingFactorsTest.cpp - SmoothQuant's factors against f64 -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/SmoothingFactors.h"

#include "Layers.h"

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
