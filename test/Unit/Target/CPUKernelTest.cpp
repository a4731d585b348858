//===- CPUKernelTest.cpp - Compiled kernels against f64 -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EmulatedLevels.h"
#include "KernelMemory.h"
#include "RandomWeight.h"

#include "qk/Execution/CPUKernel.h"
#include "qk/Runtime/CPULevel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <omp.h>
#include <tuple>

using namespace qk;
using namespace qk::cpu;
using namespace qk::test;

namespace {

//===----------------------------------------------------------------------===//
// One kernel, several M and N
//===----------------------------------------------------------------------===//

void check(const KernelSpec &spec, const TestLevel &level,
           std::initializer_list<std::pair<int64_t, int64_t>> shapes,
           std::mt19937 &random) {
  SCOPED_TRACE(spec.symbol() + " at " + testName(level));
  auto compiled = compileFor(spec, level);
  ASSERT_TRUE(bool(compiled)) << llvm::toString(compiled.takeError());
  const CPUKernel &kernel = **compiled;
  const Element element = spec.element;
  const int64_t k = spec.k, group = spec.scheme.groupLength(k);
  const int64_t groups = spec.scheme.groups(k);
  const bool integer = spec.activation != Activation::Float;
  for (auto [m, n] : shapes) {
    SCOPED_TRACE("m=" + std::to_string(m) + " n=" + std::to_string(n));
    QuantizedWeight w =
        randomWeight(spec.scheme, n, k, spec.zeroPoints, random);
    Guarded bytes(packedBytes(w));
    pack(w, bytes.as<uint8_t>());
    std::uniform_real_distribution<float> uniform(-2.0f, 2.0f);
    Guarded x(m * k * sizeOf(element));
    for (int64_t i = 0; i < m * k; ++i)
      setElement(x.data(), i, element, uniform(random));
    Guarded biasData(n * sizeof(float));
    float *bias = biasData.as<float>();
    for (int64_t i = 0; i < n; ++i)
      bias[i] = uniform(random);
    Guarded y(m * n * sizeOf(element));
    std::memset(y.data(), 0x7f, m * n * sizeOf(element));

    Guarded codes(m * k * (spec.activation == Activation::Int16 ? 2 : 1));
    const int64_t xGroups = spec.sharing == Sharing::TokenGroup ? groups : 1;
    Guarded xScaleData(m * xGroups * sizeof(float));
    float *xScales = xScaleData.as<float>();
    if (integer)
      kernel.quantize(m, x.data(), codes.data(), xScales);
    auto codeOf = [&](int64_t row, int64_t column) -> int {
      if (spec.activation == Activation::Int8)
        return static_cast<int8_t>(codes.data()[row * k + column]);
      int16_t value;
      std::memcpy(&value, codes.data() + 2 * (row * k + column), 2);
      return value;
    };
    if (integer) {
      // The quantiser against the formula of `quantize`.
      const int64_t length = spec.sharing == Sharing::TokenGroup ? group : k;
      for (int64_t row = 0; row < m; ++row)
        for (int64_t g = 0; g < xGroups; ++g) {
          float most = 0;
          for (int64_t c = g * length; c < std::min(k, (g + 1) * length); ++c)
            most = std::max(
                most, std::fabs(getElement(x.data(), row * k + c, element)));
          float scale =
              most / static_cast<float>(activationMax(spec.activation));
          if (scale == 0)
            scale = 1;
          ASSERT_EQ(xScales[row * xGroups + g], scale);
          for (int64_t c = g * length; c < std::min(k, (g + 1) * length); ++c)
            ASSERT_EQ(codeOf(row, c),
                      static_cast<int>(std::nearbyint(
                          getElement(x.data(), row * k + c, element) / scale)));
        }
    }

    MatmulArguments arguments;
    arguments.m = m;
    arguments.n = n;
    arguments.x = integer ? codes.data() : x.data();
    arguments.xScales = xScales;
    arguments.weights = bytes.as<uint8_t>();
    arguments.bias = bias;
    arguments.y = y.data();
    kernel.matmul(arguments);

    for (int64_t row = 0; row < m; ++row)
      for (int64_t channel = 0; channel < n; ++channel) {
        double sum = 0, magnitude = 0;
        for (int64_t c = 0; c < k; ++c) {
          double value = getElement(x.data(), row * k + c, element);
          if (integer)
            value =
                double(codeOf(row, c)) *
                xScales[row * xGroups +
                        (spec.sharing == Sharing::TokenGroup ? c / group : 0)];
          double term =
              value * double(scaleAt(w, channel, c)) * levelAt(w, channel, c);
          sum += term;
          magnitude += std::fabs(term);
        }
        if (spec.bias) {
          sum += bias[channel];
          magnitude += std::fabs(bias[channel]);
        }
        // f32 sums of K terms, integer dots exact; then one rounding to y.
        double terms = integer ? 2.0 * double(groups) + 8 : double(k) + 8;
        double tolerance = terms * 0x1p-24 * magnitude +
                           epsilon(element) * std::fabs(sum) + 1e-7;
        double got = getElement(y.data(), row * n + channel, element);
        ASSERT_NEAR(got, sum, tolerance)
            << "row " << row << " channel " << channel;
      }
  }
}

constexpr std::initializer_list<std::pair<int64_t, int64_t>> kShapes = {
    {1, 1}, {1, 64}, {1, 65}, {3, 33}, {17, 5}, {7, 130}, {0, 5}};

struct Case {
  Activation activation;
  TestLevel level;
};

std::vector<Case> cases() {
  std::vector<Case> result;
  for (TestLevel level : testLevels())
    for (Activation activation :
         {Activation::Float, Activation::Int16, Activation::Int8})
      result.push_back({activation, level});
  return result;
}

std::string caseName(const testing::TestParamInfo<Case> &info) {
  return testName(info.param.level) + "_" +
         std::string(name(info.param.activation));
}

class CPUKernelForms : public testing::TestWithParam<Case> {};

// The family that models use: u4, f16 scales, groups that need not divide K.
TEST_P(CPUKernelForms, FourBitsMatchF64) {
  std::mt19937 random(11);
  bool zeros = false;
  for (auto [k, group] :
       {std::pair<int64_t, int64_t>{64, 32}, {172, 32}, {31, 8}, {600, 300}}) {
    KernelSpec spec;
    spec.scheme = {CodeType::U4, group, ScaleType::F16};
    spec.k = k;
    spec.zeroPoints = zeros;
    spec.bias = zeros;
    spec.activation = GetParam().activation;
    check(spec, GetParam().level, kShapes, random);
    if (HasFatalFailure())
      return;
    zeros = !zeros;
  }
}

// Every code type; scale types, elements, zero points, bias, K and groups take
// turns so that each value of one meets each code type.
TEST_P(CPUKernelForms, AllCodeTypesMatchF64) {
  std::mt19937 random(12);
  constexpr std::pair<int64_t, int64_t> sizes[] = {
      {172, -1}, {64, 16}, {100, 7}, {1, 128}, {31, 31}};
  constexpr ScaleType scales[] = {ScaleType::F32, ScaleType::BF16,
                                  ScaleType::F16};
  constexpr Element elements[] = {Element::F16, Element::F32, Element::BF16};
  // Each form starts elsewhere in the rotation.
  int turn = static_cast<int>(GetParam().activation) * 5 +
             static_cast<int>(GetParam().level.level);
  for (CodeType code :
       {CodeType::U2, CodeType::U3, CodeType::U4, CodeType::U8, CodeType::S8}) {
    auto [k, group] = sizes[turn % 5];
    KernelSpec spec;
    spec.scheme = {code, group, scales[turn % 3]};
    spec.k = k;
    spec.zeroPoints = turn % 2 == 0;
    spec.bias = turn % 4 < 2;
    spec.activation = GetParam().activation;
    spec.element = elements[(turn / 2) % 3];
    if (group == -1)
      spec.sharing = Sharing::Token;
    check(spec, GetParam().level, kShapes, random);
    if (HasFatalFailure())
      return;
    ++turn;
  }
}

INSTANTIATE_TEST_SUITE_P(All, CPUKernelForms, testing::ValuesIn(cases()),
                         caseName);

//===----------------------------------------------------------------------===//
// Extremes, threads, dispatch
//===----------------------------------------------------------------------===//

class CPUKernelLevels : public testing::TestWithParam<TestLevel> {};

std::string levelName(const testing::TestParamInfo<TestLevel> &info) {
  return testName(info.param);
}

// The largest codes that there are, all of one sign: accumulators come within a
// percent of 2^31 and must not wrap. Two scales, so that the result is exact.
TEST_P(CPUKernelLevels, LargestCodesDoNotOverflow) {
  for (auto [code, value, zero] :
       {std::tuple<CodeType, int, int>{CodeType::U8, 255, 0},
        {CodeType::S8, -128, 127},
        {CodeType::U4, 15, 0}}) {
    KernelSpec spec;
    spec.scheme = {code, -1, ScaleType::F32};
    spec.k = 600;
    spec.zeroPoints = true;
    spec.activation = Activation::Int16;
    spec.sharing = Sharing::Tensor;
    auto kernel = compileFor(spec, GetParam());
    ASSERT_TRUE(bool(kernel)) << llvm::toString(kernel.takeError());
    const int64_t m = 7, n = 3;
    QuantizedWeight w;
    w.scheme = spec.scheme;
    w.n = n;
    w.k = spec.k;
    w.codes.assign(n * spec.k, static_cast<uint8_t>(value));
    w.scales = {1.0f, 0.0f, -0.5f};
    w.zeroPoints.assign(n, static_cast<int16_t>(zero));
    std::vector<uint8_t> bytes(packedBytes(w));
    pack(w, bytes.data());
    for (int sign : {1, -1}) {
      std::vector<int16_t> x(m * spec.k, static_cast<int16_t>(sign * 32639));
      float xScale = 0.25f;
      std::vector<float> y(m * n, -1.0f);
      MatmulArguments arguments{
          m, n, x.data(), &xScale, bytes.data(), nullptr, y.data()};
      (*kernel)->matmul(arguments);
      double exact = 600.0 * sign * 32639 * (value - zero) * 0.25;
      for (int64_t row = 0; row < m; ++row) {
        EXPECT_NEAR(y[row * n], exact, std::fabs(exact) * 0x1p-22);
        EXPECT_EQ(y[row * n + 1], 0.0f);
        EXPECT_NEAR(y[row * n + 2], -0.5 * exact, std::fabs(exact) * 0x1p-23);
      }
    }
  }
}

// Whatever can be asked for, in random combinations and odd sizes.
TEST_P(CPUKernelLevels, RandomFormsMatchF64) {
  std::mt19937 random(21);
  auto draw = [&](int64_t from, int64_t to) {
    return std::uniform_int_distribution<int64_t>(from, to)(random);
  };
  for (int trial = 0; trial < 8; ++trial) {
    KernelSpec spec;
    constexpr int64_t groups[] = {32, 64, 128, 256, -1, 5, 48};
    spec.scheme = {static_cast<CodeType>(draw(0, 4)), groups[draw(0, 6)],
                   static_cast<ScaleType>(draw(0, 2))};
    spec.k = draw(1, 700);
    spec.zeroPoints = draw(0, 1);
    spec.bias = draw(0, 1);
    spec.activation = static_cast<Activation>(draw(0, 2));
    spec.element = static_cast<Element>(draw(0, 2));
    spec.sharing = draw(0, 1) ? Sharing::Token : Sharing::TokenGroup;
    check(spec, GetParam(),
          {{1, draw(1, 200)},
           {draw(2, 9), draw(1, 200)},
           {draw(10, 40), draw(1, 90)}},
          random);
    if (HasFatalFailure())
      return;
  }
}

INSTANTIATE_TEST_SUITE_P(All, CPUKernelLevels, testing::ValuesIn(testLevels()),
                         levelName);

/// y of one matmul, large enough for threads.
std::vector<float> run(const CPUKernel &kernel, const KernelSpec &spec,
                       const QuantizedWeight &w, const std::vector<float> &x,
                       int64_t m) {
  std::vector<uint8_t> bytes(packedBytes(w));
  pack(w, bytes.data());
  std::vector<int16_t> codes(m * w.k);
  std::vector<float> scales(m * spec.layout().groups()), y(m * w.n);
  MatmulArguments arguments{m,       w.n,     x.data(), nullptr, bytes.data(),
                            nullptr, y.data()};
  if (spec.activation != Activation::Float) {
    kernel.quantize(m, x.data(), codes.data(), scales.data());
    arguments.x = codes.data();
    arguments.xScales = scales.data();
  }
  kernel.matmul(arguments);
  return y;
}

TEST(CPUKernel, SameBytesForAnyNumberOfThreads) {
  for (Activation activation : {Activation::Float, Activation::Int16}) {
    KernelSpec spec;
    spec.scheme = {CodeType::U4, 32, ScaleType::F16};
    spec.k = 300;
    spec.activation = activation;
    auto kernel =
        CPUKernel::compile(spec, {static_cast<Level>(qk_cpu_level())});
    ASSERT_TRUE(bool(kernel)) << llvm::toString(kernel.takeError());
    std::mt19937 random(3);
    for (int64_t m : {1, 101}) {
      QuantizedWeight w =
          randomWeight(spec.scheme, 1000, spec.k, false, random);
      std::vector<float> x(m * spec.k);
      std::normal_distribution<float> normal;
      for (float &value : x)
        value = normal(random);
      omp_set_num_threads(1);
      std::vector<float> one = run(**kernel, spec, w, x, m);
      for (int threads : {2, 7}) {
        omp_set_num_threads(threads);
        std::vector<float> many = run(**kernel, spec, w, x, m);
        EXPECT_EQ(std::memcmp(one.data(), many.data(), 4 * one.size()), 0)
            << threads << " threads, m=" << m;
      }
      // A row's result does not depend on its neighbours either.
      std::vector<float> first(x.begin(), x.begin() + spec.k);
      std::vector<float> alone = run(**kernel, spec, w, first, 1);
      EXPECT_EQ(std::memcmp(one.data(), alone.data(), 4 * alone.size()), 0);
    }
  }
}

// All levels in one object: the best one that the machine has is taken.
TEST(CPUKernel, DispatchesToTheBestLevel) {
  KernelSpec spec;
  spec.scheme = {CodeType::U4, 32, ScaleType::F16};
  spec.k = 96;
  const auto best = static_cast<Level>(qk_cpu_level());
  auto all = CPUKernel::compile(
      spec, {Level::Portable, Level::AVX512VNNI, Level::AVX2, Level::AVXVNNI});
  auto one = CPUKernel::compile(spec, {best});
  ASSERT_TRUE(bool(all)) << llvm::toString(all.takeError());
  ASSERT_TRUE(bool(one)) << llvm::toString(one.takeError());
  std::mt19937 random(4);
  QuantizedWeight w = randomWeight(spec.scheme, 70, spec.k, false, random);
  std::vector<float> x(5 * spec.k);
  std::normal_distribution<float> normal;
  for (float &value : x)
    value = normal(random);
  EXPECT_EQ(run(**all, spec, w, x, 5), run(**one, spec, w, x, 5));
}

} // namespace
