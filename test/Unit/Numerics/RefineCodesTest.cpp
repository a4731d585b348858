//===- RefineCodesTest.cpp - Coordinate descent against f64 ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/RefineCodes.h"

#include "Layers.h"
#include "Restatement.h"
#include "qk/Numerics/Gptq.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/RoundToNearest.h"

#include <gtest/gtest.h>

using namespace qk::numerics;
using restatement::Matrix;

namespace {

/// tr((w-q)·(H + lambda·I)·(w-q)ᵀ), in f64.
double lossOf(const Layer &layer, const QuantizedWeight &q, double lambda) {
  Matrix h(layer.hessian, layer.k, layer.k);
  for (int64_t i = 0; i < layer.k; ++i)
    h(i, i) += lambda;
  return trace(minus(Matrix(layer.w, layer.n, layer.k),
                     Matrix(dequantize(q), layer.n, layer.k)),
               h);
}

QuantizedWeight solve(const Layer &layer, const GptqOptions &options) {
  return std::move(
      gptq(layer.w.data(), layer.n, layer.k, layer.hessian.data(), options)
          ->weight);
}

GptqOptions makeOptions(CodeType type, int64_t group, bool symmetric) {
  GptqOptions options;
  options.quantizer = {{type, group, ScaleType::F16}, symmetric};
  return options;
}

TEST(RefineCodes, AgreesWithOneCodeAtATime) {
  // More columns than a block, more rows than a panel.
  Layer layer(150, 172, 600, 1);
  const double lambda = 0.02;
  for (auto type :
       {CodeType::U2, CodeType::U3, CodeType::U4, CodeType::S8, CodeType::E4M3})
    for (bool symmetric : {false, true}) {
      if (type == CodeType::E4M3 && !symmetric)
        continue;
      SCOPED_TRACE(testing::Message()
                   << "bits " << codeBits(type) << ", symmetric " << symmetric);
      GptqOptions options = makeOptions(type, 48, symmetric);
      QuantizedWeight q = solve(layer, options);
      Matrix expected(dequantize(q), layer.n, layer.k);
      restatement::descend(
          Matrix(layer.w, layer.n, layer.k),
          Matrix(layer.hessian, layer.k, layer.k), lambda, 2,
          {options.quantizer},
          [&](int64_t n, int64_t j) {
            int64_t at = n * q.scheme.groups(q.k) + j / 48;
            return restatement::Parameters{
                q.scales[at],
                q.zeroPoints.empty()
                    ? static_cast<double>(q.scheme.defaultZeroPoint())
                    : q.zeroPoints[at]};
          },
          expected);
      double before = lossOf(layer, q, lambda);
      auto refined =
          refineCodes(layer.w.data(), layer.hessian.data(), lambda, 2, q);
      ASSERT_TRUE(refined) << refined.error().message;
      EXPECT_GT(refined->codesMoved, 0);
      double after = lossOf(layer, q, lambda);
      EXPECT_LT(after, before);
      EXPECT_NEAR(refined->lossLowered, before - after, 1e-3 * before);
      std::vector<float> values = dequantize(q);
      int64_t different = 0;
      for (size_t i = 0; i < values.size(); ++i)
        different += std::fabs(values[i] - expected.data[i]) > 1e-6;
      EXPECT_LE(different, 0.01 * values.size());
    }
}

TEST(RefineCodes, EndsWhereNoSingleCodeLowersTheLoss) {
  Layer layer(6, 40, 200, 2);
  GptqOptions options = makeOptions(CodeType::U3, 16, false);
  QuantizedWeight q = solve(layer, options);
  ASSERT_TRUE(refineCodes(layer.w.data(), layer.hessian.data(), 0, 100, q));
  double loss = lossOf(layer, q, 0);
  for (size_t i = 0; i < q.codes.size(); ++i)
    for (int step : {-1, 1}) {
      int code = q.codes[i] + step;
      if (code < 0 || code > 7)
        continue;
      QuantizedWeight other = q;
      other.codes[i] = code;
      EXPECT_GE(lossOf(layer, other, 0), loss * (1 - 1e-6));
    }
}

TEST(RefineCodes, FollowsThePermutation) {
  Layer layer(20, 96, 400, 3);
  GptqOptions options = makeOptions(CodeType::U3, 32, false);
  options.staticGroups = false;
  QuantizedWeight q = solve(layer, options);
  ASSERT_FALSE(q.permutation.empty());
  double before = lossOf(layer, q, 0);
  auto refined = refineCodes(layer.w.data(), layer.hessian.data(), 0, 3, q);
  ASSERT_TRUE(refined) << refined.error().message;
  EXPECT_GT(refined->codesMoved, 0);
  EXPECT_NEAR(refined->lossLowered, before - lossOf(layer, q, 0),
              1e-3 * before);
}

TEST(RefineCodes, LeavesDeadColumnsAlone) {
  Layer layer(20, 64, 400, 4);
  layer.killColumn(7);
  GptqOptions options = makeOptions(CodeType::U3, 32, false);
  options.sweeps = 5;
  QuantizedWeight q = solve(layer, options);
  std::vector<float> values = dequantize(q);
  for (int64_t n = 0; n < layer.n; ++n)
    EXPECT_EQ(values[n * 64 + 7], 0.0f);
}

TEST(RefineCodes, SweepsOfTheSolver) {
  Layer layer(64, 160, 600, 5);
  GptqOptions options = makeOptions(CodeType::U3, 32, false);
  auto plain = gptq(layer.w.data(), 64, 160, layer.hessian.data(), options);
  options.sweeps = 3;
  auto swept = gptq(layer.w.data(), 64, 160, layer.hessian.data(), options);
  EXPECT_EQ(swept->weight.scales, plain->weight.scales);
  EXPECT_GT(swept->report.codesMoved, 0);
  EXPECT_EQ(plain->report.codesMoved, 0);
  EXPECT_LT(swept->report.lossDamped, plain->report.lossDamped);
  double lambda =
      prepareHessian(layer.hessian.data(), 160, options)->factor.lambda;
  double loss = lossOf(layer, swept->weight, lambda);
  EXPECT_NEAR(swept->report.lossDamped, loss, 1e-3 * loss);
}

TEST(RefineCodes, SameBytesForAnyNumberOfThreads) {
  Layer layer(300, 200, 500, 6);
  GptqOptions options = makeOptions(CodeType::U4, 64, false);
  options.sweeps = 3;
  std::vector<uint8_t> expected;
  int before = numThreads();
  for (int threads : {1, 2, 7}) {
    setNumThreads(threads);
    QuantizedWeight q = solve(layer, options);
    if (expected.empty())
      expected = q.codes;
    EXPECT_EQ(q.codes, expected);
  }
  setNumThreads(before);
}

TEST(RefineCodes, RejectsOptionsThatMakeNoSense) {
  Layer layer(4, 16, 40, 7);
  QuantizedWeight q = solve(layer, makeOptions(CodeType::U4, 16, false));
  auto message = [&](double lambda, int64_t sweeps) {
    return refineCodes(layer.w.data(), layer.hessian.data(), lambda, sweeps, q)
        .error()
        .message;
  };
  EXPECT_EQ(message(0, -1), "sweeps -1 is not allowed: expected 0 or more");
  EXPECT_EQ(message(-1, 1), "lambda -1.000000 is not allowed: expected a "
                            "number of at least 0");
  GptqOptions options = makeOptions(CodeType::U4, 16, false);
  options.sweeps = -2;
  EXPECT_EQ(gptq(layer.w.data(), 4, 16, layer.hessian.data(), options)
                .error()
                .message,
            "sweeps -2 is not allowed: expected 0 or more");
}

} // namespace
