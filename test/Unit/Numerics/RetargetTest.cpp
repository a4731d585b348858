//===- RetargetTest.cpp - Moved weights against f64 -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Retarget.h"

#include "Layers.h"
#include "Restatement.h"
#include "qk/Numerics/Parallel.h"

#include <gtest/gtest.h>

using namespace qk::numerics;
using restatement::Matrix;

namespace {

/// A layer whose x is what the quantised model feeds it: the float model's
/// inputs mixed a little with one another, and some noise.
struct Drifted : Layer {
  std::vector<float> floatX, cross;
  /// By how much what the output is added to falls short, [tokens,n], and its
  /// moment with x; empty: it is exact.
  std::vector<float> lacking, residual;

  Drifted(int64_t n, int64_t k, int64_t tokens, unsigned seed)
      : Layer(n, k, tokens, seed), floatX(x) {
    std::mt19937 random(seed + 100);
    std::normal_distribution<float> normal;
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t j = 0; j < k; ++j) {
        float own = floatX[t * k + j], next = floatX[t * k + (j + 1) % k];
        x[t * k + j] =
            0.95f * own + 0.05f * next + 0.1f * std::fabs(own) * normal(random);
      }
    updateHessian();
    updateCross();
  }

  void updateCross() {
    cross.assign(k * k, 0);
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < k; ++j) {
        double sum = 0;
        for (int64_t t = 0; t < tokens; ++t)
          sum += double(floatX[t * k + i]) * x[t * k + j];
        cross[i * k + j] = float(sum / tokens);
      }
  }

  /// A part that x tells, and one that it doesn't.
  void addLacking(unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> told(n * k);
    for (float &value : told)
      value = 0.02f * normal(random);
    lacking.assign(tokens * n, 0);
    residual.assign(n * k, 0);
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t r = 0; r < n; ++r) {
        float &value = lacking[t * n + r];
        for (int64_t j = 0; j < k; ++j)
          value += told[r * k + j] * x[t * k + j];
        value += 0.05f * normal(random);
      }
    for (int64_t r = 0; r < n; ++r)
      for (int64_t j = 0; j < k; ++j) {
        double sum = 0;
        for (int64_t t = 0; t < tokens; ++t)
          sum += double(lacking[t * n + r]) * x[t * k + j];
        residual[r * k + j] = float(sum / tokens);
      }
  }

  /// Σ (X·Wᵀ + Δ - X̂·Vᵀ)² / tokens.
  double outputError(const std::vector<float> &v) const {
    double sum = 0;
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t r = 0; r < n; ++r) {
        double difference = lacking.empty() ? 0 : lacking[t * n + r];
        for (int64_t j = 0; j < k; ++j)
          difference += double(floatX[t * k + j]) * w[r * k + j] -
                        double(x[t * k + j]) * v[r * k + j];
        sum += difference * difference;
      }
    return sum / tokens;
  }

  std::vector<float> retargeted(double alpha,
                                const GptqOptions &options = {}) const {
    auto prepared = prepareHessian(hessian.data(), k, options);
    std::vector<float> out(n * k);
    Status status =
        retarget(w.data(), n, k, hessian.data(), cross.data(), alpha, *prepared,
                 out.data(), residual.empty() ? nullptr : residual.data());
    EXPECT_TRUE(status) << status.error().message;
    return out;
  }
};

/// By Cholesky of the damped Hessian, all in f64.
Matrix restated(const Drifted &layer, double alpha, double damping) {
  int64_t n = layer.n, k = layer.k;
  Matrix h(layer.hessian, k, k), c(layer.cross, k, k), w(layer.w, n, k);
  double mean = 0;
  int64_t live = 0;
  for (int64_t i = 0; i < k; ++i) {
    mean += h(i, i);
    live += h(i, i) != 0;
  }
  mean /= live;
  Matrix a = h;
  for (int64_t i = 0; i < k; ++i)
    a(i, i) = (a(i, i) == 0 ? mean : a(i, i)) + damping * mean;
  restatement::cholesky(a);
  Matrix result = w;
  for (int64_t r = 0; r < n; ++r) {
    std::vector<double> d(k);
    for (int64_t j = 0; j < k; ++j)
      for (int64_t i = 0; h(j, j) != 0 && i < k; ++i)
        d[j] += w(r, i) * (c(i, j) - h(i, j));
    for (int64_t j = 0; !layer.residual.empty() && j < k; ++j)
      d[j] += h(j, j) == 0 ? 0 : layer.residual[r * k + j];
    // L·Lᵀ·z = d.
    for (int64_t i = 0; i < k; ++i) {
      for (int64_t j = 0; j < i; ++j)
        d[i] -= a(i, j) * d[j];
      d[i] /= a(i, i);
    }
    for (int64_t i = k; i-- > 0;) {
      for (int64_t j = i + 1; j < k; ++j)
        d[i] -= a(j, i) * d[j];
      d[i] /= a(i, i);
    }
    for (int64_t j = 0; j < k; ++j)
      result(r, j) += alpha * d[j];
  }
  return result;
}

