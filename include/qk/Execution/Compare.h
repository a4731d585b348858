//===- Compare.h - Results against expected ones ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_EXECUTION_COMPARE_H
#define QK_EXECUTION_COMPARE_H

#include "qk/Execution/Tensor.h"

namespace qk {

/// What comparing two tensors element by element gave.
struct Difference {
  /// The largest |got - expected|, where it is, and both values there. NaN
  /// against a number counts as infinite, against NaN as none.
  double largest = 0;
  std::vector<int64_t> where;
  double got = 0, expected = 0;
  /// sqrt(sum (got - expected)^2 / sum expected^2).
  double relative = 0;
  /// Elements with |got - expected| > atol + rtol |expected|.
  int64_t beyond = 0;
};

/// Errors: different shapes. Types may differ: values are compared in f64.
llvm::Expected<Difference> compare(const Tensor &got, const Tensor &expected,
                                   double rtol, double atol);

} // namespace qk

#endif // QK_EXECUTION_COMPARE_H
