//===- PackLayer.cpp - Quantised layers as others store them --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Formats/PackLayer.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cstring>

using namespace llvm;
using namespace qk;
using namespace qk::formats;
using numerics::QuantizedWeight;
using numerics::ScaleType;
using storage::DataType;
using storage::makeError;

/// AWQ: nibble i of a word is channel kOrder[i] of its eight.
static constexpr int kAwqOrder[8] = {0, 2, 4, 6, 1, 3, 5, 7};

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

static DataType dataType(ScaleType type) {
  switch (type) {
  case ScaleType::F16:
    return DataType::F16;
  case ScaleType::BF16:
    return DataType::BF16;
  case ScaleType::F32:
    return DataType::F32;
  }
  return DataType::F32;
}

std::vector<PackedTensor> qk::formats::packedTensors(TargetFormat target,
                                                     const LayerShape &layer,
                                                     bool writeZeroPoints) {
  int64_t n = layer.n, k = layer.k, bits = layer.scheme.bits();
  int64_t groups = layer.scheme.groups(k);
  DataType scales = dataType(layer.scheme.scaleType);
  switch (target.format) {
  case Format::Gptq:
    return {{".qweight", DataType::I32, {k * bits / 32, n}},
            {".qzeros", DataType::I32, {groups, n * bits / 32}},
            {".scales", scales, {groups, n}},
            {".g_idx", DataType::I32, {k}}};
  case Format::AwqGemm:
  case Format::AwqGemv:
    return {{".qweight", DataType::I32, {k, n / 8}},
            {".qzeros", DataType::I32, {groups, n / 8}},
            {".scales", scales, {groups, n}}};
  case Format::PackQuantized: {
    std::vector<PackedTensor> tensors = {
        {".weight_packed", DataType::I32, {n, ceilDiv(k * bits, 32)}},
        {".weight_scale", scales, {n, groups}},
        {".weight_shape", DataType::I64, {2}}};
    if (layer.zeroPoints || writeZeroPoints)
      tensors.push_back({".weight_zero_point",
                         DataType::I32,
                         {ceilDiv(n * bits, 32), groups}});
    if (layer.permutation)
      tensors.push_back({".weight_g_idx", DataType::I32, {k}});
    return tensors;
  }
  case Format::IntQuantized:
  case Format::FloatQuantized: {
    bool isFloat = target.format == Format::FloatQuantized;
    std::vector<PackedTensor> tensors = {
        {".weight", isFloat ? DataType::F8E4M3 : DataType::I8, {n, k}},
        {".weight_scale", scales, {n, groups}}};
    if (!isFloat && (layer.zeroPoints || writeZeroPoints))
      tensors.push_back({".weight_zero_point", DataType::I8, {n, groups}});
    if (layer.activations == ActivationScale::StaticTensor)
      tensors.push_back({".input_scale", DataType::F32, {1}});
    return tensors;
  }
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

namespace {

/// 32-bit words that fields are put into, all zeros at first.
class Words {
public:
  explicit Words(int64_t count) : words(count) {}

  /// Field `index` of the stream of `bits`-bit values whose words are
  /// words[first + i * stride].
  void set(int64_t first, int64_t stride, int bits, int64_t index,
           uint32_t value) {
    int64_t bit = index * bits;
    int shift = static_cast<int>(bit % 32);
    words[first + bit / 32 * stride] |= value << shift;
    if (shift + bits > 32)
      words[first + (bit / 32 + 1) * stride] |= value >> (32 - shift);
  }

  std::vector<uint8_t> bytes() const {
    std::vector<uint8_t> result(words.size() * 4);
    std::memcpy(result.data(), words.data(), result.size());
    return result;
  }

private:
  std::vector<uint32_t> words;
};

/// Packs one layer. Codes and zero points are taken as formats have them:
/// unsigned but for int-quantized, columns in the model's order.
class Packer {
public:
  Packer(TargetFormat target, const LayerShape &layer,
         const QuantizedWeight &weight)
      : target(target), layer(layer), weight(weight), n(layer.n), k(layer.k),
        groups(layer.scheme.groups(k)), bits(layer.scheme.bits()) {
    // What is added to codes and zero points: s8 against u8.
    bool wantSigned = target.format == Format::IntQuantized;
    if (!layer.scheme.isFloat() && wantSigned != layer.scheme.isSigned())
      offset = wantSigned ? -128 : 128;
  }

  Error checkZeroPoints() const;
  std::vector<uint8_t> tensor(const PackedTensor &tensor,
                              float inputScale) const;

private:
  uint32_t code(int64_t row, int64_t column) const {
    // A byte of s8 and of u8 differ by 128 modulo 256.
    return static_cast<uint8_t>(weight.codes[row * k + column] + offset);
  }
  int zero(int64_t row, int64_t group) const {
    return (weight.zeroPoints.empty()
                ? weight.scheme.defaultZeroPoint()
                : weight.zeroPoints[row * groups + group]) +
           offset;
  }
  /// Where column `stored` of the codes is in the model.
  int64_t column(int64_t stored) const {
    return weight.permutation.empty() ? stored : weight.permutation[stored];
  }
  std::vector<uint8_t> scales(bool transposed) const;
  std::vector<uint8_t> groupIndex() const;
  std::vector<uint8_t> codesAlongK(bool wordsFirst) const;
  std::vector<uint8_t> zerosAlongN(bool groupsFirst) const;
  std::vector<uint8_t> awq(bool zeros) const;

  TargetFormat target;
  const LayerShape &layer;
  const QuantizedWeight &weight;
  int64_t n, k, groups;
  int bits, offset = 0;
};

} // namespace

Error Packer::checkZeroPoints() const {
  bool isSigned = target.format == Format::IntQuantized;
  int low = isSigned ? -128 : 0, high = isSigned ? 127 : (1 << bits) - 1;
  StringRef advice = "zero points must be among the codes";
  if (target.format == Format::Gptq && !target.storesTrueZeros) {
    low = 1;
    advice = "write gptq_v2";
  }
  for (int64_t row = 0; row < n; ++row)
    for (int64_t group = 0; group < groups; ++group)
      if (int value = zero(row, group); value < low || value > high)
        return makeError("layer '" + layer.name + "': " + spelling(target) +
                         " expects zero points from " + Twine(low) + " to " +
                         Twine(high) + ", got " + Twine(value) +
                         " for channel " + Twine(row) + ", group " +
                         Twine(group) + "; " + advice);
  return Error::success();
}

std::vector<uint8_t> Packer::scales(bool transposed) const {
  DataType type = dataType(weight.scheme.scaleType);
  size_t width = storage::byteWidth(type);
  std::vector<uint8_t> bytes(n * groups * width);
  for (int64_t row = 0; row < n; ++row)
    for (int64_t group = 0; group < groups; ++group) {
      float value = weight.scales[row * groups + group];
      int64_t at = transposed ? group * n + row : row * groups + group;
      uint8_t *to = bytes.data() + at * width;
      // Every value is exact in its type.
      if (type == DataType::F32) {
        std::memcpy(to, &value, 4);
      } else if (type == DataType::F16) {
        auto half = static_cast<_Float16>(value);
        std::memcpy(to, &half, 2);
      } else {
        uint32_t word;
        std::memcpy(&word, &value, 4);
        auto upper = static_cast<uint16_t>(word >> 16);
        std::memcpy(to, &upper, 2);
      }
    }
  return bytes;
}

std::vector<uint8_t> Packer::groupIndex() const {
  std::vector<int32_t> index(k);
  int64_t length = layer.scheme.groupLength(k);
  for (int64_t stored = 0; stored < k; ++stored)
    index[column(stored)] = static_cast<int32_t>(stored / length);
  std::vector<uint8_t> bytes(k * sizeof(int32_t));
  std::memcpy(bytes.data(), index.data(), bytes.size());
  return bytes;
}

/// Dense along K; the words of a row are a column of the result (`wordsFirst`)
/// or a row.
std::vector<uint8_t> Packer::codesAlongK(bool wordsFirst) const {
  int64_t width = ceilDiv(k * bits, 32);
  Words words(n * width);
  // Sixteen words are a cache line where rows are next to each other.
  constexpr int64_t kRows = 16;
  for (int64_t first = 0; first < n; first += kRows)
    for (int64_t stored = 0; stored < k; ++stored)
      for (int64_t row = first; row < std::min(first + kRows, n); ++row)
        words.set(wordsFirst ? row : row * width, wordsFirst ? n : 1, bits,
                  column(stored), code(row, stored));
  return words.bytes();
}

/// Dense along N; the words of a group are a row of the result (`groupsFirst`)
/// or a column.
std::vector<uint8_t> Packer::zerosAlongN(bool groupsFirst) const {
  int64_t height = ceilDiv(n * bits, 32);
  Words words(height * groups);
  bool lessOne = target.format == Format::Gptq && !target.storesTrueZeros;
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t row = 0; row < n; ++row)
      words.set(groupsFirst ? group * height : group, groupsFirst ? 1 : groups,
                bits, row, zero(row, group) - lessOne);
  return words.bytes();
}

std::vector<uint8_t> Packer::awq(bool zeros) const {
  int64_t rows = zeros ? groups : k, width = n / 8;
  Words words(rows * width);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t word = 0; word < width; ++word)
      for (int i = 0; i < 8; ++i) {
        int64_t channel = word * 8 + kAwqOrder[i];
        words.set(row * width + word, 1, 4, i,
                  zeros ? zero(channel, row) : code(channel, row));
      }
  return words.bytes();
}

