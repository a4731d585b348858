//===- BitPacking.cpp - Codes as dense bits -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/BitPacking.h"

#include <cstring>

namespace qk::numerics {

std::vector<uint8_t> packRows(const uint8_t *codes, int64_t n, int64_t k,
                              int bits) {
  int64_t rowBytes = packedRowBytes(k, bits);
  std::vector<uint8_t> packed(n * rowBytes, 0);
  if (bits == 8) {
    std::memcpy(packed.data(), codes, packed.size());
    return packed;
  }
  unsigned mask = (1u << bits) - 1;
  for (int64_t row = 0; row < n; ++row) {
    uint8_t *out = &packed[row * rowBytes];
    unsigned buffer = 0;
    int filled = 0;
    for (int64_t i = 0; i < k; ++i) {
      buffer |= (codes[row * k + i] & mask) << filled;
      filled += bits;
      if (filled >= 8) {
        *out++ = static_cast<uint8_t>(buffer);
        buffer >>= 8;
        filled -= 8;
      }
    }
    if (filled > 0)
      *out = static_cast<uint8_t>(buffer);
  }
  return packed;
}

std::vector<uint8_t> unpackRows(const uint8_t *packed, int64_t n, int64_t k,
                                int bits) {
  std::vector<uint8_t> codes(n * k);
  if (bits == 8) {
    std::memcpy(codes.data(), packed, codes.size());
    return codes;
  }
  int64_t rowBytes = packedRowBytes(k, bits);
  unsigned mask = (1u << bits) - 1;
  for (int64_t row = 0; row < n; ++row) {
    const uint8_t *in = packed + row * rowBytes;
    unsigned buffer = 0;
    int filled = 0;
    for (int64_t i = 0; i < k; ++i) {
      if (filled < bits) {
        buffer |= static_cast<unsigned>(*in++) << filled;
        filled += 8;
      }
      codes[row * k + i] = buffer & mask;
      buffer >>= bits;
      filled -= bits;
    }
  }
  return codes;
}

} // namespace qk::numerics
