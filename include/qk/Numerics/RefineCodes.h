//===- RefineCodes.h - Coordinate descent over codes ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// A solve that goes through the columns once (GPTQ, which is Babai's nearest
/// plane algorithm on the lattice of codes) leaves codes that are not the best
/// given all the others. Going through them again, each moved to its best
/// integer, lowers the same loss until nothing moves.
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_REFINECODES_H
#define QK_NUMERICS_REFINECODES_H

#include "qk/Numerics/Quantizer.h"

namespace qk::numerics {

/// What refineCodes changed.
struct Refinement {
  int64_t codesMoved = 0;
  /// tr(ΔW·(H + lambda·I)·ΔWᵀ) has fallen by this.
  double lossLowered = 0;
};

/// Takes up to `sweeps` passes over the columns of `weight` in their stored
/// order: with E = w - q and A = H + lambda·I, code j of a row becomes
///
///   clamp(round((q_j + (E·A)_j / A_jj) / s) + z),
///
/// which is its best value given the others in tr(E·A·Eᵀ), row by row; scales
/// and zero points stay. Ends early for rows in which nothing moves. Columns
/// with a zero on the diagonal of H are left alone.
///
/// `w` is row-major [n,k] in the original column order, `hessian` [k,k]
/// likewise; n, k and the permutation are those of `weight`. 2·N·K² flops a
/// sweep.
///
/// Errors: sweeps below 0, a lambda that is negative or not finite.
Result<Refinement> refineCodes(const float *w, const float *hessian,
                               double lambda, int64_t sweeps,
                               QuantizedWeight &weight);

} // namespace qk::numerics

#endif // QK_NUMERICS_REFINECODES_H
