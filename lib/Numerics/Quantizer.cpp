//===- Quantizer.cpp - Scale, zero point and code of a group ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Quantizer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace qk::numerics {

Status QuantizerOptions::validate() const {
  if (scheme.groupSize == 0 || scheme.groupSize < -1)
    return Error{"group size " + std::to_string(scheme.groupSize) +
                 " is not allowed: expected a positive number, or -1 for one "
                 "group a row"};
  if (perTensor && (scheme.groupSize != -1 || scaleSearch != ScaleSearch::None))
    return Error{"one scale for the whole weight needs group size -1 and no "
                 "scale search, got group size " +
                 std::to_string(scheme.groupSize)};
  if (scheme.isFloat() && !symmetric)
    return Error{"codes of e4m3 have no zero points: expected a symmetric "
                 "range"};
  return {};
}

Result<CodeType> unsignedCodeType(int64_t bits) {
  switch (bits) {
  case 2:
    return CodeType::U2;
  case 3:
    return CodeType::U3;
  case 4:
    return CodeType::U4;
  case 8:
    return CodeType::U8;
  default:
    return Error{"codes of " + std::to_string(bits) +
                 " bits are not supported: expected u2, u3, u4, u8 or s8"};
  }
}

/// Keeps `kept` of the 23 stored bits of the mantissa, half to even. Carries
/// run on into the exponent, as they should.
static float roundMantissa(float value, int kept) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  int dropped = 23 - kept;
  uint32_t half = 1u << (dropped - 1);
  uint32_t odd = (bits >> dropped) & 1;
  bits += half - 1 + odd;
  bits &= ~((1u << dropped) - 1);
  return std::bit_cast<float>(bits);
}

static float roundToF16(float value) {
  float magnitude = std::fabs(value);
  // Below 2^-14 f16 has a fixed step of 2^-24. Adding 2^-1 (whose f32 step is
  // 2^-24) rounds to it.
  if (magnitude < 0x1p-14f)
    return std::copysign((magnitude + 0.5f) - 0.5f, value);
  float rounded = roundMantissa(value, 10);
  if (std::fabs(rounded) > 65504.0f)
    return std::copysign(std::numeric_limits<float>::infinity(), value);
  return rounded;
}

float roundToScaleType(float value, ScaleType type) {
  if (type == ScaleType::F32 || !std::isfinite(value))
    return value;
  return type == ScaleType::F16 ? roundToF16(value) : roundMantissa(value, 7);
}

float storedScale(float value, ScaleType type) {
  if (value == 0.0f)
    return 1.0f;
  // Largest finite values: f16 2^16 - 2^5, bf16 2^128 - 2^120.
  float largest = type == ScaleType::F16    ? 65504.0f
                  : type == ScaleType::BF16 ? 0x1.FEp127f
                                            : std::numeric_limits<float>::max();
  // Subnormal f16 survives every conversion; subnormal f32 is flushed by many
  // kernels, and dividing by it overflows.
  float smallest = type == ScaleType::F16 ? 0x1p-24f : 0x1p-126f;
  return std::clamp(roundToScaleType(value, type), smallest, largest);
}

} // namespace qk::numerics
