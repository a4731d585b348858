//===- LogProbabilitiesTest.cpp - Logits to probabilities -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/LogProbabilities.h"
#include <cmath>
#include <gtest/gtest.h>
#include <random>
#include <vector>

using namespace qk::numerics;

namespace {

/// In long double, by the library's functions.
void restate(std::vector<double> &x, std::vector<double> &p) {
  long double most = x[0], sum = 0;
  for (double value : x)
    most = std::max<long double>(most, value);
  for (double value : x)
    sum += expl(value - most);
  for (size_t i = 0; i < x.size(); ++i) {
    p[i] = expl(x[i] - most) / sum;
    x[i] = x[i] - most - logl(sum);
  }
}

class LogProbabilities : public testing::TestWithParam<int> {};

TEST_P(LogProbabilities, AreThoseOfTheLibrary) {
  std::mt19937 random(7);
  // Up to where exponentials vanish.
  for (double spread : {0.1, 5.0, 100.0, 900.0}) {
    std::uniform_real_distribution<double> logits(-spread, spread);
    std::vector<double> x(GetParam()), p(x.size());
    for (double &value : x)
      value = logits(random);
    std::vector<double> wantX = x, wantP = p, plain = x;
    restate(wantX, wantP);
    toLogProbabilities(x.data(), x.size(), p.data());
    toLogProbabilities(plain.data(), plain.size(), nullptr);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(x[i], wantX[i], 1e-15 * (spread + 20)) << i;
      EXPECT_EQ(x[i], plain[i]) << i;
      // The difference to the largest is rounded before it is an exponent.
      EXPECT_NEAR(p[i], wantP[i], (2 * spread + 8) * 4e-16 * wantP[i] + 1e-300)
          << i;
    }
  }
}

TEST_P(LogProbabilities, DivergeAsDefined) {
  std::mt19937 random(8);
  std::normal_distribution<double> logits(0, 3);
  std::vector<double> x(GetParam()), y(x.size()), p(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = logits(random);
    y[i] = logits(random);
  }
  // A word that never occurs adds nothing, whatever the other one says.
  if (x.size() > 1)
    x[1] = y[1] = -INFINITY;
  toLogProbabilities(x.data(), x.size(), p.data());
  toLogProbabilities(y.data(), y.size(), nullptr);
  double want = 0;
  for (size_t i = 0; i < x.size(); ++i)
    if (p[i] > 0)
      want += p[i] * (x[i] - y[i]);
  EXPECT_NEAR(divergence(p.data(), x.data(), y.data(), x.size()), want, 1e-13);
  EXPECT_EQ(divergence(p.data(), x.data(), x.data(), x.size()), 0.0);
}

INSTANTIATE_TEST_SUITE_P(Counts, LogProbabilities,
                         testing::Values(1, 2, 15, 16, 17, 33, 1000));

TEST(LogProbabilities, OfNoNumberAreNone) {
  for (double wrong : {std::nan(""), double(INFINITY)}) {
    std::vector<double> x(20, 1.0);
    x[18] = wrong;
    toLogProbabilities(x.data(), x.size(), nullptr);
    EXPECT_FALSE(std::isfinite(x[3]));
  }
}

} // namespace