std::vector<uint8_t> Packer::tensor(const PackedTensor &tensor,
                                    float inputScale) const {
  bool gptq = target.format == Format::Gptq;
  bool awqs = target.format == Format::AwqGemm;
  if (tensor.suffix == ".qweight")
    return gptq ? codesAlongK(/*wordsFirst=*/true) : awq(/*zeros=*/false);
  if (tensor.suffix == ".qzeros")
    return gptq ? zerosAlongN(/*groupsFirst=*/true) : awq(/*zeros=*/true);
  if (tensor.suffix == ".scales" || tensor.suffix == ".weight_scale")
    return scales(/*transposed=*/gptq || awqs);
  if (tensor.suffix == ".g_idx" || tensor.suffix == ".weight_g_idx")
    return groupIndex();
  if (tensor.suffix == ".weight_packed")
    return codesAlongK(/*wordsFirst=*/false);
  std::vector<uint8_t> bytes;
  if (tensor.suffix == ".weight") {
    bytes.resize(n * k);
    for (int64_t i = 0; i < n * k; ++i)
      bytes[i] = static_cast<uint8_t>(weight.codes[i] + offset);
  } else if (tensor.suffix == ".weight_zero_point") {
    if (tensor.type == DataType::I32)
      return zerosAlongN(/*groupsFirst=*/false);
    for (int64_t row = 0; row < n; ++row)
      for (int64_t group = 0; group < groups; ++group)
        bytes.push_back(static_cast<uint8_t>(zero(row, group)));
  } else if (tensor.suffix == ".weight_shape") {
    int64_t sizes[] = {n, k};
    bytes.resize(sizeof(sizes));
    std::memcpy(bytes.data(), sizes, sizeof(sizes));
  } else if (tensor.suffix == ".input_scale") {
    bytes.resize(sizeof(float));
    std::memcpy(bytes.data(), &inputScale, sizeof(float));
  }
  return bytes;
}

Expected<std::vector<std::vector<uint8_t>>>
qk::formats::packLayer(TargetFormat target, const LayerShape &layer,
                       bool writeZeroPoints, const QuantizedWeight &weight,
                       float inputScale) {
  Packer packer(target, layer, weight);
  if (Error error = packer.checkZeroPoints())
    return std::move(error);
  std::vector<std::vector<uint8_t>> result;
  for (const PackedTensor &tensor :
       packedTensors(target, layer, writeZeroPoints))
    result.push_back(packer.tensor(tensor, inputScale));
  return result;
}
