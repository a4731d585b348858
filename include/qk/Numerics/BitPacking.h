//===- BitPacking.h - Codes as dense bits -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// How quantised weights are stored in files and inline: code i of a row in
/// bits [b*i, b*i+b) of the row, least significant bit first, rows padded with
/// zero bits to whole bytes.
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_BITPACKING_H
#define QK_NUMERICS_BITPACKING_H

#include <cstdint>
#include <vector>

namespace qk::numerics {

/// Bytes of a row of `k` codes of `bits` bits.
constexpr int64_t packedRowBytes(int64_t k, int bits) {
  return (k * bits + 7) / 8;
}

/// Packs `codes`, row-major [n,k], one byte a code of which the low `bits`
/// count (1 to 8). Result: [n, packedRowBytes(k, bits)].
std::vector<uint8_t> packRows(const uint8_t *codes, int64_t n, int64_t k,
                              int bits);

/// The inverse: one byte a code, upper bits zero.
std::vector<uint8_t> unpackRows(const uint8_t *packed, int64_t n, int64_t k,
                                int bits);

} // namespace qk::numerics

#endif // QK_NUMERICS_BITPACKING_H
