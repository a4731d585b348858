//===- NVVMLayoutTest.cpp - Packed bytes against an own unpacking ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RandomWeight.h"
#include "qk/Target/NVVM/Layout.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace qk;
using namespace qk::numerics;
using namespace qk::test;

namespace {

/// Reads packed bytes by the text of Layout.h, sharing nothing with the packer.
struct Unpacker {
  const std::vector<uint8_t> &bytes;
  Scheme scheme;
  int64_t k;
  bool zeroPoints;

  static int64_t up(int64_t a, int64_t b) { return (a + b - 1) / b * b; }
  int64_t groupLength() const { return scheme.groupLength(k); }
  int64_t groups() const { return (k + groupLength() - 1) / groupLength(); }
  int64_t atomOf(int64_t column) const {
    int64_t perGroup = up(groupLength(), 32) / 32;
    return column / groupLength() * perGroup + column % groupLength() / 32;
  }
  /// Atoms and 16-byte vectors of a unit.
  std::pair<int64_t, int64_t> unit() const {
    switch (scheme.bits()) {
    case 2:
      return {2, 1};
    case 3:
      return {4, 3};
    case 4:
      return {1, 1};
    default:
      return {1, 2};
    }
  }
  int64_t codesBytes() const {
    auto [atoms, vectors] = unit();
    int64_t units = up(atomOf(k - 1) + 1, atoms) / atoms;
    return units * vectors * 32 * 16;
  }
  int64_t scaleBytes() const {
    return scheme.scaleType == ScaleType::F32 ? 4 : 2;
  }
  int64_t zeroBytes() const { return scheme.bits() == 8 ? 2 : 1; }
  int64_t scalesPart() const { return up(groups() * 32 * scaleBytes(), 128); }
  int64_t blockBytes() const {
    return codesBytes() + scalesPart() +
           (zeroPoints ? up(groups() * 32 * zeroBytes(), 128) : 0);
  }
  const uint8_t *block(int64_t n) const {
    return bytes.data() + n / 32 * blockBytes();
  }

