//===- SaliencyFactorsTest.cpp - AWQ's factors against f64 ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/SaliencyFactors.h"

#include "Layers.h"
#include "Restatement.h"
#include "qk/Numerics/Parallel.h"

#include <gtest/gtest.h>

using namespace qk::numerics;
using restatement::Matrix;

namespace {

std::vector<float> absmeanOf(const Layer &layer) {
  std::vector<double> sum(layer.k);
  for (int64_t t = 0; t < layer.tokens; ++t)
    for (int64_t j = 0; j < layer.k; ++j)
      sum[j] += std::fabs(layer.x[t * layer.k + j]);
  std::vector<float> absmean(layer.k);
  for (int64_t j = 0; j < layer.k; ++j)
    absmean[j] = float(sum[j] / layer.tokens);
  return absmean;
}

/// The search as the paper states it.
struct Search {
  const std::vector<float> &absmean;
  Matrix hessian;
  std::vector<Matrix> weights;
  SaliencyOptions options;

  int64_t k() const { return hessian.rows; }
  int64_t length() const { return options.quantizer.scheme.groupLength(k()); }

  double loss(const std::vector<double> &s) const {
    restatement::Quantizer quantizer{options.quantizer};
    double sum = 0;
    for (const Matrix &w : weights) {
      Matrix d(w.rows, w.cols);
      for (int64_t n = 0; n < w.rows; ++n)
        for (int64_t begin = 0; begin < k(); begin += length()) {
          int64_t end = std::min(k(), begin + length());
          std::vector<double> group;
          for (int64_t j = begin; j < end; ++j)
            group.push_back(w(n, j) * s[j]);
          auto p = quantizer.parameters(group);
          for (int64_t j = begin; j < end; ++j)
            d(n, j) = quantizer.value(group[j - begin], p) / s[j] - w(n, j);
        }
      sum += restatement::trace(d, hessian);
    }
    return sum;
  }

  std::vector<double> candidate(double r) const {
    std::vector<double> s(k());
    for (int64_t j = 0; j < k(); ++j) {
      s[j] = std::pow<double>(absmean[j], r);
      if (options.duo)
        s[j] /= std::pow(relativeSize(j), 1 - r) + 1e-4;
      s[j] = std::max(s[j], 1e-4);
    }
    double middle = std::sqrt(*std::max_element(s.begin(), s.end()) *
                              *std::min_element(s.begin(), s.end()));
    for (double &value : s)
      value /= middle;
    return s;
  }

