//===- LaneQuantizer.h - The quantiser over sixteen rows --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The formulas of qk/Numerics/Quantizer.h on sixteen rows of a transposed
/// panel. Round-to-nearest and GPTQ share them, so that a weight is rounded in
/// the same way wherever that happens.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_NUMERICS_LANEQUANTIZER_H
#define QK_LIB_NUMERICS_LANEQUANTIZER_H

#include "Lanes.h"
#include "qk/Numerics/Quantizer.h"

#include <limits>

namespace qk::numerics {

/// Scale and zero point of one group, for sixteen rows.
struct LaneParameters {
  Lanes scale;
  Lanes zero;
};

/// The quantiser's options in the form that the inner loops use.
struct LaneQuantizer {
  float codeMin, codeMax, defaultZero;
  ScaleType scaleType;
  bool symmetric, isFloat, isSigned;
  ScaleSearch search;

  explicit LaneQuantizer(const QuantizerOptions &options)
      : codeMin(options.scheme.codeMin()), codeMax(options.scheme.codeMax()),
        defaultZero(options.scheme.defaultZeroPoint()),
        scaleType(options.scheme.scaleType), symmetric(options.symmetric),
        isFloat(options.scheme.isFloat()), isSigned(options.scheme.isSigned()),
        search(options.scaleSearch) {}

  /// code - zero, from which the value is `scale` times it.
  QK_INLINE Lanes centredCode(Lanes x, const LaneParameters &group) const {
    // Clamped first: the bounds are integers, so that changes nothing, and
    // what is rounded is small.
    Lanes quotient = x / group.scale;
    quotient = min(max(quotient, codeMin - group.zero), codeMax - group.zero);
    return isFloat ? roundToE4M3(quotient)
                   : __builtin_elementwise_roundeven(quotient);
  }

  /// The bytes that hold codes, of their centred values.
  QK_INLINE LaneBytes bytesOf(Lanes centred,
                              const LaneParameters &group) const {
    if (isFloat)
      return encodeE4M3(centred);
    LaneMask code = __builtin_convertvector(centred + group.zero, LaneMask);
    return __builtin_convertvector(code, LaneBytes);
  }

  /// The centred values of bytes.
  QK_INLINE Lanes centredOf(LaneBytes bytes,
                            const LaneParameters &group) const {
    if (isFloat)
      return decodeE4M3(bytes);
    LaneMask code =
        isSigned ? __builtin_convertvector(
                       __builtin_bit_cast(
                           int8_t __attribute__((ext_vector_type(16))), bytes),
                       LaneMask)
                 : __builtin_convertvector(bytes, LaneMask);
    return __builtin_convertvector(code, Lanes) - group.zero;
  }

  /// Scale and zero point for the range [lo, hi] of each lane.
  QK_INLINE LaneParameters fromRange(Lanes lo, Lanes hi) const {
    Lanes ideal = (hi - lo) / splat(codeMax - codeMin);
    LaneParameters group;
    for (int64_t lane = 0; lane < kLanes; ++lane)
      group.scale[lane] = storedScale(ideal[lane], scaleType);
    group.zero = splat(defaultZero);
    if (!symmetric) {
      Lanes zero = __builtin_elementwise_roundeven(
          min(-lo / group.scale, splat(codeMax - codeMin)));
      zero += codeMin;
      LaneMask allZero = (hi - lo) == 0.0f;
      group.zero = allZero ? group.zero : zero;
    }
    return group;
  }

  /// Scale and zero point of `count` elements a lane, `stride` floats apart.
  /// `weights` (one an element, `weightOf(i)`) serve ScaleSearch::Weighted.
  template <typename WeightOf>
  QK_INLINE LaneParameters parameters(const float *x, int64_t stride,
                                      int64_t count, WeightOf weightOf) const {
    Lanes lo = splat(0.0f), hi = splat(0.0f);
    for (int64_t i = 0; i < count; ++i) {
      Lanes value = loadLanes(x + i * stride);
      lo = min(lo, value);
      hi = max(hi, value);
    }
    if (symmetric) {
      hi = max(-lo, hi);
      lo = -hi;
    }
    LaneParameters best = fromRange(lo, hi);
    if (search == ScaleSearch::None)
      return best;
    Lanes bestError = splat(std::numeric_limits<float>::infinity());
    for (int step = 0; step < 80; ++step) {
      float shrink = 1.0f - static_cast<float>(step) / 100.0f;
      LaneParameters candidate = fromRange(lo * shrink, hi * shrink);
      Lanes error = searchError(x, stride, count, candidate, weightOf);
      LaneMask better = error < bestError;
      bestError = better ? error : bestError;
      best.scale = better ? candidate.scale : best.scale;
      best.zero = better ? candidate.zero : best.zero;
    }
    return best;
  }

private:
  /// The nearest value of e4m3, ties to even, of |x| ≤ 448: added to a number
  /// whose last place is worth a step there, x loses what is finer.
  QK_INLINE static Lanes roundToE4M3(Lanes x) {
    LaneMask exponent = __builtin_bit_cast(LaneMask, x) & 0x7f800000;
    constexpr int32_t smallest = (127 - 6) << 23;
    exponent = exponent > smallest ? exponent : LaneMask(smallest);
    // 1.5 · 2^(e + 20): three places of a mantissa stay.
    Lanes large =
        __builtin_bit_cast(Lanes, (exponent + (20 << 23)) | (1 << 22));
    return (x + large) - large;
  }

