//===- Layout.cpp - Packed weights of the CPU kernels -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/CPU/Layout.h"

#include <algorithm>
#include <cstring>

using namespace qk::numerics;

namespace qk::cpu {

int64_t Layout::unitK() const {
  switch (scheme.bits()) {
  case 2:
    return 16;
  case 3:
    return 32;
  case 4:
    return 8;
  default:
    return 4;
  }
}

int64_t Layout::planes() const { return scheme.bits() == 3 ? 3 : 1; }

int64_t Layout::groupLength(int64_t group) const {
  int64_t length = scheme.groupLength(k);
  return std::min(length, k - group * length);
}

int64_t Layout::groupUnits(int64_t group) const {
  return (groupLength(group) + unitK() - 1) / unitK();
}

int64_t Layout::paddedGroupLength() const { return groupUnits(0) * unitK(); }

int64_t Layout::paddedK() const {
  int64_t last = groups() - 1;
  return last * paddedGroupLength() + groupUnits(last) * unitK();
}

int64_t Layout::scaleBytes() const {
  return kTileChannels * (scheme.scaleType == ScaleType::F32 ? 4 : 2);
}

int64_t Layout::zeroPointBytes() const {
  if (!zeroPoints)
    return 0;
  return kTileChannels * (scheme.bits() == 8 ? 2 : 1);
}

int64_t Layout::groupBytes(int64_t group) const {
  return groupUnits(group) * unitBytes() + scaleBytes() + zeroPointBytes();
}

int64_t Layout::groupOffset(int64_t group) const {
  return group * groupBytes(0);
}

int64_t Layout::tileBytes() const {
  int64_t last = groups() - 1;
  return groupOffset(last) + groupBytes(last);
}

int64_t Layout::packedBytes(int64_t n) const {
  return (n + kTileChannels - 1) / kTileChannels * tileBytes();
}

uint16_t toHalf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return sign | 0x7e00;
  if (magnitude >= 0x477ff000) // 65520 and above round to infinity.
    return sign | 0x7c00;
  if (magnitude < 0x38800000) { // Below 2^-14: a multiple of 2^-24.
    float scaled;
    std::memcpy(&scaled, &magnitude, 4);
    // Adding 1/2 leaves 24 - 1 bits below it, whose last is 2^-24.
    float shifted = scaled + 0.5f;
    std::memcpy(&bits, &shifted, 4);
    return sign | static_cast<uint16_t>(bits - 0x3f000000);
  }
  uint32_t odd = (magnitude >> 13) & 1;
  return sign |
         static_cast<uint16_t>((magnitude - 0x38000000 + 0xfff + odd) >> 13);
}

uint16_t toBFloat(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return static_cast<uint16_t>(bits >> 16) | 0x40;
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

namespace {

/// Sets the bits of code `local` (counted from its unit's first) of tile
/// channel `channel`; the unit's bytes are zero before.
void putCode(uint8_t *unit, int bits, int64_t channel, int64_t local,
             uint8_t code) {
  int64_t byte = 4 * channel + local % 4;
  int64_t field = local / 4;
  switch (bits) {
  case 2:
    unit[byte] |= code << (2 * field);
    return;
  case 3:
    unit[(field / 4) * kPlaneBytes + byte] |= (code & 3) << (2 * (field % 4));
    unit[2 * kPlaneBytes + byte] |= (code >> 2) << field;
    return;
  case 4:
    unit[byte] |= code << (4 * field);
    return;
  default:
    unit[byte] = code;
  }
}

void packTile(const Layout &layout, const WeightView &weight, int64_t tile,
              uint8_t *bytes) {
  const int bits = layout.scheme.bits();
  const int64_t unitK = layout.unitK(), groups = layout.groups();
  const int64_t scaleSize = layout.scaleBytes() / kTileChannels;
  const auto *scales = static_cast<const uint8_t *>(weight.scales);
  std::memset(bytes, 0, layout.tileBytes());
  const int64_t first = tile * kTileChannels;
  const int64_t channels = std::min(kTileChannels, weight.n - first);
  for (int64_t group = 0; group < groups; ++group) {
    uint8_t *base = bytes + layout.groupOffset(group);
    uint8_t *tail = base + layout.groupUnits(group) * layout.unitBytes();
    const int64_t length = layout.groupLength(group);
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t row = first + c;
      const uint8_t *codes =
          weight.codes + row * weight.k + group * layout.groupLength(0);
      for (int64_t i = 0; i < length; ++i)
        putCode(base + i / unitK * layout.unitBytes(), bits, c, i % unitK,
                static_cast<uint8_t>(codes[i] + layout.bias()));
      const int64_t at = row * groups + group;
      std::memcpy(tail + c * scaleSize, scales + at * scaleSize, scaleSize);
      if (!layout.zeroPoints)
        continue;
      uint8_t *zeros = tail + layout.scaleBytes();
      auto zero = static_cast<int16_t>(weight.zeroPoints[at] + layout.bias());
      if (bits == 8)
        std::memcpy(zeros + 2 * c, &zero, 2);
      else
        zeros[c] = static_cast<uint8_t>(zero);
    }
  }
}

} // namespace

void pack(const WeightView &weight, uint8_t *bytes) {
  Layout layout{weight.scheme, weight.k, weight.zeroPoints != nullptr};
  const int64_t tiles = (weight.n + kTileChannels - 1) / kTileChannels;
#pragma omp parallel for schedule(static)
  for (int64_t tile = 0; tile < tiles; ++tile)
    packTile(layout, weight, tile, bytes + tile * layout.tileBytes());
}

int64_t packedBytes(const QuantizedWeight &weight) {
  return Layout{weight.scheme, weight.k, !weight.zeroPoints.empty()}
      .packedBytes(weight.n);
}

void pack(const QuantizedWeight &weight, uint8_t *bytes) {
  const size_t count = weight.scales.size();
  std::vector<uint16_t> narrow;
  const void *scales = weight.scales.data();
  if (weight.scheme.scaleType != ScaleType::F32) {
    narrow.resize(count);
    auto convert =
        weight.scheme.scaleType == ScaleType::F16 ? toHalf : toBFloat;
    std::transform(weight.scales.begin(), weight.scales.end(), narrow.begin(),
                   convert);
    scales = narrow.data();
  }
  pack(WeightView{weight.scheme, weight.n, weight.k, weight.codes.data(),
                  scales,
                  weight.zeroPoints.empty() ? nullptr
                                            : weight.zeroPoints.data()},
       bytes);
}

} // namespace qk::cpu
