//===- Reference.cpp - What a kernel must give, in f64 -----------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Reference.h"

#include "Parallel.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace qk::gpurun {

/// Products that may be computed in f64: about a second on one core.
constexpr double kProducts = 1e9;

/// `count` of `size` indices, first and last among them, by a seed.
static std::vector<int64_t> sample(int64_t size, int64_t count, uint64_t seed) {
  std::set<int64_t> chosen;
  if (count >= size) {
    for (int64_t i = 0; i < size; ++i)
      chosen.insert(i);
  } else {
    chosen.insert({0, size - 1});
    for (uint64_t i = 1; int64_t(chosen.size()) < count; ++i)
      chosen.insert(int64_t((seed + i) * 0x9e3779b97f4a7c15 % uint64_t(size)));
  }
  return {chosen.begin(), chosen.end()};
}

Reference::Reference(const Case &of, const Operands &operands, const Bytes &x)
    : of(of) {
  int64_t k = of.problem.k;
  double perToken = double(of.n) * double(k);
  int64_t tokenCount = std::clamp<int64_t>(int64_t(kProducts / perToken),
                                           std::min<int64_t>(2, of.m), of.m);
  int64_t channelCount = tokenCount == of.m ? 0 : std::min<int64_t>(24, of.n);
  std::vector<int64_t> tokens = sample(of.m, tokenCount, of.seed);
  std::vector<int64_t> channels = sample(of.n, channelCount, of.seed);
  if (channelCount == 0)
    channels.clear();

  auto add = [&](int64_t m, int64_t n, const double *row, const double *weight,
                 Value &value) {
    double sum = 0, size = 0;
    for (int64_t i = 0; i < k; ++i) {
      double term = row[i] * weight[i];
      sum += term;
      size += std::fabs(term);
    }
    double bias = operands.biasAt(n);
    sum += bias;
    size += std::fabs(bias);
    // Sums of products in f32 (of e4m3 in what Hopper's tensor cores keep of
    // it, 13 bits after the largest term of an addition), then one rounding to
    // y's type.
    double rounding = of.problem.scheme.isFloat() ? 0x1p-12 : 0x1p-20;
    value = {m, n, sum,
             size * rounding +
                 std::max(std::fabs(sum) * halfUlp(of.problem.type),
                          halfStep(of.problem.type)) *
                     1.01};
  };

  // Whole tokens: rows of x in f64, one weight row after the other.
  std::vector<double> rows(tokens.size() * size_t(k));
  parallelFor(int64_t(tokens.size()),
              [&](int64_t t) { operands.xRow(x, tokens[t], &rows[t * k]); });
  size_t whole = tokens.size() * size_t(of.n);
  values.resize(whole + channels.size() * size_t(of.m));
  constexpr int64_t block = 16;
  parallelFor((of.n + block - 1) / block, [&](int64_t b) {
    std::vector<double> weight(k);
    for (int64_t n = b * block; n < std::min(of.n, (b + 1) * block); ++n) {
      operands.weightRow(n, weight.data());
      for (size_t t = 0; t < tokens.size(); ++t)
        add(tokens[t], n, &rows[t * k], weight.data(),
            values[size_t(n) * tokens.size() + t]);
    }
  });
  // Whole channels.
  std::vector<double> weights(channels.size() * size_t(k));
  parallelFor(int64_t(channels.size()), [&](int64_t c) {
    operands.weightRow(channels[c], &weights[c * k]);
  });
  if (!channels.empty())
    parallelFor((of.m + block - 1) / block, [&](int64_t b) {
      std::vector<double> row(k);
      for (int64_t m = b * block; m < std::min(of.m, (b + 1) * block); ++m) {
        operands.xRow(x, m, row.data());
        for (size_t c = 0; c < channels.size(); ++c)
          add(m, channels[c], row.data(), &weights[c * k],
              values[whole + size_t(m) * channels.size() + c]);
      }
    });
}

Comparison Reference::compare(const Bytes &y) const {
  Comparison result;
  auto at = [&](int64_t m, int64_t n) {
    return double(elementAt(y.data(), of.problem.type, m * of.n + n));
  };
  auto place = [](int64_t m, int64_t n) {
    return "y[" + std::to_string(m) + "," + std::to_string(n) + "]";
  };
  int64_t missing = 0;
  for (int64_t i = 0; i < of.m * of.n; ++i)
    if (std::isnan(elementAt(y.data(), of.problem.type, i))) {
      if (missing++ == 0)
        result.difference =
            place(i / of.n, i % of.n) + " is NaN or not written";
    }
  if (missing > 1)
    result.difference +=
        ", and " + std::to_string(missing - 1) + " more elements";
  double wrong = 0, all = 0;
  int64_t differing = 0;
  std::string first;
  for (const Value &value : values) {
    double got = at(value.m, value.n);
    double off = std::fabs(got - value.expected);
    wrong += off * off;
    all += value.expected * value.expected;
    double ratio = value.allowed > 0 ? off / value.allowed : off > 0 ? 1e9 : 0;
    if (!(ratio <= 1) && differing++ == 0)
      first = place(value.m, value.n) + " is " + std::to_string(got) +
              ", expected " + std::to_string(value.expected) + " +- " +
              std::to_string(value.allowed);
    if (!(ratio <= result.worst))
      result.worst = ratio;
  }
  result.elements = int64_t(values.size());
  result.relativeError = all > 0 ? std::sqrt(wrong / all) : std::sqrt(wrong);
  if (result.difference.empty() && differing)
    result.difference = first + "; " + std::to_string(differing) + " of " +
                        std::to_string(values.size()) + " differ";
  return result;
}

} // namespace qk::gpurun