  /// Of such values, their bytes (Float8.h).
  QK_INLINE static LaneBytes encodeE4M3(Lanes value) {
    LaneMask bits = __builtin_bit_cast(LaneMask, value);
    LaneMask magnitude = bits & 0x7fffffff;
    LaneMask normal = (magnitude >> 20) - (120 << 3);
    LaneMask steps = __builtin_convertvector(
        __builtin_bit_cast(Lanes, magnitude) * 0x1p9f, LaneMask);
    LaneMask code = magnitude < ((127 - 6) << 23) ? steps : normal;
    code |= (bits >> 24) & 0x80;
    return __builtin_convertvector(code, LaneBytes);
  }

  QK_INLINE static Lanes decodeE4M3(LaneBytes bytes) {
    LaneMask code = __builtin_convertvector(bytes, LaneMask);
    LaneMask magnitude = code & 0x7f;
    Lanes normal = __builtin_bit_cast(Lanes, (magnitude << 20) + (120 << 23));
    Lanes steps = __builtin_convertvector(magnitude, Lanes) * 0x1p-9f;
    Lanes value = magnitude < 8 ? steps : normal;
    LaneMask sign = (code & 0x80) << 24;
    return __builtin_bit_cast(Lanes,
                              __builtin_bit_cast(LaneMask, value) | sign);
  }

  template <typename WeightOf>
  QK_INLINE Lanes searchError(const float *x, int64_t stride, int64_t count,
                              const LaneParameters &group,
                              WeightOf weightOf) const {
    Lanes sum = splat(0.0f);
    for (int64_t i = 0; i < count; ++i) {
      Lanes value = loadLanes(x + i * stride);
      Lanes error = group.scale * centredCode(value, group) - value;
      if (search == ScaleSearch::Weighted)
        sum += splat(weightOf(i)) * (error * error);
      else
        sum += powerOf2Point4(error);
    }
    return sum;
  }

  /// |x|^2.4 to 1e-5, enough to compare candidates: x²·2^(log2(x²)·0.2), with
  /// the exponent's bits and Chebyshev fits of log2 on [1, 2) and of 2^t on
  /// [-0.5, 0.5].
  QK_INLINE static Lanes powerOf2Point4(Lanes x) {
    Lanes square = max(x * x, splat(1e-37f));
    LaneMask bits = __builtin_bit_cast(LaneMask, square);
    Lanes exponent = __builtin_convertvector((bits >> 23) - 127, Lanes);
    Lanes m = __builtin_bit_cast(Lanes, (bits & 0x7fffff) | 0x3f800000);
    Lanes log2 = polynomial(m, {-2.79415368f, 5.06975632f, -3.52021884f,
                                1.61017755f, -0.40947559f, 0.04392863f});
    Lanes power = (exponent + log2) * 0.2f;
    Lanes whole = __builtin_elementwise_roundeven(power);
    Lanes fraction =
        polynomial(power - whole, {1.00000008f, 0.69312103f, 0.24022107f,
                                   0.05592204f, 0.00967604f});
    LaneMask scale = (__builtin_convertvector(whole, LaneMask) + 127) << 23;
    return square * fraction * __builtin_bit_cast(Lanes, scale);
  }

  /// Σ coefficients[i]·x^i.
  template <int N>
  QK_INLINE static Lanes polynomial(Lanes x, const float (&coefficients)[N]) {
    Lanes sum = splat(coefficients[N - 1]);
    for (int i = N - 2; i >= 0; --i)
      sum = multiplyAdd(sum, x, splat(coefficients[i]));
    return sum;
  }
};

} // namespace qk::numerics

#endif // QK_LIB_NUMERICS_LANEQUANTIZER_H
