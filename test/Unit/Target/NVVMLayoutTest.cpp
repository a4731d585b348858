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

/// A code of layout nvvm-mma-s8 with fewer bits than 8, by the text of
/// MmaLayout.h, as it is at the top of a byte.
int codeForBytes(const uint8_t *tile, int bits, int64_t channel, int64_t atom,
                 int64_t index) {
  // Byte `index` % 4 of register 4 · step + 2 · (high half) + (channel's half)
  // of lane 4g + t.
  int64_t step = index / 32, high = index % 32 / 16, t = index % 16 / 4;
  int64_t lane = 4 * (channel % 8) + t;
  int64_t reg = 4 * step + 2 * high + channel / 8;
  int64_t unitAtoms = bits == 2 ? 2 : bits == 3 ? 4 : 1;
  int64_t vectors = bits == 3 ? 3 : 1;
  reg += atom % unitAtoms * 8;
  auto byte = [&](int64_t word) {
    int64_t vector = atom / unitAtoms * vectors + word / 4;
    return tile[(vector * 32 + lane) * 16 + word % 4 * 4 + index % 4];
  };
  if (bits != 3)
    return uint8_t(byte(reg * bits / 8) << bits * (reg % (8 / bits))) >>
           (8 - bits) << (8 - bits);
  int64_t first = reg / 8 * 3, part = reg % 8;
  if (part < 6)
    return uint8_t(byte(first + part / 2) << 3 * (part % 2)) & 0xe0;
  int low = byte(first + 1) >> (part == 6 ? 1 : 0) & 1;
  return (byte(first + (part == 6 ? 0 : 2)) & 3) << 6 | low << 5;
}

TEST(NVVMLayoutForBytes, HasCodesAtTheTop) {
  std::mt19937 random(3);
  for (CodeType code : {CodeType::U2, CodeType::U3, CodeType::U4})
    for (auto [n, k, group] : std::vector<std::array<int64_t, 3>>{
             {1, 1, -1}, {33, 300, 64}, {17, 777, -1}, {5, 200, 100}}) {
      Scheme scheme{code, group, ScaleType::F16};
      QuantizedWeight w = randomWeight(scheme, n, k, true, random);
      std::vector<uint8_t> bytes(nvvm::packedBytes(w, nvvm::Layout::MmaS8));
      ASSERT_EQ(nvvm::pack(w, nvvm::Layout::MmaS8, bytes.data()), "");
      int64_t tileBytes = int64_t(bytes.size()) / ((n + 15) / 16);
      int64_t length = scheme.groupLength(k), perGroup = (length + 63) / 64;
      int64_t unit = code == CodeType::U2 ? 2 : code == CodeType::U3 ? 4 : 1;
      while (perGroup % unit && (perGroup > unit || unit % perGroup))
        ++perGroup;
      if (scheme.groups(k) == 1)
        perGroup = (perGroup + unit - 1) / unit * unit;
      for (int64_t row = 0; row < n; ++row)
        for (int64_t column = 0; column < k; ++column) {
          int64_t atom = column / length * perGroup + column % length / 64;
          int stored =
              codeForBytes(bytes.data() + row / 16 * tileBytes, scheme.bits(),
                           row % 16, atom, column % length % 64);
          // Two's complement, so many times the code less half its range.
          int expected = (codeAt(w, row, column) - (1 << (scheme.bits() - 1)))
                         << (8 - scheme.bits());
          ASSERT_EQ(int8_t(stored), expected)
              << scheme.bits() << " bits at " << row << ", " << column;
        }
    }
}

// Zero points that codes can't be less as bytes, or that sums can't hold.
TEST(NVVMLayoutForBytes, BoundsZeroPoints) {
  std::mt19937 random(1);
  auto message = [&](CodeType code, int64_t k, int zero) {
    QuantizedWeight w =
        randomWeight({code, -1, ScaleType::F16}, 1, k, true, random);
    w.zeroPoints[0] = int16_t(zero);
    std::vector<uint8_t> bytes(nvvm::packedBytes(w, nvvm::Layout::MmaS8));
    return nvvm::pack(w, nvvm::Layout::MmaS8, bytes.data());
  };
  EXPECT_EQ(message(CodeType::U4, 64, -112), "");
  EXPECT_EQ(message(CodeType::U4, 64, -113),
            "expected zero points in -112…127, got -113");
  EXPECT_EQ(message(CodeType::U2, 64, -125),
            "expected zero points in -124…127, got -125");
  EXPECT_EQ(message(CodeType::S8, 1000, -16000), "");
  EXPECT_EQ(message(CodeType::S8, 1000, -17000),
            "expected zero points in -16650…16649, got -17000");
  // 15 times 16 in a byte's place.
  EXPECT_EQ(message(CodeType::U4, 65536, 15), "");
  EXPECT_EQ(message(CodeType::U4, 65536, 16),
            "expected zero points in 0…15, got 16");
}

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