  double relativeSize(int64_t j) const {
    int64_t begin = j / length() * length(),
            end = std::min(k(), begin + length()), rows = 0;
    double sum = 0;
    for (const Matrix &w : weights)
      for (int64_t n = 0; n < w.rows; ++n, ++rows) {
        double largest = 0;
        for (int64_t i = begin; i < end; ++i)
          largest = std::max(largest, std::fabs(w(n, i)));
        sum += largest ? std::fabs(w(n, j)) / largest : 0;
      }
    return sum / rows;
  }
};

class SaliencyFactorsOf : public testing::TestWithParam<bool> {};

TEST_P(SaliencyFactorsOf, AgreeWithTheRestatement) {
  // Two weights that read one input; 100 is not a multiple of 32.
  Layer q(24, 100, 200, 1), v(9, 100, 1, 2);
  for (int64_t n = 0; n < q.n; n += 5) // Groups of zeros.
    std::fill_n(q.w.begin() + n * 100 + 32, 32, 0.0f);
  std::vector<float> absmean = absmeanOf(q);
  WeightView weights[] = {{q.w.data(), q.n}, {v.w.data(), v.n}};
  for (auto type : {CodeType::U3, CodeType::U4})
    for (bool symmetric : {false, true}) {
      SaliencyOptions options{
          {{type, 32, ScaleType::F16}, symmetric}, 10, GetParam()};
      auto result = saliencyFactors(absmean.data(), q.hessian.data(), 100,
                                    weights, options);
      ASSERT_TRUE(result) << result.error().message;
      Search search{absmean,
                    Matrix(q.hessian, 100, 100),
                    {Matrix(q.w, q.n, 100), Matrix(v.w, v.n, 100)},
                    options};
      double unscaled = search.loss(std::vector<double>(100, 1.0));
      EXPECT_NEAR(result->unscaledLoss, unscaled, 2e-3 * unscaled);
      double least = unscaled;
      for (int step = 0; step <= 10; ++step)
        least = std::min(least, search.loss(search.candidate(step / 10.0)));
      // Which r wins may differ where two are as good as equal.
      EXPECT_NEAR(result->loss, least, 2e-3 * least);
      EXPECT_LT(result->loss, unscaled);
      auto expected = search.candidate(result->ratio);
      for (int64_t j = 0; j < 100; ++j)
        EXPECT_NEAR(result->factors[j], expected[j], 1e-5 * expected[j]);
      EXPECT_NEAR(search.loss({result->factors.begin(), result->factors.end()}),
                  result->loss, 2e-3 * result->loss);
    }
}

INSTANTIATE_TEST_SUITE_P(Duo, SaliencyFactorsOf, testing::Bool());

TEST(SaliencyFactors, LeaveDeadChannelsAlone) {
  Layer layer(20, 64, 300, 13);
  layer.killColumn(10);
  std::vector<float> absmean = absmeanOf(layer);
  WeightView weights[] = {{layer.w.data(), layer.n}};
  SaliencyOptions options{{{CodeType::U4, 32, ScaleType::F16}}, 20};
  auto result = saliencyFactors(absmean.data(), layer.hessian.data(), 64,
                                weights, options);
  ASSERT_TRUE(result);
  ASSERT_GT(result->ratio, 0);
  EXPECT_EQ(result->factors[10], 1.0f);
  // The others are as if it weren't there.
  double least = 1e9, largest = 0;
  for (int64_t j = 0; j < 64; ++j)
    if (j != 10) {
      least = std::min<double>(least, std::pow(absmean[j], result->ratio));
      largest = std::max<double>(largest, std::pow(absmean[j], result->ratio));
    }
  for (int64_t j = 0; j < 64; ++j)
    if (j != 10)
      EXPECT_NEAR(result->factors[j],
                  std::pow(absmean[j], result->ratio) /
                      std::sqrt(least * largest),
                  1e-5 * result->factors[j]);
}

TEST(SaliencyFactors, AreEqualWhereShared) {
  Layer layer(20, 64, 300, 14);
  std::vector<float> absmean = absmeanOf(layer);
  WeightView weights[] = {{layer.w.data(), layer.n}};
  SaliencyOptions options{{{CodeType::U4, 32, ScaleType::F16}}, 20};
  options.shared = {{4, 8}};
  auto result = saliencyFactors(absmean.data(), layer.hessian.data(), 64,
                                weights, options);
  ASSERT_TRUE(result);
  ASSERT_GT(result->ratio, 0);
  std::vector<double> means;
  for (int64_t j = 0; j < 64; ++j) {
    int64_t first = j / 32 * 32 + j % 8;
    double mean = 0;
    for (int64_t head = 0; head < 4; ++head)
      mean += absmean[first + 8 * head] / 4;
    means.push_back(std::pow(mean, result->ratio));
  }
  double middle = std::sqrt(*std::min_element(means.begin(), means.end()) *
                            *std::max_element(means.begin(), means.end()));
  for (int64_t j = 0; j < 64; ++j)
    EXPECT_NEAR(result->factors[j], means[j] / middle,
                1e-5 * result->factors[j]);
}

TEST(SaliencyFactors, LowerTheErrorOfOutliers) {
  // Three columns are fed inputs twenty times as large (Layers.h).
  Layer layer(64, 256, 600, 7);
  std::vector<float> absmean = absmeanOf(layer);
  WeightView weights[] = {{layer.w.data(), layer.n}};
  auto result =
      saliencyFactors(absmean.data(), layer.hessian.data(), 256, weights,
                      {{{CodeType::U4, 128, ScaleType::F16}}, 20, false});
  ASSERT_TRUE(result);
  EXPECT_GT(result->ratio, 0);
  EXPECT_LT(result->loss, 0.7 * result->unscaledLoss);
}

TEST(SaliencyFactors, AreOneWhereNothingHelps) {
  // All columns are fed alike: any scaling loses, or changes nothing.
  Layer layer(16, 32, 1, 8);
  std::vector<float> absmean(32, 0.5f);
  std::fill(layer.hessian.begin(), layer.hessian.end(), 0.0f);
  for (int64_t i = 0; i < 32; ++i)
    layer.hessian[i * 33] = 1;
  WeightView weights[] = {{layer.w.data(), layer.n}};
  auto result =
      saliencyFactors(absmean.data(), layer.hessian.data(), 32, weights,
                      {{{CodeType::U4, 32, ScaleType::F16}}, 5});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->ratio, 0);
  EXPECT_EQ(result->factors, std::vector<float>(32, 1.0f));
  EXPECT_EQ(result->loss, result->unscaledLoss);
}

