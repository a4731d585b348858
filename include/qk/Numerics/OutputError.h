//===- OutputError.h - What a changed weight does to the output -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_OUTPUTERROR_H
#define QK_NUMERICS_OUTPUTERROR_H

#include <cstdint>

namespace qk::numerics {

/// tr(A·H·Aᵀ) for A row-major [n,k] and the symmetric H [k,k], of which the
/// upper triangle is read. With H = XᵀX/tokens that is the mean over tokens of
/// |A·x|².
double outputEnergy(const float *a, int64_t n, int64_t k, const float *hessian);

/// What a changed weight costs.
struct OutputError {
  /// tr(ΔW·H·ΔWᵀ), ΔW = changed - w.
  double loss = 0;
  /// loss / tr(W·H·Wᵀ), which equals ‖XWᵀ - XQᵀ‖²/‖XWᵀ‖² on the tokens that H
  /// was made from; 0 where nothing changed.
  double relative = 0;
};

/// Compares `changed` with `w`, both row-major [n,k].
OutputError outputError(const float *w, const float *changed, int64_t n,
                        int64_t k, const float *hessian);

} // namespace qk::numerics

#endif // QK_NUMERICS_OUTPUTERROR_H
