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
///   c = clamp(w, f·min(w, 0), f·max(w, 0)) over the group's weights; of a
///       symmetric scheme clamp(w, -f·m, f·m), m = max |w|
///   loss = d·H_gg·dᵀ,  d = Q(c) - w
///
/// H_gg being the group's diagonal block of the Hessian and Q rounding to
/// nearest. The c with the smallest loss replaces w; the larger f of equal
/// ones.
///
/// Each group is then searched again, `sweeps` times one after another, given
/// the errors e that the row's other groups are left with: by
///
///   loss = d·H_gg·dᵀ + 2·d·(H·e)_g
///
/// which is the row's error d·H·dᵀ but for what does not depend on the group.
/// So the row's error never rises (coordinate descent). Inputs of different
/// groups are correlated, and what one group's clipping adds to an output
/// another's can take away.
///
/// Source: AWQ, arXiv 2306.00978; llm-awq auto_clip.py (which samples tokens
/// where the block of the Hessian has them all, clamps both sides to the same
/// bound, and looks at each group by itself).
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
  /// Searches of each group given the others' errors; 0: AWQ's.
  int64_t sweeps = 0;

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