TEST(SaliencyFactors, DoNotDependOnThreads) {
  Layer layer(100, 172, 300, 9);
  std::vector<float> absmean = absmeanOf(layer);
  WeightView weights[] = {{layer.w.data(), layer.n}};
  int before = numThreads();
  std::vector<float> first;
  double loss = 0;
  for (int threads : {1, 2, 7}) {
    setNumThreads(threads);
    auto result =
        saliencyFactors(absmean.data(), layer.hessian.data(), 172, weights,
                        {{{CodeType::U3, 32, ScaleType::F16}}, 8, true});
    ASSERT_TRUE(result);
    if (first.empty()) {
      first = result->factors;
      loss = result->loss;
    }
    EXPECT_EQ(result->factors, first);
    EXPECT_EQ(result->loss, loss);
  }
  setNumThreads(before);
}

TEST(SaliencyFactors, FindSalientChannels) {
  float absmean[] = {0.5f, 3.0f, 0.0f, 3.0f, 1.0f};
  auto find = [&](int64_t count) {
    return *salientChannels(absmean, 5, count);
  };
  EXPECT_EQ(find(0), std::vector<bool>(5, false));
  // The first of equal ones.
  EXPECT_EQ(find(1), (std::vector<bool>{false, true, false, false, false}));
  EXPECT_EQ(find(3), (std::vector<bool>{false, true, false, true, true}));
  EXPECT_EQ(salientChannels(absmean, 5, 6).error().message,
            "expected a number of salient channels in [0, 5], got 6");
  absmean[2] = -1.0f;
  EXPECT_EQ(salientChannels(absmean, 5, 1).error().message,
            "absmean of channel 2 is negative or not finite");
}

TEST(SaliencyFactors, RejectWhatCannotBeUsed) {
  std::vector<float> a = {1, 2}, h = {1, 0, 0, 1}, w = {1, 2, 3, 4};
  WeightView weights[] = {{w.data(), 2}};
  SaliencyOptions options{{{CodeType::U4, 2, ScaleType::F16}}};
  auto message = [&] {
    auto result = saliencyFactors(a.data(), h.data(), 2, weights, options);
    return result ? std::string() : result.error().message;
  };
  EXPECT_EQ(message(), "");
  options.grid = 0;
  EXPECT_EQ(message(), "expected grid to be at least 1, got 0");
  options.grid = 20;
  options.quantizer.scaleSearch = ScaleSearch::Weighted;
  EXPECT_EQ(message(),
            "saliency factors do not support a weighted scale search");
  options.quantizer.scaleSearch = ScaleSearch::None;
  a[0] = -1;
  EXPECT_EQ(message(),
            "expected absmean not to be negative, got -1.000000 at column 0");
  a[0] = 1;
  h[1] = std::nanf("");
  EXPECT_EQ(message(), "the Hessian is NaN at row 0, column 1");
  h[1] = 0;
  w[0] = std::nanf("");
  EXPECT_EQ(message(), "weight 0 is NaN at row 0, column 0");
}

} // namespace
