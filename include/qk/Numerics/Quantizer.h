//===- Quantizer.h - Scale, zero point and code of a group ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// How the elements x of a group become codes. With b bits, codes from `cmin`
/// to `cmax = cmin + 2^b - 1`, all in f32, rounding half to even:
///
///   lo = min(x, 0), hi = max(x, 0)           (0 is always representable)
///   symmetric: hi = max(-lo, hi), lo = -hi
///   scale = store((hi - lo) / (2^b - 1))     store: rounded to the scale type
///   zero  = symmetric ? the default zero point
///                     : clamp(round(-lo / scale) + cmin, cmin, cmax)
///   code  = clamp(round(x / scale) + zero, cmin, cmax)
///   value = scale · (code - zero)
///
/// Codes of e4m3 are floats: symmetric only, cmin and cmax are -448 and 448,
/// and x / scale is rounded to the nearest float of that kind, ties to even:
///
///   scale = store(max |x| / 448),  code = e4m3(x / scale)
///
/// A group of zeros has scale 1 and the default zero point. A scale too large
/// for its type becomes the largest finite value, one too small the smallest
/// positive value that arithmetic keeps (the subnormal 2^-24 for f16, 2^-126
/// otherwise), so that no scale is ever 0, infinite or NaN.
///
/// Source: IST-DASLab/gptq quant.py. Different here: scales are rounded before
/// codes are computed, and symmetric groups without a negative value keep both
/// halves of the range (there they saturate).
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_QUANTIZER_H
#define QK_NUMERICS_QUANTIZER_H

#include "qk/Numerics/Result.h"
#include "qk/Numerics/Scheme.h"

namespace qk::numerics {

/// How the range of a group is chosen.
enum class ScaleSearch : uint8_t {
  /// The smallest and largest element.
  None,
  /// That range times 1, .99, … .21, whichever has the smallest
  /// Σ |value - x|^2.4; the earliest where several are equal.
  Mse,
  /// The same with Σ h·(value - x)², h the weight of the element's column: its
  /// diag(H), or in GPTQ the square of its pivot, which makes the sum the loss
  /// that the solver itself minimises.
  Weighted,
};

/// What the quantiser needs to know beyond the data.
struct QuantizerOptions {
  Scheme scheme;
  bool symmetric = false;
  ScaleSearch scaleSearch = ScaleSearch::None;
  /// The whole weight is one group: all rows have the same scale. Needs a group
  /// size of -1 and no scale search; rounding to nearest alone supports it.
  bool perTensor = false;

  /// Rejects group sizes other than -1 and positive ones, a perTensor that does
  /// not go with the rest, and floats that are not symmetric.
  Status validate() const;
};

/// The unsigned code type of that many bits; an error that lists the code
/// types when there is none.
Result<CodeType> unsignedCodeType(int64_t bits);

/// `value` rounded half to even to `type`; beyond its range: infinite.
float roundToScaleType(float value, ScaleType type);

/// What is stored for the ideal scale `value` ≥ 0: rounded, within the finite
/// positive range of `type`; 1 for 0.
float storedScale(float value, ScaleType type);

} // namespace qk::numerics

#endif // QK_NUMERICS_QUANTIZER_H
