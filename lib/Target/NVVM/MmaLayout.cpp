//===- MmaLayout.cpp - Weights as fragments of mma.sync ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/NVVM/MmaLayout.h"

#include "ScaleBits.h"

#include <cstring>

namespace qk::nvvm {

using numerics::CodeType;
using numerics::QuantizedWeight;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t alignTo(int64_t a, int64_t b) { return ceilDiv(a, b) * b; }

int64_t MmaLayout::unitAtoms() const {
  // An atom has twice as many codes where activations are bytes.
  switch (scheme.codeType) {
  case CodeType::U2:
    return int8Activations ? 2 : 4;
  case CodeType::U3:
    return int8Activations ? 4 : 8;
  case CodeType::U4:
    return int8Activations ? 1 : 2;
  case CodeType::U8:
  case CodeType::S8:
  case CodeType::E4M3:
    return 1;
  }
  return 1;
}

int64_t MmaLayout::unitVectors() const {
  if (int8Activations && scheme.bits() == 8)
    return 2;
  return scheme.codeType == CodeType::U3 ? 3 : 1;
}

int64_t MmaLayout::atomsPerGroup() const {
  int64_t atoms = ceilDiv(groupLength(), atomCodes());
  int64_t unit = unitAtoms();
  if (groups() == 1 || atoms >= unit)
    return alignTo(atoms, unit);
  while (unit % atoms)
    ++atoms;
  return atoms;
}

int64_t MmaLayout::units() const {
  return ceilDiv(groups() * atomsPerGroup(), unitAtoms());
}

int64_t MmaLayout::segmentAtoms() const {
  return std::min(atomsPerGroup(), unitAtoms());
}

int64_t MmaLayout::scaleBytes() const {
  return scheme.scaleType == numerics::ScaleType::F32 ? 4 : 2;
}

int64_t MmaLayout::scalesOffset() const {
  // A multiple of 512 already.
  return units() * unitVectors() * kLanes * kVector;
}

int64_t MmaLayout::zerosOffset() const {
  return scalesOffset() +
         alignTo(groups() * kTileChannels * scaleBytes(), kAlign);
}

int64_t MmaLayout::tileBytes() const {
  if (!hasZeroPoints)
    return zerosOffset();
  return zerosOffset() +
         alignTo(groups() * kTileChannels * zeroBytes(), kAlign);
}

MmaLayout::PairPlace MmaLayout::place(int atom, int step, int reg) const {
  int pair = 8 * atom + 4 * step + reg;
  if (int8Activations) {
    int perWord = 8 / scheme.bits();
    if (scheme.codeType != CodeType::U3)
      return {pair / perWord, 8 - scheme.bits() * (1 + pair % perWord)};
    int first = pair / 8 * 3, index = pair % 8;
    if (index >= 6)
      return {first + 2 * (index - 6), -1, first + 1, 7 - index};
    return {first + index / 2, 5 - 3 * (index % 2)};
  }
  if (scheme.codeType == CodeType::U3) {
    int first = pair / 16 * 3, index = pair % 16;
    if (index == 15)
      return {first, -1};
    return {first + index / 5, 3 * (index % 5)};
  }
  int perWord = 16 / scheme.bits();
  return {pair / perWord, scheme.bits() * (pair % perWord)};
}

MmaLayout mmaLayout(const QuantizedWeight &weight, bool int8Activations) {
  return {weight.scheme, weight.k, !weight.zeroPoints.empty(), int8Activations};
}

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

namespace {
class MmaPacker {
public:
  MmaPacker(const QuantizedWeight &weight, const MmaLayout &layout)
      : weight(weight), layout(layout) {}

  void packTile(int64_t tile, uint8_t *out) const {
    for (int64_t unit = 0; unit < layout.units(); ++unit)
      for (int lane = 0; lane < MmaLayout::kLanes; ++lane)
        packUnit(tile, unit, lane, out);
    for (int64_t group = 0; group < layout.groups(); ++group)
      for (int64_t c = 0; c < MmaLayout::kTileChannels; ++c)
        packScale(tile, group, c, out);
  }

private:
  static constexpr int64_t kMaxWords = 12;

