//===- SolveBench.cpp - Time of the numerical core --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SolveBench.h"

#include "Limits.h"

#include "qk/Numerics/Gptq.h"
#include "qk/Numerics/LinearAlgebra.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/RoundToNearest.h"
#include "qk/Numerics/Statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>

using namespace qk::numerics;

namespace {

/// Seconds of one run of `body`: on one thread that thread's CPU time, so that
/// what else the machine does doesn't count, else wall time.
template <typename Body> double seconds(Body body) {
  double start = qk::bench::now(numThreads());
  body();
  return qk::bench::now(numThreads()) - start;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Gaussian weights; inputs whose columns differ in size, some by a lot. At
/// most 2048 tokens: a solve's time doesn't depend on what is in a Hessian.
struct MadeUpLayer {
  std::vector<float> w, x, hessian;
  int64_t tokens;

  MadeUpLayer(int64_t n, int64_t k)
      : w(n * k), tokens(std::min<int64_t>(2 * k, 2048)) {
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

void benchSolve(int64_t n, int64_t k, int rounds) {
  MadeUpLayer layer(n, k);
  int64_t size = std::min<int64_t>(k, 2048);
  std::vector<float> a(size * size, 1.0f), c(size * size);

  struct Method {
    const char *name;
    ColumnOrder order;
    bool staticGroups;
    ScaleSearch search;
    /// What issue and documents ask for, in floors.
    double goal;
    std::vector<double> prepare = {}, solve = {};
  };
  std::vector<Method> methods = {
      {"plain", ColumnOrder::None, false, ScaleSearch::None, 1.5},
      {"static activation order", ColumnOrder::Activation, true,
       ScaleSearch::None, 1.8},
      {"the same, scales searched (weighted)", ColumnOrder::Activation, true,
       ScaleSearch::Weighted, 1.8},
      {"the same, scales searched (mse)", ColumnOrder::Activation, true,
       ScaleSearch::Mse, 0},
  };
  // Limits and methods take turns, so that a machine that slows down slows
  // down both.
  std::vector<double> product, statistics, nearest, peak;
  uint64_t sink = 0;
  for (int round = 0; round < rounds; ++round) {
    product.push_back(seconds([&] {
      gemm(Transposed::No, Transposed::No, size, size, size, 1.0f, a.data(),
           size, a.data(), size, 0.0f, c.data(), size);
    }));
    peak.push_back(qk::bench::fmaPeak(numThreads(), sink));
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
  std::printf("N=%lld K=%lld group 128, %d thread%s, medians of %d round%s of "
              "%s time\n",
              static_cast<long long>(n), static_cast<long long>(k),
              numThreads(), numThreads() == 1 ? "" : "s", rounds,
              rounds == 1 ? "" : "s", numThreads() == 1 ? "CPU" : "wall");
  std::printf("%-45s %9.1f GF/s (FMA peak ", "sgemm", rate / 1e9);
  if (double flops = median(peak); flops > 0)
    std::printf("%.1f GF/s)\n", flops / 1e9);
  else
    std::printf("not known)\n");
  std::printf("statistics of %-31lld %9.1f ms  %.1f GF/s\n",
              static_cast<long long>(layer.tokens), 1e3 * median(statistics),
              static_cast<double>(layer.tokens) * k2 / median(statistics) /
                  1e9);
  std::printf("%-45s %9.1f ms\n", "round-to-nearest", 1e3 * median(nearest));
  std::printf("%-45s %9.1f ms\n", "floor of a solve, (2K^3/3 + NK^2)/sgemm",
              1e3 * floor);
  for (Method &method : methods) {
    double prepare = median(method.prepare), solve = median(method.solve);
    std::printf("gptq, %-39s %9.1f ms  = %.2f floors", method.name,
                1e3 * (prepare + solve), (prepare + solve) / floor);
    if (method.goal > 0)
      std::printf(" (goal %.1f)", method.goal);
    std::printf(", factor %.1f ms, round %.1f ms\n", 1e3 * prepare,
                1e3 * solve);
  }
}
