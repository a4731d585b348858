//===- BitPackingTest.cpp - Codes as dense bits ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/BitPacking.h"

#include "gtest/gtest.h"

using namespace qk::numerics;

/// Bit `i` of a little-endian bit stream.
static int bitOf(const uint8_t *bytes, int64_t i) {
  return bytes[i / 8] >> (i % 8) & 1;
}

// Code i of a row is in bits [b*i, b*i+b) of the row, whatever b and K.
TEST(BitPacking, CodesAreWhereTheFormatSays) {
  for (int bits : {2, 3, 4, 8})
    for (int64_t k : {1, 2, 3, 7, 8, 31, 172}) {
      const int64_t n = 3;
      std::vector<uint8_t> codes(n * k);
      for (size_t i = 0; i < codes.size(); ++i)
        codes[i] = (i * 37 + 11) % (1 << bits);
      std::vector<uint8_t> packed = packRows(codes.data(), n, k, bits);
      const int64_t rowBytes = (k * bits + 7) / 8;
      ASSERT_EQ(packed.size(), static_cast<size_t>(n * rowBytes));
      for (int64_t row = 0; row < n; ++row) {
        for (int64_t i = 0; i < k; ++i) {
          int code = 0;
          for (int bit = 0; bit < bits; ++bit)
            code |= bitOf(&packed[row * rowBytes], bits * i + bit) << bit;
          ASSERT_EQ(code, codes[row * k + i]) << bits << " bits, code " << i;
        }
        for (int64_t pad = bits * k; pad < 8 * rowBytes; ++pad)
          ASSERT_EQ(bitOf(&packed[row * rowBytes], pad), 0);
      }
      EXPECT_EQ(unpackRows(packed.data(), n, k, bits), codes);
    }
}
