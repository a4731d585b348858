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

#include <cstdint>
#include <vector>

namespace qk::numerics {

/// The type of one code. uN: 0 … 2^N-1; s8: -128 … 127.
enum class CodeType : uint8_t { U2, U3, U4, U8, S8 };

/// The type that scales are stored in. Scales are rounded to it before codes
/// are computed, so that what is stored is what the codes were made for.
enum class ScaleType : uint8_t { F16, BF16, F32 };

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
  constexpr bool isSigned() const { return codeType == CodeType::S8; }
  /// Smallest and largest code.
  constexpr int codeMin() const { return isSigned() ? -128 : 0; }
  constexpr int codeMax() const { return isSigned() ? 127 : (1 << bits()) - 1; }
  /// The zero point that an absent zero-point operand means.
  constexpr int defaultZeroPoint() const {
    return isSigned() ? 0 : 1 << (bits() - 1);
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
  /// [N,K], one byte a code; s8 as two's complement.
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
