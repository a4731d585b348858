//===- Layout.cpp - Packed weights of the NVVM kernels ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/NVVM/Layout.h"

#include "ScaleBits.h"
#include "qk/Target/NVVM/MmaLayout.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

namespace qk::nvvm {

using numerics::CodeType;
using numerics::QuantizedWeight;
using numerics::ScaleType;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t alignTo(int64_t a, int64_t b) { return ceilDiv(a, b) * b; }

std::string_view layoutName(Layout layout) {
  switch (layout) {
  case Layout::Simt:
    return "nvvm-simt";
  case Layout::Mma:
    return "nvvm-mma";
  case Layout::MmaS8:
    return "nvvm-mma-s8";
  }
  return "";
}

std::optional<Layout> layoutByName(std::string_view name) {
  for (Layout layout : {Layout::Simt, Layout::Mma, Layout::MmaS8})
    if (name == layoutName(layout))
      return layout;
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

int64_t SimtLayout::atomsPerGroup() const {
  return ceilDiv(groupLength(), kAtom);
}

int64_t SimtLayout::atoms() const {
  int64_t whole = groups() - 1;
  int64_t tail = k - whole * groupLength();
  return whole * atomsPerGroup() + ceilDiv(tail, kAtom);
}

int64_t SimtLayout::unitAtoms() const {
  switch (scheme.codeType) {
  case CodeType::U2:
    return 2;
  case CodeType::U3:
    return 4;
  case CodeType::U4:
  case CodeType::U8:
  case CodeType::S8:
  case CodeType::E4M3:
    return 1;
  }
  return 1;
}

int64_t SimtLayout::unitVectors() const {
  switch (scheme.codeType) {
  case CodeType::U2:
  case CodeType::U4:
    return 1;
  case CodeType::U8:
  case CodeType::S8:
  case CodeType::E4M3:
    return 2;
  case CodeType::U3:
    return 3;
  }
  return 1;
}

int64_t SimtLayout::units() const { return ceilDiv(atoms(), unitAtoms()); }

int64_t SimtLayout::scaleBytes() const {
  return scheme.scaleType == ScaleType::F32 ? 4 : 2;
}

int64_t SimtLayout::zeroBytes() const { return scheme.bits() == 8 ? 2 : 1; }

int64_t SimtLayout::scalesOffset() const {
  // A multiple of 512 already.
  return units() * unitVectors() * kLanes * kVector;
}

int64_t SimtLayout::zerosOffset() const {
  return scalesOffset() + alignTo(groups() * kLanes * scaleBytes(), kAlign);
}

int64_t SimtLayout::blockBytes() const {
  if (!hasZeroPoints)
    return zerosOffset();
  return zerosOffset() + alignTo(groups() * kLanes * zeroBytes(), kAlign);
}

SimtLayout::CodePlace SimtLayout::place(int atom, int index) const {
  int bits = scheme.bits();
  if (scheme.codeType != CodeType::U3) {
    int perWord = 32 / bits;
    int wordsPerAtom = kAtom / perWord;
    return {atom * wordsPerAtom + index / perWord, bits * (index % perWord),
            bits};
  }
  int first = 3 * atom;
  if (index < 30)
    return {first + index / 10, 3 * (index % 10), 3};
  return {first + index - 30, 30, 2, first + 2, index};
}

SimtLayout simtLayout(const QuantizedWeight &weight) {
  return {weight.scheme, weight.k, !weight.zeroPoints.empty()};
}

int64_t packedBytes(const QuantizedWeight &weight, Layout kind) {
  switch (kind) {
  case Layout::Simt:
    return simtLayout(weight).packedBytes(weight.n);
  case Layout::Mma:
  case Layout::MmaS8:
    return mmaLayout(weight, kind == Layout::MmaS8).packedBytes(weight.n);
  }
  return 0;
}

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

/// Smallest and largest zero points that `kind` can hold and its kernels
/// multiply by.
static std::pair<int64_t, int64_t> zeroPointRange(const QuantizedWeight &weight,
                                                  Layout kind) {
  const numerics::Scheme &scheme = weight.scheme;
  int64_t half = scheme.bits() == 8 ? 1 << 15 : 1 << 7;
  int64_t low = -half, high = half - 1;
  if (kind == Layout::Simt)
    return {low, high};
  MmaLayout layout = mmaLayout(weight, kind == Layout::MmaS8);
  // They are stored less something; those of signed codes are not.
  low += layout.storedOffset();
  if (layout.hasIntegerSums()) {
    // A code less its zero point, times x, summed over a group in 32 bits.
    constexpr int64_t largestX = 128, largestSum = (int64_t(1) << 31) - 1;
    int64_t largest =
        largestSum / (largestX << layout.sumShift()) / layout.groupLength();
    // Codes of fewer bits, less a zero point, are bytes.
    if (scheme.bits() < 8)
      largest = std::min<int64_t>(largest, 127);
    low = std::max(low, scheme.codeMax() - largest);
    high = std::min(high, scheme.codeMin() + largest);
  }
  return {low, high};
}

static std::string check(const QuantizedWeight &weight, Layout kind) {
  auto size = [](const char *what, size_t got, int64_t expected) {
    return std::string("expected ") + std::to_string(expected) + " " + what +
           ", got " + std::to_string(got);
  };
  int64_t groups = weight.scheme.groups(weight.k);
  if (weight.n < 1 || weight.k < 1)
    return "expected a weight with at least one row and column, got " +
           std::to_string(weight.n) + "x" + std::to_string(weight.k);
  if (weight.codes.size() != size_t(weight.n * weight.k))
    return size("codes", weight.codes.size(), weight.n * weight.k);
  if (weight.scales.size() != size_t(weight.n * groups))
    return size("scales", weight.scales.size(), weight.n * groups);
  if (!weight.zeroPoints.empty() &&
      weight.zeroPoints.size() != size_t(weight.n * groups))
    return size("zero points", weight.zeroPoints.size(), weight.n * groups);
  auto [low, high] = zeroPointRange(weight, kind);
  for (int16_t zero : weight.zeroPoints)
    if (zero < low || zero > high)
      return "expected zero points in " + std::to_string(low) + "…" +
             std::to_string(high) + ", got " + std::to_string(zero);
  return "";
}

namespace {
/// Packs a weight, row block by row block.
class Packer {
public:
  Packer(const QuantizedWeight &weight, const SimtLayout &layout)
      : weight(weight), layout(layout) {
    for (int64_t atom = 0; atom < layout.unitAtoms(); ++atom)
      for (int64_t index = 0; index < SimtLayout::kAtom; ++index)
        places.push_back(layout.place(int(atom), int(index)));
  }

  /// The channels `row0` … `row0`+31, to their block.
  void packBlock(int64_t row0, uint8_t *block) const {
    int64_t rows = std::min(SimtLayout::kLanes, weight.n - row0);
    for (int64_t lane = 0; lane < rows; ++lane) {
      packCodes(row0 + lane, lane, block);
      packScales(row0 + lane, lane, block);
    }
  }

private:
  static constexpr int64_t kMaxWords = 12;

  void packCodes(int64_t row, int64_t lane, uint8_t *block) const {
    const uint8_t *codes = &weight.codes[row * weight.k];
    uint8_t bias = weight.scheme.isSigned() ? 128 : 0;
    int64_t length = layout.groupLength();
    uint32_t words[kMaxWords] = {};
    int64_t atom = 0;
    for (int64_t group = 0; group < weight.k; group += length) {
      int64_t end = std::min(group + length, weight.k);
      for (int64_t first = group; first < end; first += SimtLayout::kAtom) {
        int64_t count = std::min(end - first, SimtLayout::kAtom);
        const SimtLayout::CodePlace *place =
            &places[atom % layout.unitAtoms() * SimtLayout::kAtom];
        for (int64_t i = 0; i < count; ++i, ++place) {
          uint32_t code = uint8_t(codes[first + i] + bias);
          uint32_t mask = (1u << place->bits) - 1;
          words[place->word] |= (code & mask) << place->shift;
          if (place->highWord >= 0)
            words[place->highWord] |= code >> place->bits << place->highShift;
        }
        ++atom;
        if (atom % layout.unitAtoms() == 0)
          store(words, atom / layout.unitAtoms() - 1, lane, block);
      }
    }
    if (atom % layout.unitAtoms() != 0)
      store(words, atom / layout.unitAtoms(), lane, block);
  }

  /// One lane's unit; vectors of one index lie side by side.
  void store(uint32_t (&words)[kMaxWords], int64_t unit, int64_t lane,
             uint8_t *block) const {
    for (int64_t v = 0; v < layout.unitVectors(); ++v)
      std::memcpy(
          block +
              ((unit * layout.unitVectors() + v) * SimtLayout::kLanes + lane) *
                  SimtLayout::kVector,
          words + 4 * v, SimtLayout::kVector);
    std::fill(std::begin(words), std::end(words), 0);
  }

  void packScales(int64_t row, int64_t lane, uint8_t *block) const {
    for (int64_t group = 0; group < layout.groups(); ++group) {
      int64_t from = row * layout.groups() + group;
      int64_t to = group * SimtLayout::kLanes + lane;
      uint32_t scale = scaleBits(weight.scales[from], weight.scheme.scaleType);
      std::memcpy(block + layout.scalesOffset() + to * layout.scaleBytes(),
                  &scale, layout.scaleBytes());
      if (layout.hasZeroPoints)
        std::memcpy(block + layout.zerosOffset() + to * layout.zeroBytes(),
                    &weight.zeroPoints[from], layout.zeroBytes());
    }
  }

  const QuantizedWeight &weight;
  const SimtLayout &layout;
  /// By atom of the unit and index in it.
  std::vector<SimtLayout::CodePlace> places;
};
} // namespace

std::string pack(const QuantizedWeight &weight, Layout kind, uint8_t *out) {
  static_assert(std::endian::native == std::endian::little,
                "packed words are little-endian");
  if (std::string error = check(weight, kind); !error.empty())
    return error;
  if (kind != Layout::Simt) {
    packMma(weight, kind == Layout::MmaS8, out);
    return "";
  }
  SimtLayout layout = simtLayout(weight);
  std::memset(out, 0, layout.packedBytes(weight.n));
  Packer packer(weight, layout);
  for (int64_t block = 0; block < layout.rowBlocks(weight.n); ++block)
    packer.packBlock(block * SimtLayout::kLanes,
                     out + block * layout.blockBytes());
  return "";
}

} // namespace qk::nvvm
