//===- Hessian.h - Order, damp and factor a Hessian -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// From the second moment H = XᵀX/tokens of a layer's input to the triangular
/// factor that GPTQ (and whatever else solves with H) needs.
///
/// The papers take H⁻¹ = UᵀU in three steps: Cholesky, inverse, Cholesky. One
/// Cholesky factorisation from the last column backwards, H = R·Rᵀ with R upper
/// triangular, gives the same U = R⁻¹; it is cheaper, and nothing
/// ill-conditioned is inverted. The solver works with R itself (Gptq.h).
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_HESSIAN_H
#define QK_NUMERICS_HESSIAN_H

#include "qk/Numerics/Result.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace qk::numerics {

/// How a Hessian is made positive definite.
struct DampingOptions {
  /// diag(H) grows by this times its mean over the live columns.
  double damping = 0.01;
  /// How often a factorisation that fails is tried again with ten times the
  /// damping.
  int retries = 3;

  /// Rejects a damping that is not positive and finite.
  Status validate() const;
};

/// R with R·Rᵀ = H + lambda·I over the ordered columns.
struct HessianFactor {
  int64_t k = 0;
  /// [K,K] row-major, upper triangular; the strictly lower triangle is 0.
  std::unique_ptr<float[]> r;
  /// The damping that made the factorisation succeed, as a fraction of the
  /// mean diagonal, and what it added to the diagonal.
  double damping = 0;
  double lambda = 0;
  /// [K] in the original order: 1 where the diagonal is 0, the column never
  /// having been fed. Its row and column are replaced by the mean diagonal.
  std::vector<uint8_t> dead;
  int64_t deadColumns = 0;
};

/// The columns of `hessian`, row-major [k,k], by falling diagonal; equal ones
/// stay in order.
std::vector<int32_t> activationOrder(const float *hessian, int64_t k);

/// The columns of `hessian`, row-major [k,k], group by group: the groups of
/// `groupLength` consecutive columns (the last possibly shorter) by their
/// falling largest diagonal, the columns of a group by falling diagonal; equal
/// ones stay in order (GAR, arXiv 2505.14638).
std::vector<int32_t> groupAwareOrder(const float *hessian, int64_t k,
                                     int64_t groupLength);

/// Factors `hessian` with column t of the result its column order[t] (all in
/// place when `order` is null).
///
/// Errors: an element that is not finite, a negative diagonal, a matrix that is
/// not positive definite after all retries.
Result<HessianFactor> factorHessian(const float *hessian, int64_t k,
                                    const int32_t *order,
                                    const DampingOptions &options = {});

} // namespace qk::numerics

#endif // QK_NUMERICS_HESSIAN_H
