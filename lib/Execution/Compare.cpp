//===- Compare.cpp - Results against expected ones ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Execution/Compare.h"
#include "llvm/ADT/Twine.h"
#include <cmath>
#include <limits>

using namespace qk;

static double distance(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b)))
    return 0;
  double difference = std::abs(a - b);
  return std::isnan(difference) ? std::numeric_limits<double>::infinity()
                                : difference;
}

llvm::Expected<Difference> qk::compare(const Tensor &got,
                                       const Tensor &expected, double rtol,
                                       double atol) {
  if (got.shape != expected.shape)
    return storage::makeError("expected " + expected.describe() + ", got " +
                              got.describe());
  std::vector<double> values = got.toDoubles(), wanted = expected.toDoubles();
  Difference result;
  double squares = 0, norm = 0;
  size_t worst = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    double difference = distance(values[i], wanted[i]);
    squares += difference * difference;
    norm += std::isfinite(wanted[i]) ? wanted[i] * wanted[i] : 0;
    // Written so that an infinite expected value doesn't excuse a finite one.
    if (difference > 0 && !(difference <= atol + rtol * std::abs(wanted[i]) &&
                            std::isfinite(difference)))
      ++result.beyond;
    if (difference > result.largest || i == 0) {
      result.largest = difference;
      worst = i;
    }
  }
  result.relative = norm > 0 ? std::sqrt(squares / norm) : std::sqrt(squares);
  if (!values.empty()) {
    result.got = values[worst];
    result.expected = wanted[worst];
  }
  for (size_t dim = got.shape.size(), rest = worst; dim-- > 0;) {
    int64_t size = std::max<int64_t>(got.shape[dim], 1);
    result.where.insert(result.where.begin(), rest % size);
    rest /= size;
  }
  return result;
}
