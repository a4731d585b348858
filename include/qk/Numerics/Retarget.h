//===- Retarget.h - What a weight should do on quantised inputs -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// A layer of a quantised model reads X̂, what the quantised layers before it
/// give, where the float model's reads X. The weight that makes X̂ give what X
/// gave is the least-squares fit of X·Wᵀ on X̂: with H = X̂ᵀX̂, C = XᵀX̂ (both
/// over tokens) and λ the solver's damping,
///
///   W' = W + α·(W·(C - H) + R)·(H + λI)⁻¹
///
/// goes the way α towards it. All the way fits the calibration tokens' errors
/// too; half of it is best on held-out text (measured: docs/Accuracy.md).
/// R = ΔᵀX̂ (over tokens, too) where the layer's result is added to a tensor
/// that the layers before left Δ too small: the fit is then one of the sum.
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_RETARGET_H
#define QK_NUMERICS_RETARGET_H

#include "qk/Numerics/Gptq.h"

namespace qk::numerics {

/// Computes W' of `w`, row-major [n,k], to `out` (which may be `w`). `hessian`
/// and `cross` are row-major [k,k]: row i of `cross` belongs to the float
/// input's element i, column j to the quantised one's. `prepared` is the
/// factorisation of `hessian`, in any order. `residual`: R, [n,k], or null. A
/// column that X̂ never fed stays.
/// 4·N·K² flops.
///
/// Errors: alpha outside [0, 1], a weight or moment that is not finite.
Status retarget(const float *w, int64_t n, int64_t k, const float *hessian,
                const float *cross, double alpha,
                const PreparedHessian &prepared, float *out,
                const float *residual = nullptr);

} // namespace qk::numerics

#endif // QK_NUMERICS_RETARGET_H
