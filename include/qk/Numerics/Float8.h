//===- Float8.h - Floats of one byte ----------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// E4M3 as GPUs and checkpoints have it (float8_e4m3fn; arXiv 2209.05433): a
/// sign, four bits of exponent (bias 7), three of mantissa, subnormals down to
/// 2^-9, no infinity. The largest value is 448; 0x7f and 0xff are NaN.
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_FLOAT8_H
#define QK_NUMERICS_FLOAT8_H

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace qk::numerics {

/// The largest finite value.
inline constexpr int kLargestE4M3 = 448;
/// The smallest normal value.
inline constexpr float kSmallestNormalE4M3 = 0x1p-6f;
/// NaN, either sign.
inline constexpr uint8_t kNaNE4M3 = 0x7f;

/// The value of a byte.
constexpr float decodeE4M3(uint8_t byte) {
  uint32_t magnitude = byte & 0x7f;
  if (magnitude == kNaNE4M3)
    return std::numeric_limits<float>::quiet_NaN();
  // Below the smallest normal value the mantissa counts steps of 2^-9.
  float value = magnitude < 8
                    ? static_cast<float>(magnitude) * 0x1p-9f
                    : std::bit_cast<float>((magnitude << 20) + (120u << 23));
  return byte & 0x80 ? -value : value;
}

/// The nearest value's byte, ties to even; beyond the largest the largest (as
/// cvt.rn.satfinite has it), NaN for NaN.
inline uint8_t encodeE4M3(float value) {
  uint8_t sign = std::signbit(value) ? 0x80 : 0;
  if (std::isnan(value))
    return sign | kNaNE4M3;
  float magnitude = std::fabs(value);
  if (magnitude >= kLargestE4M3)
    return sign | 0x7e;
  if (magnitude < kSmallestNormalE4M3)
    // A carry makes the smallest normal value of it, as it should.
    return sign | static_cast<uint8_t>(std::nearbyint(magnitude * 0x1p9f));
  uint32_t bits = std::bit_cast<uint32_t>(magnitude);
  bits += (1u << 19) - 1 + ((bits >> 20) & 1);
  return sign | static_cast<uint8_t>((bits >> 20) - (120u << 3));
}

} // namespace qk::numerics

#endif // QK_NUMERICS_FLOAT8_H