  /// The code at (row, position in the order of atoms) as stored.
  uint32_t code(int64_t row, int64_t atom, int64_t index) const {
    int64_t group = atom / layout.atomsPerGroup();
    int64_t inGroup =
        atom % layout.atomsPerGroup() * layout.atomCodes() + index;
    int64_t k = group * layout.groupLength() + inGroup;
    if (row >= weight.n || inGroup >= layout.groupLength() || k >= weight.k)
      return 0;
    uint8_t value = weight.codes[row * weight.k + k];
    uint32_t mask = (1u << weight.scheme.bits()) - 1;
    return (uint32_t(value) - uint32_t(layout.storedOffset())) & mask;
  }

  void packUnit(int64_t tile, int64_t unit, int lane, uint8_t *out) const {
    uint32_t words[kMaxWords] = {};
    int g = lane / 4, t = lane % 4;
    int codesPerRegister = int(layout.atomCodes() / 16);
    for (int atom = 0; atom < layout.unitAtoms(); ++atom)
      for (int step = 0; step < 2; ++step)
        for (int reg = 0; reg < 4; ++reg) {
          MmaLayout::PairPlace place = layout.place(atom, step, reg);
          int64_t row = tile * MmaLayout::kTileChannels + g + 8 * (reg & 1);
          for (int i = 0; i < codesPerRegister; ++i) {
            uint32_t value = code(row, unit * layout.unitAtoms() + atom,
                                  layout.firstCode(t, step, reg) + i);
            int part = 32 / codesPerRegister * i;
            if (place.shift >= 0) {
              words[place.word] |= value << (place.shift + part);
            } else if (place.lowWord >= 0) {
              words[place.word] |= value >> 1 << part;
              words[place.lowWord] |= (value & 1) << (place.lowShift + part);
            } else {
              for (int bit = 0; bit < 3; ++bit)
                words[place.word + bit] |= (value >> bit & 1) << (15 + part);
            }
          }
        }
    for (int64_t v = 0; v < layout.unitVectors(); ++v)
      std::memcpy(
          out + ((unit * layout.unitVectors() + v) * MmaLayout::kLanes + lane) *
                    MmaLayout::kVector,
          words + 4 * v, MmaLayout::kVector);
  }

  void packScale(int64_t tile, int64_t group, int64_t c, uint8_t *out) const {
    int64_t row = tile * MmaLayout::kTileChannels + c;
    if (row >= weight.n)
      return;
    int64_t from = row * layout.groups() + group;
    int64_t to = group * MmaLayout::kTileChannels + MmaLayout::scalePlace(c);
    uint32_t scale = scaleBits(weight.scales[from], weight.scheme.scaleType);
    std::memcpy(out + layout.scalesOffset() + to * layout.scaleBytes(), &scale,
                layout.scaleBytes());
    if (!layout.hasZeroPoints)
      return;
    // In the stored codes' domain.
    auto zero = int16_t(weight.zeroPoints[from] - layout.storedOffset());
    std::memcpy(out + layout.zerosOffset() + to * layout.zeroBytes(), &zero,
                layout.zeroBytes());
  }

  const QuantizedWeight &weight;
  const MmaLayout &layout;
};
} // namespace

void packMma(const QuantizedWeight &weight, bool int8Activations,
             uint8_t *out) {
  MmaLayout layout = mmaLayout(weight, int8Activations);
  std::memset(out, 0, layout.packedBytes(weight.n));
  MmaPacker packer(weight, layout);
  for (int64_t tile = 0; tile < layout.tiles(weight.n); ++tile)
    packer.packTile(tile, out + tile * layout.tileBytes());
}

} // namespace qk::nvvm
