//===- Layers.h - Made-up linear layers ------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TEST_UNIT_NUMERICS_LAYERS_H
#define QK_TEST_UNIT_NUMERICS_LAYERS_H

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

/// A weight and the tokens that it is fed.
struct Layer {
  int64_t n, k, tokens;
  /// [n,k], [tokens,k], [k,k]
  std::vector<float> w, x, hessian;

  /// Gaussian weights; inputs whose columns are correlated and of different
  /// size, with some outliers.
  Layer(int64_t n, int64_t k, int64_t tokens, unsigned seed)
      : n(n), k(k), tokens(tokens), w(n * k), x(tokens * k) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (float &value : w)
      value = 0.05f * normal(random);
    std::vector<float> gain(k), mix(k * 8);
    for (int64_t j = 0; j < k; ++j)
      gain[j] = std::exp(0.5f * normal(random));
    for (float &value : mix)
      value = normal(random);
    for (int i = 0; i < 3; ++i)
      gain[random() % k] *= 20;
    for (int64_t t = 0; t < tokens; ++t) {
      float common[8];
      for (float &value : common)
        value = normal(random);
      for (int64_t j = 0; j < k; ++j) {
        float sum = normal(random);
        for (int i = 0; i < 8; ++i)
          sum += 0.5f * common[i] * mix[j * 8 + i];
        x[t * k + j] = gain[j] * sum;
      }
    }
    updateHessian();
  }

  void updateHessian() {
    hessian.assign(k * k, 0);
    std::vector<double> sum(k * k);
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t i = 0; i < k; ++i)
        for (int64_t j = 0; j < k; ++j)
          sum[i * k + j] += double(x[t * k + i]) * x[t * k + j];
    for (int64_t i = 0; i < k * k; ++i)
      hessian[i] = float(sum[i] / tokens);
  }

  void killColumn(int64_t column) {
    for (int64_t t = 0; t < tokens; ++t)
      x[t * k + column] = 0;
    updateHessian();
  }
};

#endif // QK_TEST_UNIT_NUMERICS_LAYERS_H
