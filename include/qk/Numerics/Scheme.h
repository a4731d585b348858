//===- Scheme.h - How a weight is quantised ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The plain description of a quantisation scheme and of a quantised weight,
/// shared by the numerical core, the packers and the kernel builders. No LLVM
/// header: the dialect's `#quant_llm.scheme` converts to it.
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_SCHEME_H
#define QK_NUMERICS_SCHEME_H

#include "qk/Numerics/Float8.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace qk::numerics {

/// The type of one code. uN: 0 … 2^N-1; s8: -128 … 127; e4m3: the bits of a
/// float of one byte (Float8.h), whose value stands where others have an
/// integer.
enum class CodeType : uint8_t { U2, U3, U4, U8, S8, E4M3 };

/// The type that scales are stored in. Scales are rounded to it before codes
/// are computed, so that what is stored is what the codes were made for.
enum class ScaleType : uint8_t { F16, BF16, F32 };

inline constexpr CodeType kCodeTypes[] = {CodeType::U2, CodeType::U3,
                                          CodeType::U4, CodeType::U8,
                                          CodeType::S8, CodeType::E4M3};

/// As the dialect spells it: u2, u3, u4, u8, s8, e4m3.
constexpr std::string_view codeTypeName(CodeType type) {
  constexpr std::string_view names[] = {"u2", "u3", "u4", "u8", "s8", "e4m3"};
  return names[static_cast<int>(type)];
}

/// Bits of one code.
constexpr int codeBits(CodeType type) {
  switch (type) {
  case CodeType::U2:
    return 2;
  case CodeType::U3:
    return 3;
  case CodeType::U4:
    return 4;
  case CodeType::U8:
  case CodeType::S8:
  case CodeType::E4M3:
    return 8;
  }
  return 0;
}

/// Code type, group size and scale type of one weight.
struct Scheme {
  CodeType codeType = CodeType::U4;
  /// Consecutive codes of a row that share a scale; -1: the whole row.
  int64_t groupSize = 128;
  ScaleType scaleType = ScaleType::F16;

  constexpr int bits() const { return codeBits(codeType); }
  /// Whether a code is a byte in two's complement.
  constexpr bool isSigned() const { return codeType == CodeType::S8; }
  /// Whether a code stands for a float. There are no zero points then.
  constexpr bool isFloat() const { return codeType == CodeType::E4M3; }
  /// Smallest and largest value of a code.
  constexpr int codeMin() const {
    return isFloat() ? -kLargestE4M3 : isSigned() ? -128 : 0;
  }
  constexpr int codeMax() const {
    return isFloat() ? kLargestE4M3 : isSigned() ? 127 : (1 << bits()) - 1;
  }
  /// What the stored byte of a code stands for, before the zero point.
  constexpr float codeValue(uint8_t byte) const {
    return isFloat()    ? decodeE4M3(byte)
           : isSigned() ? static_cast<float>(static_cast<int8_t>(byte))
                        : static_cast<float>(byte);
  }
  /// The zero point that an absent zero-point operand means.
  constexpr int defaultZeroPoint() const {
    return isSigned() || isFloat() ? 0 : 1 << (bits() - 1);
  }
  /// Elements of a group for rows of `k` elements.
  constexpr int64_t groupLength(int64_t k) const {
    return groupSize < 0 || groupSize > k ? k : groupSize;
  }
  /// Groups of a row of `k` elements; the last may be shorter.
  constexpr int64_t groups(int64_t k) const {
    int64_t length = groupLength(k);
    return length == 0 ? 0 : (k + length - 1) / length;
  }
  friend bool operator==(const Scheme &, const Scheme &) = default;
};

/// A quantised weight W[N,K] in logical (unpacked) form:
///   W[n,p(k)] = scale[n,k/g] * (code[n,k] - zero[n,k/g])
/// with p the identity when `permutation` is empty.
struct QuantizedWeight {
  Scheme scheme;
  int64_t n = 0;
  int64_t k = 0;
  /// [N,K], one byte a code; s8 as two's complement, e4m3 as its bits.
  std::vector<uint8_t> codes;
  /// [N,G]; every value is exactly representable in scheme.scaleType.
  std::vector<float> scales;
  /// [N,G], integers in the code's domain; empty: scheme.defaultZeroPoint().
  std::vector<int16_t> zeroPoints;
  /// [K] or empty: column p(k) of the original weight is stored at k.
  std::vector<int32_t> permutation;
};

} // namespace qk::numerics

#endif // QK_NUMERICS_SCHEME_H
