//===- SolveBench.cpp - Time of the numerical core --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SolveBench.h"

#include "qk/Numerics/Gptq.h"
#include "qk/Numerics/LinearAlgebra.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/RoundToNearest.h"
#include "qk/Numerics/Statistics.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <random>

using namespace qk::numerics;

namespace {

/// Seconds of one run of `body`.
template <typename Body> double seconds(Body body) {
  auto start = std::chrono::steady_clock::now();
  body();
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  return time.count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Gaussian weights; inputs whose columns differ in size, some by a lot.
struct MadeUpLayer {
  std::vector<float> w, x, hessian;
  int64_t tokens;

  MadeUpLayer(int64_t n, int64_t k) : w(n * k), tokens(2 * k) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (float &value : w)
      value = 0.05f * normal(random);
    std::vector<float> gain(k);
    for (float &value : gain)
      value = std::exp(normal(random));
    x.resize(tokens * k);
    for (int64_t i = 0; i < tokens * k; ++i)
      x[i] = gain[i % k] * normal(random);
    StatisticsAccumulator statistics(k);
    if (statistics.add(x.data(), tokens))
      hessian = statistics.finish().hessian;
  }
};

} // namespace

void benchSolve(int64_t n, int64_t k) {
  constexpr int rounds = 5;
  MadeUpLayer layer(n, k);
  int64_t size = std::min<int64_t>(k, 2048);
  std::vector<float> a(size * size, 1.0f), c(size * size);

  struct Method {
    const char *name;
    ColumnOrder order;
    bool staticGroups;
    ScaleSearch search;
    std::vector<double> prepare, solve;
  };
  std::vector<Method> methods = {
      {"order none", ColumnOrder::None, false, ScaleSearch::None, {}, {}},
      {"activation order, static groups",
       ColumnOrder::Activation,
       true,
       ScaleSearch::None,
       {},
       {}},
      {"activation order, static, mse",
       ColumnOrder::Activation,
       true,
       ScaleSearch::Mse,
       {},
       {}},
      {"activation order, static, weighted",
       ColumnOrder::Activation,
       true,
       ScaleSearch::Weighted,
       {},
       {}},
  };
  // Limits and methods take turns, so that a machine that slows down slows
  // down both.
  std::vector<double> product, statistics, nearest;
  for (int round = 0; round < rounds; ++round) {
    product.push_back(seconds([&] {
      gemm(Transposed::No, Transposed::No, size, size, size, 1.0f, a.data(),
           size, a.data(), size, 0.0f, c.data(), size);
    }));
    statistics.push_back(seconds([&] {
      StatisticsAccumulator accumulator(k);
      (void)accumulator.add(layer.x.data(), layer.tokens);
    }));
    nearest.push_back(seconds([&] {
      (void)roundToNearest(layer.w.data(), n, k, QuantizerOptions());
    }));
    for (Method &method : methods) {
      GptqOptions options;
      options.order = method.order;
      options.staticGroups = method.staticGroups;
      options.quantizer.scaleSearch = method.search;
      options.measureError = false;
      auto prepared = prepareHessian(layer.hessian.data(), k, options);
      method.prepare.push_back(seconds([&] {
        prepared = prepareHessian(layer.hessian.data(), k, options);
      }));
      if (!prepared) {
        std::printf("%s\n", prepared.error().message.c_str());
        return;
      }
      method.solve.push_back(seconds([&] {
        (void)gptq(layer.w.data(), n, k, layer.hessian.data(), *prepared,
                   options);
      }));
    }
  }

  double size3 = static_cast<double>(size) * size * size;
  double rate = 2 * size3 / median(product);
  double k2 = static_cast<double>(k) * k;
  double floor = (2 * k2 * k / 3 + n * k2) / rate;
  std::printf("N=%lld K=%lld group 128, %d threads, medians of %d rounds\n",
              static_cast<long long>(n), static_cast<long long>(k),
              numThreads(), rounds);
  std::printf("%-40s %8.1f GF/s\n", "sgemm", rate / 1e9);
  std::printf("%-40s %8.1f ms  %.1f GF/s\n", "statistics of 2K tokens",
              1e3 * median(statistics),
              layer.tokens * k2 / median(statistics) / 1e9);
  std::printf("%-40s %8.1f ms\n", "round-to-nearest", 1e3 * median(nearest));
  std::printf("%-40s %8.1f ms\n", "floor of a solve, (2K³/3 + NK²)/sgemm",
              1e3 * floor);
  for (Method &method : methods) {
    double prepare = median(method.prepare), solve = median(method.solve);
    std::printf(
        "gptq, %-34s %8.1f ms  = %.2f floors (factor %.1f, round %.1f)\n",
        method.name, 1e3 * (prepare + solve), (prepare + solve) / floor,
        1e3 * prepare, 1e3 * solve);
  }
}
