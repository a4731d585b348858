//===- CPULayoutTest.cpp - Packed bytes against an own unpacking ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RandomWeight.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <tuple>

using namespace qk;
using namespace qk::numerics;
using namespace qk::test;

namespace {

/// Where Layout.h says that a code is, written from its text and not from the
/// packer: gives the stored (unsigned) code.
struct Unpacker {
  const uint8_t *bytes;
  Scheme scheme;
  int64_t k;
  bool zeroPoints;

  int64_t unitK() const {
    int b = scheme.bits();
    return b == 8 ? 4 : b == 4 ? 8 : b == 2 ? 16 : 32;
  }
  int64_t unitBytes() const { return scheme.bits() == 3 ? 768 : 256; }
  int64_t tailBytes() const {
    int64_t bytes = 64 * (scheme.scaleType == ScaleType::F32 ? 4 : 2);
    if (zeroPoints)
      bytes += scheme.bits() == 8 ? 128 : 64;
    return bytes;
  }
  int64_t lengthOf(int64_t g) const {
    int64_t length = scheme.groupLength(k);
    return g * length + length <= k ? length : k - g * length;
  }
  int64_t unitsOf(int64_t g) const {
    return (lengthOf(g) + unitK() - 1) / unitK();
  }
  const uint8_t *groupBytes(int64_t n, int64_t g) const {
    int64_t groups = scheme.groups(k), tile = 0, before = 0;
    for (int64_t i = 0; i < groups; ++i) {
      int64_t size = unitsOf(i) * unitBytes() + tailBytes();
      if (i < g)
        before += size;
      tile += size;
    }
    return bytes + n / 64 * tile + before;
  }
  int stored(int64_t n, int64_t column) const {
    int64_t g = column / scheme.groupLength(k);
    int64_t i = column % scheme.groupLength(k);
    const uint8_t *unit = groupBytes(n, g) + i / unitK() * unitBytes();
    i %= unitK();
    int64_t at = 4 * (n % 64) + i % 4, field = i / 4;
    switch (scheme.bits()) {
    case 8:
      return unit[at];
    case 4:
      return unit[at] >> (4 * field) & 15;
    case 2:
      return unit[at] >> (2 * field) & 3;
    default:
      return (unit[256 * (field / 4) + at] >> (2 * (field % 4)) & 3) |
             (unit[512 + at] >> field & 1) << 2;
    }
  }
  float scale(int64_t n, int64_t g) const {
    const uint8_t *at = groupBytes(n, g) + unitsOf(g) * unitBytes();
    if (scheme.scaleType == ScaleType::F32) {
      float value;
      std::memcpy(&value, at + n % 64 * 4, 4);
      return value;
    }
    uint16_t value;
    std::memcpy(&value, at + n % 64 * 2, 2);
    return scheme.scaleType == ScaleType::F16 ? fromHalf(value)
                                              : fromBFloat(value);
  }
  int zero(int64_t n, int64_t g) const {
    const uint8_t *at = groupBytes(n, g) + unitsOf(g) * unitBytes() +
                        64 * (scheme.scaleType == ScaleType::F32 ? 4 : 2);
    if (scheme.bits() != 8)
      return static_cast<int8_t>(at[n % 64]);
    int16_t value;
    std::memcpy(&value, at + n % 64 * 2, 2);
    return value;
  }
};

using Shape = std::tuple<int64_t, int64_t, int64_t>;

class CPULayout
    : public testing::TestWithParam<std::tuple<CodeType, ScaleType, bool>> {};

TEST_P(CPULayout, UnpacksToWhatWasPacked) {
  auto [codeType, scaleType, zeroPoints] = GetParam();
  std::mt19937 random(7);
  for (auto [n, k, group] :
       {Shape{1, 1, 1}, Shape{5, 31, 8}, Shape{64, 64, 32}, Shape{65, 172, 32},
        Shape{33, 172, -1}, Shape{130, 64, 64}, Shape{16, 100, 7}}) {
    Scheme scheme{codeType, group, scaleType};
    QuantizedWeight w = randomWeight(scheme, n, k, zeroPoints, random);
    std::vector<uint8_t> bytes(cpu::packedBytes(w), 0xa5);
    cpu::pack(w, bytes.data());
    Unpacker unpacker{bytes.data(), scheme, k, zeroPoints};
    int bias = scheme.isSigned() ? 128 : 0;
    for (int64_t row = 0; row < n; ++row)
      for (int64_t column = 0; column < k; ++column) {
        int64_t g = column / scheme.groupLength(k);
        ASSERT_EQ(unpacker.stored(row, column), codeAt(w, row, column) + bias)
            << "n=" << n << " k=" << k << " at " << row << "," << column;
        ASSERT_EQ(unpacker.scale(row, g), scaleAt(w, row, column));
        if (zeroPoints)
          ASSERT_EQ(unpacker.zero(row, g),
                    w.zeroPoints[row * scheme.groups(k) + g] + bias);
      }
    // Channels beyond N are there and harmless.
    for (int64_t row = n; row % 64 != 0; ++row)
      ASSERT_EQ(unpacker.scale(row, scheme.groups(k) - 1), 0.0f);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, CPULayout,
    testing::Combine(testing::Values(CodeType::U2, CodeType::U3, CodeType::U4,
                                     CodeType::U8, CodeType::S8),
                     testing::Values(ScaleType::F16, ScaleType::BF16,
                                     ScaleType::F32),
                     testing::Bool()));

TEST(CPULayout, SizeIsWhatTheLayoutSays) {
  // 4096 x 4096 at 4 bits, group 128, f16: half a byte a code, 2 bytes a group.
  cpu::Layout layout{{CodeType::U4, 128, ScaleType::F16}, 4096, false};
  EXPECT_EQ(layout.packedBytes(4096), 4096 * 4096 / 2 + 4096 * 32 * 2);
  // A second tile for one more channel.
  EXPECT_EQ(layout.packedBytes(4097),
            layout.packedBytes(4096) + layout.tileBytes());
}

TEST(CPULayout, ConvertsHalfAndBFloatToNearestEven) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    float half = fromHalf(static_cast<uint16_t>(bits));
    if (!std::isnan(half))
      EXPECT_EQ(cpu::toHalf(half), bits);
    float bfloat = fromBFloat(static_cast<uint16_t>(bits));
    if (!std::isnan(bfloat))
      EXPECT_EQ(cpu::toBFloat(bfloat), bits);
  }
  std::mt19937 random(1);
  for (int i = 0; i < 100000; ++i) {
    float value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (std::isnan(value))
      continue;
    EXPECT_EQ(fromHalf(cpu::toHalf(value)),
              static_cast<float>(static_cast<_Float16>(value)))
        << value;
  }
  EXPECT_TRUE(std::isnan(
      fromHalf(cpu::toHalf(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isnan(
      fromBFloat(cpu::toBFloat(std::numeric_limits<float>::quiet_NaN()))));
}

} // namespace
