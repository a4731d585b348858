//===- Hessian.cpp - Order, damp and factor a Hessian -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Hessian.h"

#include "Panel.h"
#include "qk/Numerics/LinearAlgebra.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/RoundToNearest.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

namespace qk::numerics {

static std::string shortNumber(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g", value);
  return text;
}

Status DampingOptions::validate() const {
  if (std::isfinite(damping) && damping > 0)
    return {};
  return Error{"damping " + shortNumber(damping) +
               " is not allowed: expected a positive number"};
}

/// What columns are ordered by. NaN counts as 0: it is for factorHessian to
/// reject.
static float orderKey(const float *hessian, int64_t k, int64_t column) {
  float value = hessian[column * k + column];
  return value > 0 ? value : 0.0f;
}

std::vector<int32_t> activationOrder(const float *hessian, int64_t k) {
  std::vector<int32_t> order(k);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    float keyA = orderKey(hessian, k, a), keyB = orderKey(hessian, k, b);
    return keyA != keyB ? keyA > keyB : a < b;
  });
  return order;
}

std::vector<int32_t> groupAwareOrder(const float *hessian, int64_t k,
                                     int64_t groupLength) {
  std::vector<int32_t> order = activationOrder(hessian, k);
  // The first column of a group that the falling order meets is its largest.
  std::vector<std::vector<int32_t>> members((k + groupLength - 1) /
                                            groupLength);
  std::vector<int32_t> groups;
  for (int32_t column : order) {
    auto &group = members[column / groupLength];
    if (group.empty())
      groups.push_back(column / groupLength);
    group.push_back(column);
  }
  order.clear();
  for (int32_t group : groups)
    order.insert(order.end(), members[group].begin(), members[group].end());
  return order;
}

/// Fills in which columns are dead. Returns the mean diagonal of the others,
/// or 1 when there are none.
static Result<double> findDeadColumns(const float *hessian, int64_t k,
                                      HessianFactor &factor) {
  factor.dead.assign(k, 0);
  double sum = 0;
  for (int64_t i = 0; i < k; ++i) {
    float value = hessian[i * k + i];
    if (value < 0)
      return Error{"hessian has " + shortNumber(value) +
                   " on its diagonal at column " + std::to_string(i) +
                   ": expected a second moment, which is never negative"};
    factor.dead[i] = value == 0;
    factor.deadColumns += value == 0;
    sum += value;
  }
  int64_t live = k - factor.deadColumns;
  return live ? sum / live : 1.0;
}

/// Copies the upper triangle of the ordered, damped Hessian to factor.r.
static void gather(const float *hessian, int64_t k, const int32_t *order,
                   double mean, HessianFactor &factor) {
  constexpr int64_t rows = 32;
  parallelFor((k + rows - 1) / rows, [&](int64_t item) {
    for (int64_t i = item * rows, end = std::min(k, i + rows); i < end; ++i) {
      int64_t from = order ? order[i] : i;
      const float *source = hessian + from * k;
      float *target = factor.r.get() + i * k;
      for (int64_t j = i; j < k; ++j)
        target[j] = source[order ? order[j] : j];
      // A dead column stands by itself, whatever is written beside it.
      if (factor.dead[from])
        std::fill(target + i, target + k, 0.0f);
      else if (factor.deadColumns)
        for (int64_t j = i; j < k; ++j)
          if (factor.dead[order ? order[j] : j])
            target[j] = 0.0f;
      double diagonal = factor.dead[from] ? mean : source[from];
      target[i] = static_cast<float>(diagonal + factor.lambda);
    }
  });
}

Result<HessianFactor> factorHessian(const float *hessian, int64_t k,
                                    const int32_t *order,
                                    const DampingOptions &options) {
  if (Status status = options.validate(); !status)
    return status.error();
  if (Status status = checkFinite(hessian, k, k, "hessian"); !status)
    return status.error();
  HessianFactor factor;
  factor.k = k;
  Result<double> mean = findDeadColumns(hessian, k, factor);
  if (!mean)
    return mean.error();
  factor.r = uninitialized<float>(k * k);
  factor.damping = options.damping;
  for (int attempt = 0;; ++attempt, factor.damping *= 10) {
    factor.lambda = factor.damping * *mean;
    gather(hessian, k, order, *mean, factor);
    int64_t row = reverseCholesky(k, factor.r.get(), k);
    if (row < 0)
      return {std::move(factor)};
    if (attempt >= options.retries)
      return Error{"hessian is not positive definite: the factorisation "
                   "failed at column " +
                   std::to_string(order ? order[row] : row) + " of " +
                   std::to_string(k) + " with damping " +
                   shortNumber(options.damping) + " and with up to " +
                   shortNumber(factor.damping) +
                   "; calibrate on more tokens or raise the damping"};
  }
}

} // namespace qk::numerics
