//===- CPUKernelTest.cpp - Compiled kernels against f64 -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RandomWeight.h"

#include "qk/Execution/CPUKernel.h"
#include "qk/Runtime/CPULevel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace qk;
using namespace qk::cpu;
using namespace qk::test;

namespace {

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

size_t sizeOf(Element element) { return element == Element::F32 ? 4 : 2; }

float getElement(const std::vector<char> &data, int64_t i, Element element) {
  if (element == Element::F32) {
    float value;
    std::memcpy(&value, data.data() + 4 * i, 4);
    return value;
  }
  uint16_t value;
  std::memcpy(&value, data.data() + 2 * i, 2);
  return element == Element::F16 ? fromHalf(value) : fromBFloat(value);
}

void setElement(std::vector<char> &data, int64_t i, Element element,
                float value) {
  if (element == Element::F32) {
    std::memcpy(data.data() + 4 * i, &value, 4);
    return;
  }
  uint16_t bits = element == Element::F16 ? toHalf(value) : toBFloat(value);
  std::memcpy(data.data() + 2 * i, &bits, 2);
}

/// Relative spacing of the element type, for the one rounding of y.
double epsilon(Element element) {
  switch (element) {
  case Element::F32:
    return 0x1p-23;
  case Element::F16:
    return 0x1p-10;
  case Element::BF16:
    return 0x1p-7;
  }
  return 0;
}

//===----------------------------------------------------------------------===//
// One kernel, several M and N
//===----------------------------------------------------------------------===//

std::vector<Level> machineLevels() {
  std::vector<Level> levels;
  for (Level level :
       {Level::Portable, Level::AVX2, Level::AVXVNNI, Level::AVX512VNNI}) {
    // avx-vnni is no subset of avx512-vnni.
    if (level == Level::AVXVNNI && qk_cpu_level() != 2)
      continue;
    if (static_cast<int32_t>(level) <= qk_cpu_level())
      levels.push_back(level);
  }
  return levels;
}

void check(const KernelSpec &spec, Level level,
           std::initializer_list<std::pair<int64_t, int64_t>> shapes,
           std::mt19937 &random) {
  SCOPED_TRACE(spec.symbol() + " at " + std::string(name(level)));
  auto compiled = CPUKernel::compile(spec, {level});
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
    std::vector<uint8_t> bytes(packedBytes(w));
    pack(w, bytes.data());
    std::uniform_real_distribution<float> uniform(-2.0f, 2.0f);
    std::vector<char> x(m * k * sizeOf(element));
    for (int64_t i = 0; i < m * k; ++i)
      setElement(x, i, element, uniform(random));
    std::vector<float> bias(n);
    for (float &b : bias)
      b = uniform(random);
    // Something to overwrite, and a row more that must stay.
    std::vector<char> y((m + 1) * n * sizeOf(element), 0x7f);

    std::vector<char> codes(m * k * 2);
    const int64_t xGroups = spec.sharing == Sharing::TokenGroup ? groups : 1;
    std::vector<float> xScales(m * xGroups);
    if (integer)
      kernel.quantize(m, x.data(), codes.data(), xScales.data());
    auto codeOf = [&](int64_t row, int64_t column) -> int {
      if (spec.activation == Activation::Int8)
        return static_cast<int8_t>(codes[row * k + column]);
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
            most =
                std::max(most, std::fabs(getElement(x, row * k + c, element)));
          float scale =
              most / static_cast<float>(activationMax(spec.activation));
          if (scale == 0)
            scale = 1;
          ASSERT_EQ(xScales[row * xGroups + g], scale);
          for (int64_t c = g * length; c < std::min(k, (g + 1) * length); ++c)
            ASSERT_EQ(codeOf(row, c),
                      static_cast<int>(std::nearbyint(
                          getElement(x, row * k + c, element) / scale)));
        }
    }

    MatmulArguments arguments;
    arguments.m = m;
    arguments.n = n;
    arguments.x = integer ? codes.data() : x.data();
    arguments.xScales = xScales.data();
    arguments.weights = bytes.data();
    arguments.bias = bias.data();
    arguments.y = y.data();
    kernel.matmul(arguments);

    for (int64_t row = 0; row < m; ++row)
      for (int64_t channel = 0; channel < n; ++channel) {
        double sum = 0, magnitude = 0;
        for (int64_t c = 0; c < k; ++c) {
          double value = getElement(x, row * k + c, element);
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
        double got = getElement(y, row * n + channel, element);
        ASSERT_NEAR(got, sum, tolerance)
            << "row " << row << " channel " << channel;
      }
    for (size_t i = m * n * sizeOf(element); i < y.size(); ++i)
      ASSERT_EQ(y[i], 0x7f) << "written beyond y";
  }
}

constexpr std::initializer_list<std::pair<int64_t, int64_t>> kShapes = {
    {1, 1}, {1, 64}, {1, 65}, {3, 33}, {17, 5}, {7, 130}};

class CPUKernel4 : public testing::TestWithParam<Activation> {};

std::string activationName(const testing::TestParamInfo<Activation> &info) {
  return std::string(name(info.param));
}

// The family that models use: u4, groups that need not divide K.
TEST_P(CPUKernel4, MatchesF64) {
  std::mt19937 random(11);
  for (Level level : machineLevels())
    for (auto [k, group] : {std::pair<int64_t, int64_t>{64, 32},
                            {172, 32},
                            {31, 8},
                            {172, -1},
                            {1, 128},
                            {600, 300}})
      for (bool zeros : {false, true}) {
        KernelSpec spec;
        spec.scheme = {CodeType::U4, group, ScaleType::F16};
        spec.k = k;
        spec.zeroPoints = zeros;
        spec.bias = zeros;
        spec.activation = GetParam();
        check(spec, level, kShapes, random);
        if (HasFatalFailure())
          return;
      }
}

INSTANTIATE_TEST_SUITE_P(Forms, CPUKernel4,
                         testing::Values(Activation::Float, Activation::Int16,
                                         Activation::Int8),
                         activationName);

} // namespace