  int code(int64_t n, int64_t column) const {
    auto [atoms, vectors] = unit();
    int64_t atom = atomOf(column), index = column % groupLength() % 32;
    // All words of the unit, for this lane.
    std::vector<uint32_t> words(vectors * 4);
    for (int64_t v = 0; v < vectors; ++v)
      std::memcpy(&words[v * 4],
                  block(n) + ((atom / atoms * vectors + v) * 32 + n % 32) * 16,
                  16);
    const uint32_t *w = words.data() + atom % atoms * scheme.bits();
    switch (scheme.bits()) {
    case 2:
      return w[index / 16] >> 2 * (index % 16) & 3;
    case 3:
      if (index == 30)
        return int(w[0] >> 30) | int(w[2] >> 30 & 1) << 2;
      if (index == 31)
        return int(w[1] >> 30) | int(w[2] >> 31) << 2;
      return w[index / 10] >> 3 * (index % 10) & 7;
    case 4:
      return w[index / 8] >> 4 * (index % 8) & 15;
    default: {
      int stored = w[index / 4] >> 8 * (index % 4) & 255;
      return scheme.isSigned() ? stored - 128 : stored;
    }
    }
  }
  float scale(int64_t n, int64_t group) const {
    const uint8_t *at =
        block(n) + codesBytes() + (group * 32 + n % 32) * scaleBytes();
    uint32_t bits = 0;
    std::memcpy(&bits, at, scaleBytes());
    switch (scheme.scaleType) {
    case ScaleType::F16:
      return fromHalf(uint16_t(bits));
    case ScaleType::BF16:
      return fromBFloat(uint16_t(bits));
    case ScaleType::F32:
      return std::bit_cast<float>(bits);
    }
    return 0;
  }
  int zero(int64_t n, int64_t group) const {
    const uint8_t *at = block(n) + codesBytes() + scalesPart() +
                        (group * 32 + n % 32) * zeroBytes();
    if (zeroBytes() == 1)
      return int8_t(*at);
    int16_t value;
    std::memcpy(&value, at, 2);
    return value;
  }
};

class NVVMLayout : public testing::TestWithParam<CodeType> {};

TEST_P(NVVMLayout, UnpacksToWhatWasPacked) {
  std::mt19937 random(int(GetParam()) + 1);
  for (auto [n, k, group] :
       std::vector<std::array<int64_t, 3>>{{1, 1, -1},
                                           {33, 172, 32},
                                           {64, 256, 128},
                                           {5, 77, 7},
                                           {32, 200, -1},
                                           {40, 130, 64},
                                           {3, 96, 1000}}) {
    for (ScaleType scaleType :
         {ScaleType::F16, ScaleType::BF16, ScaleType::F32})
      for (bool zeroPoints : {false, true}) {
        Scheme scheme{GetParam(), group, scaleType};
        QuantizedWeight w = randomWeight(scheme, n, k, zeroPoints, random);
        int64_t size = nvvm::packedBytes(w, nvvm::Layout::Simt);
        // A guard behind: the packer must not write past its bytes.
        std::vector<uint8_t> bytes(size + 64, 0xa5);
        ASSERT_EQ(nvvm::pack(w, nvvm::Layout::Simt, bytes.data()), "");
        for (int64_t i = 0; i < 64; ++i)
          ASSERT_EQ(bytes[size + i], 0xa5);
        Unpacker unpack{bytes, scheme, k, zeroPoints};
        ASSERT_EQ(size, (n + 31) / 32 * unpack.blockBytes());
        for (int64_t row = 0; row < n; ++row)
          for (int64_t column = 0; column < k; ++column) {
            ASSERT_EQ(unpack.code(row, column), codeAt(w, row, column))
                << n << "x" << k << " group " << group << " at " << row << ", "
                << column;
            int64_t g = column / scheme.groupLength(k);
            ASSERT_EQ(unpack.scale(row, g), scaleAt(w, row, column));
            if (zeroPoints) {
              ASSERT_EQ(unpack.zero(row, g),
                        w.zeroPoints[row * unpack.groups() + g]);
            }
          }
      }
  }
}

TEST_P(NVVMLayout, RowsPastTheEndHaveScaleZero) {
  std::mt19937 random(7);
  Scheme scheme{GetParam(), 16, ScaleType::F16};
  QuantizedWeight w = randomWeight(scheme, 5, 40, true, random);
  std::vector<uint8_t> bytes(nvvm::packedBytes(w, nvvm::Layout::Simt), 0xff);
  ASSERT_EQ(nvvm::pack(w, nvvm::Layout::Simt, bytes.data()), "");
  Unpacker unpack{bytes, scheme, 40, true};
  for (int64_t n = 5; n < 32; ++n)
    for (int64_t g = 0; g < 3; ++g)
      EXPECT_EQ(unpack.scale(n, g), 0.0f);
}

INSTANTIATE_TEST_SUITE_P(Codes, NVVMLayout,
                         testing::Values(CodeType::U2, CodeType::U3,
                                         CodeType::U4, CodeType::U8,
                                         CodeType::S8));

TEST(NVVMLayoutErrors, NameWhatIsWrong) {
  std::mt19937 random(1);
  uint8_t bytes[4096];
  auto message = [&](QuantizedWeight &w) {
    return nvvm::pack(w, nvvm::Layout::Simt, bytes);
  };
  QuantizedWeight good =
      randomWeight({CodeType::U4, 4, ScaleType::F16}, 2, 10, true, random);
  QuantizedWeight w = good;
  w.codes.pop_back();
  EXPECT_EQ(message(w), "expected 20 codes, got 19");
  w = good;
  w.scales.push_back(1);
  EXPECT_EQ(message(w), "expected 6 scales, got 7");
  w = good;
  w.zeroPoints.pop_back();
  EXPECT_EQ(message(w), "expected 6 zero points, got 5");
  w = good;
  w.zeroPoints[1] = 200;
  EXPECT_EQ(message(w), "expected zero points in -128…127, got 200");
  w = good;
  w.k = 0;
  EXPECT_EQ(message(w),
            "expected a weight with at least one row and column, got 2x0");
}

TEST(NVVMLayoutNames, RoundTrip) {
  EXPECT_EQ(nvvm::layoutByName("nvvm-simt"), nvvm::Layout::Simt);
  EXPECT_EQ(nvvm::layoutName(nvvm::Layout::Simt), "nvvm-simt");
  EXPECT_EQ(nvvm::layoutByName("cpu"), std::nullopt);
}

} // namespace
