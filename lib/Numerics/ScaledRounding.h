//===- ScaledRounding.h - What rounding scaled columns costs ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_NUMERICS_SCALEDROUNDING_H
#define QK_LIB_NUMERICS_SCALEDROUNDING_H

#include "qk/Numerics/Quantizer.h"
#include "qk/Numerics/WeightView.h"

namespace qk::numerics {

/// Of a weight whose columns were multiplied by s and rounded to nearest.
struct ScaledRounding {
  /// tr(D·H·Dᵀ), D = Q(W·s)/s - W.
  double loss = 0;
  /// Σ Q(W·s)².
  double energy = 0;
  /// Σ (Q(W·s)/s)²·diag(H): what each input by itself gives.
  double fedEnergy = 0;
};

/// `scratch` has room for the weight. Errors: those of roundToNearest.
Result<ScaledRounding> roundScaled(const WeightView &weight, int64_t k,
                                   const float *hessian, const float *s,
                                   const QuantizerOptions &options,
                                   float *scratch);

} // namespace qk::numerics

#endif // QK_LIB_NUMERICS_SCALEDROUNDING_H
