//===- RandomWeight.h - Weights for kernel tests ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Quantised weights with every code, and what they mean in f64.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TEST_UNIT_TARGET_RANDOMWEIGHT_H
#define QK_TEST_UNIT_TARGET_RANDOMWEIGHT_H

#include "qk/Target/CPU/Layout.h"

#include <bit>
#include <random>

namespace qk::test {

using namespace qk::numerics;

inline float fromHalf(uint16_t bits) {
  return static_cast<float>(std::bit_cast<_Float16>(bits));
}
inline float fromBFloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

/// `value` as the scale type can hold it.
inline float rounded(float value, ScaleType type) {
  switch (type) {
  case ScaleType::F16:
    return static_cast<float>(static_cast<_Float16>(value));
  case ScaleType::BF16:
    return fromBFloat(cpu::toBFloat(value));
  case ScaleType::F32:
    return value;
  }
  return value;
}

/// Any byte of e4m3 that is a number.
inline uint8_t randomE4M3(std::mt19937 &random) {
  return static_cast<uint8_t>((random() & 1) << 7 | random() % 0x7f);
}

inline QuantizedWeight randomWeight(Scheme scheme, int64_t n, int64_t k,
                                    bool zeroPoints, std::mt19937 &random) {
  QuantizedWeight w;
  w.scheme = scheme;
  w.n = n;
  w.k = k;
  std::uniform_int_distribution<int> code(scheme.codeMin(), scheme.codeMax());
  for (int64_t i = 0; i < n * k; ++i)
    w.codes.push_back(scheme.isFloat() ? randomE4M3(random)
                                       : static_cast<uint8_t>(code(random)));
  std::uniform_real_distribution<float> scale(0.001f, 0.1f);
  for (int64_t i = 0; i < n * scheme.groups(k); ++i) {
    // Some groups are all zero: their scale is.
    float s = random() % 16 == 0 ? 0.0f : scale(random);
    w.scales.push_back(rounded(s, scheme.scaleType));
    if (zeroPoints)
      w.zeroPoints.push_back(static_cast<int16_t>(code(random)));
  }
  return w;
}

inline int codeAt(const QuantizedWeight &w, int64_t n, int64_t k) {
  uint8_t code = w.codes[n * w.k + k];
  return w.scheme.isSigned() ? static_cast<int8_t>(code) : code;
}

/// code - zero point, or the float that the code is.
inline float levelAt(const QuantizedWeight &w, int64_t n, int64_t k) {
  int64_t groups = w.scheme.groups(w.k);
  int64_t group = k / w.scheme.groupLength(w.k);
  int zero = w.zeroPoints.empty() ? w.scheme.defaultZeroPoint()
                                  : w.zeroPoints[n * groups + group];
  return w.scheme.codeValue(w.codes[n * w.k + k]) - static_cast<float>(zero);
}

inline float scaleAt(const QuantizedWeight &w, int64_t n, int64_t k) {
  return w.scales[n * w.scheme.groups(w.k) + k / w.scheme.groupLength(w.k)];
}

} // namespace qk::test

#endif // QK_TEST_UNIT_TARGET_RANDOMWEIGHT_H