void expectNear(const std::vector<float> &got, const Matrix &expected,
                const std::vector<float> &original) {
  // Relative to how far weights move.
  double error = 0, moved = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    error += std::pow(got[i] - expected.data[i], 2);
    moved += std::pow(expected.data[i] - original[i], 2);
  }
  EXPECT_GT(moved, 0);
  EXPECT_LT(std::sqrt(error / moved), 1e-3);
}

TEST(Retarget, AgreesWithTheFormula) {
  // More columns than a tile, more rows than a panel.
  Drifted layer(150, 300, 900, 1);
  for (double alpha : {0.25, 0.5, 1.0})
    for (double damping : {0.01, 0.1}) {
      GptqOptions options;
      options.damping.damping = damping;
      expectNear(layer.retargeted(alpha, options),
                 restated(layer, alpha, damping), layer.w);
    }
}

TEST(Retarget, DoesNotDependOnTheFactorsOrder) {
  Drifted layer(20, 96, 400, 2);
  for (ColumnOrder order : {ColumnOrder::None, ColumnOrder::GroupAware}) {
    GptqOptions options;
    options.order = order;
    expectNear(layer.retargeted(0.5, options), restated(layer, 0.5, 0.01),
               layer.w);
  }
}

TEST(Retarget, LowersTheErrorOfTheOutput) {
  Drifted layer(32, 64, 2000, 3);
  double before = layer.outputError(layer.w);
  double half = layer.outputError(layer.retargeted(0.5));
  double whole = layer.outputError(layer.retargeted(1.0));
  // The loss is a parabola along the way: half of it gains three quarters.
  EXPECT_NEAR((before - half) / (before - whole), 0.75, 0.05);
  EXPECT_LT(whole, 0.95 * before);
}

TEST(Retarget, MakesUpForWhatTheResidualStreamLacks) {
  Drifted layer(150, 300, 900, 9);
  layer.addLacking(10);
  GptqOptions groupAware;
  groupAware.order = ColumnOrder::GroupAware;
  expectNear(layer.retargeted(0.5), restated(layer, 0.5, 0.01), layer.w);
  expectNear(layer.retargeted(1.0, groupAware), restated(layer, 1.0, 0.01),
             layer.w);
  double both = layer.outputError(layer.retargeted(1.0));
  layer.residual.clear();
  EXPECT_LT(both, 0.9 * layer.outputError(layer.retargeted(1.0)));
}

TEST(Retarget, KeepsTheWeightWhereTheInputIsTheSame) {
  Drifted layer(8, 48, 300, 4);
  layer.cross = layer.hessian;
  EXPECT_EQ(layer.retargeted(1.0), layer.w);
  Drifted other(8, 48, 300, 5);
  EXPECT_EQ(other.retargeted(0.0), other.w);
}

TEST(Retarget, LeavesDeadColumnsAlone) {
  Drifted layer(8, 48, 300, 6);
  layer.killColumn(5);
  layer.updateCross();
  // Nothing of the quantised input, but something of the float one.
  auto moved = layer.retargeted(0.5);
  for (int64_t r = 0; r < layer.n; ++r)
    EXPECT_EQ(moved[r * 48 + 5], layer.w[r * 48 + 5]);
  expectNear(moved, restated(layer, 0.5, 0.01), layer.w);
}

TEST(Retarget, SameBytesForAnyNumberOfThreadsAndInPlace) {
  Drifted layer(300, 280, 300, 7);
  std::vector<float> expected;
  int before = numThreads();
  for (int threads : {1, 2, 7}) {
    setNumThreads(threads);
    std::vector<float> got = layer.retargeted(0.5);
    if (expected.empty())
      expected = got;
    EXPECT_EQ(got, expected);
  }
  setNumThreads(before);
  auto prepared = prepareHessian(layer.hessian.data(), layer.k, GptqOptions());
  std::vector<float> place = layer.w;
  EXPECT_TRUE(retarget(place.data(), layer.n, layer.k, layer.hessian.data(),
                       layer.cross.data(), 0.5, *prepared, place.data()));
  EXPECT_EQ(place, expected);
}

TEST(Retarget, RejectsWhatMakesNoSense) {
  Drifted layer(4, 16, 40, 8);
  auto prepared = prepareHessian(layer.hessian.data(), 16, GptqOptions());
  std::vector<float> out(4 * 16);
  auto message = [&](double alpha) {
    return retarget(layer.w.data(), 4, 16, layer.hessian.data(),
                    layer.cross.data(), alpha, *prepared, out.data())
        .error()
        .message;
  };
  EXPECT_EQ(message(1.5), "alpha 1.500000 is not allowed: expected 0 to 1");
  EXPECT_EQ(message(std::nan("")), "alpha nan is not allowed: expected 0 to 1");
  std::vector<float> residual(4 * 16);
  residual[18] = INFINITY;
  EXPECT_EQ(retarget(layer.w.data(), 4, 16, layer.hessian.data(),
                     layer.cross.data(), 0.5, *prepared, out.data(),
                     residual.data())
                .error()
                .message,
            "residual moment is infinite at row 1, column 2");
  layer.cross[18] = INFINITY;
  EXPECT_EQ(message(0.5), "cross moment is infinite at row 1, column 2");
}

} // namespace
