//===- Clip.h - AWQ's clipping of weights -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// A group's largest weights are cut off where that makes the steps of the
/// others so much finer that the output error falls. For each row and group,
/// with f = 1, 1 - 1/grid, … (the first half of the grid, so above 0.5):
///
///   c = clamp(w, -f·m, f·m),  m = max |w| of the group
///   loss = d·H_gg·dᵀ,  d = Q(c) - w
///
/// H_gg being the group's diagonal block of the Hessian and Q rounding to
/// nearest. The c with the smallest loss replaces w; the larger f of equal
/// ones.
///
/// Source: AWQ, arXiv 2306.00978; llm-awq auto_clip.py (which samples tokens
/// where the block of the Hessian has them all).
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_CLIP_H
#define QK_NUMERICS_CLIP_H

#include "qk/Numerics/Quantizer.h"

#include <vector>

namespace qk::numerics {

struct ClipOptions {
  QuantizerOptions quantizer;
  /// Steps between 1 and 0, of which half are tried; at least 1.
  int64_t grid = 20;

  Status validate() const;
};

/// The clipped weight, row-major [n,k]. Of the symmetric `hessian` [k,k] the
/// upper triangle is read.
///
/// Errors: options that do not validate; elements that are not finite; a scale
/// search that needs weights of columns.
Result<std::vector<float>> clip(const float *w, int64_t n, int64_t k,
                                const float *hessian,
                                const ClipOptions &options);

} // namespace qk::numerics

#endif // QK_NUMERICS_CLIP_H
