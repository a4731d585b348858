//===- LayerReader.cpp - One layer of a quantised checkpoint --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerReader.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>
#include <cstring>

using namespace llvm;
using namespace qk;
using namespace qk::formats;
using numerics::QuantizedWeight;
using storage::DataType;
using storage::Parameter;

/// AWQ: nibble i of a word is column kOrder[i] of its eight.
static constexpr int kAwqOrder[8] = {0, 2, 4, 6, 1, 3, 5, 7};

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <typename T> static T load(const Parameter &tensor, int64_t index) {
  T value;
  std::memcpy(&value, tensor.tensor.bytes.data() + index * sizeof(T),
              sizeof(T));
  return value;
}

/// Field `index` of the stream of `bits`-bit values whose 32-bit words are
/// words[first + i * stride].
static uint32_t field(const Parameter &words, int64_t first, int64_t stride,
                      int bits, int64_t index) {
  int64_t bit = index * bits;
  uint64_t value = load<uint32_t>(words, first + bit / 32 * stride);
  int shift = static_cast<int>(bit % 32);
  if (shift + bits > 32)
    value |= uint64_t(load<uint32_t>(words, first + (bit / 32 + 1) * stride))
             << 32;
  return static_cast<uint32_t>(value >> shift) & ((1u << bits) - 1);
}

static numerics::CodeType unsignedType(int bits) {
  switch (bits) {
  case 2:
    return numerics::CodeType::U2;
  case 3:
    return numerics::CodeType::U3;
  case 4:
    return numerics::CodeType::U4;
  default:
    return numerics::CodeType::U8;
  }
}

QuantizedWeight LayerReader::start(numerics::CodeType type) const {
  QuantizedWeight weight;
  weight.scheme = scheme;
  weight.scheme.codeType = type;
  weight.n = n;
  weight.k = k;
  weight.codes.resize(n * k);
  weight.scales.resize(n * groups);
  return weight;
}

void LayerReader::dropDefaults(QuantizedWeight &weight) {
  if (all_of(weight.zeroPoints, [&](int16_t zero) {
        return zero == weight.scheme.defaultZeroPoint();
      }))
    weight.zeroPoints.clear();
}

Error LayerReader::checkWords(int64_t elements, const char *what) const {
  if (elements * config.bits % 32 == 0)
    return Error::success();
  return fail("expected " + Twine(elements) + " " + what + " of " +
              Twine(config.bits) +
              " bits to fill words of 32; the format can't hold the model's "
              "layer of " +
              Twine(n) + "x" + Twine(k));
}

Error LayerReader::readScales(StringRef suffix, ArrayRef<int64_t> shape,
                              function_ref<int64_t(int64_t, int64_t)> indexOf,
                              QuantizedWeight &weight) {
  const Parameter *found = source.find((layer + suffix).str());
  DataType type = found ? found->tensor.type : DataType::F16;
  switch (type) {
  case DataType::F16:
    weight.scheme.scaleType = numerics::ScaleType::F16;
    break;
  case DataType::BF16:
    weight.scheme.scaleType = numerics::ScaleType::BF16;
    break;
  case DataType::F32:
    weight.scheme.scaleType = numerics::ScaleType::F32;
    break;
  default:
    return fail("expected " + suffix.drop_front() +
                " of F16, BF16 or F32, got " +
                storage::describe(type, found->tensor.shape));
  }
  Expected<Parameter> scales = get(suffix, type, shape);
  if (!scales)
    return scales.takeError();
  for (int64_t row = 0; row < n; ++row) {
    for (int64_t g = 0; g < groups; ++g) {
      int64_t at = indexOf(row, g);
      float value;
      if (type == DataType::F32) {
        value = load<float>(*scales, at);
      } else if (type == DataType::F16) {
        value = static_cast<float>(load<_Float16>(*scales, at));
      } else {
        uint32_t bits = uint32_t(load<uint16_t>(*scales, at)) << 16;
        std::memcpy(&value, &bits, 4);
      }
      if (!std::isfinite(value))
        return fail("the scale of channel " + Twine(row) + ", group " +
                    Twine(g) + " is not finite");
      weight.scales[row * groups + g] = value;
    }
  }
  return Error::success();
}

Error LayerReader::readTransposedScales(QuantizedWeight &weight) {
  return readScales(
      ".scales", {groups, n},
      [&](int64_t row, int64_t group) { return group * n + row; }, weight);
}

SmallVector<int64_t> LayerReader::sharedShape(StringRef suffix) const {
  const Parameter *found = source.find((layer + suffix).str());
  // One for all is a vector, a scalar or a matrix.
  if (config.scaleRows < 0 && groups == 1 && found &&
      found->tensor.numElements() == 1)
    return to_vector(ArrayRef(found->tensor.shape));
  return {sharedRows(), groups};
}

Error LayerReader::readSharedScales(StringRef suffix, QuantizedWeight &weight) {
  return readScales(
      suffix, sharedShape(suffix),
      [&](int64_t row, int64_t group) { return sharedIndex(row, group); },
      weight);
}

int64_t LayerReader::sharedRows() const {
  return config.scaleRows < 0 ? 1 : ceilDiv(n, config.scaleRows);
}

Error LayerReader::applyGroupIndex(const Parameter &index,
                                   QuantizedWeight &weight) const {
  std::vector<std::vector<int32_t>> members(groups);
  bool natural = true;
  for (int64_t column = 0; column < k; ++column) {
    int32_t g = load<int32_t>(index, column);
    if (g < 0 || g >= groups)
      return fail("expected group indices from 0 to " + Twine(groups - 1) +
                  ", got " + Twine(g) + " for column " + Twine(column));
    natural &= g == column / length;
    members[g].push_back(static_cast<int32_t>(column));
  }
  if (natural)
    return Error::success();
  for (int64_t g = 0; g < groups; ++g) {
    int64_t expected = std::min(length, k - g * length);
    if (static_cast<int64_t>(members[g].size()) != expected)
      return fail("expected group " + Twine(g) + " to have " + Twine(expected) +
                  " columns, got " + Twine(members[g].size()));
    append_range(weight.permutation, members[g]);
  }
  std::vector<uint8_t> row(k);
  for (int64_t i = 0; i < n; ++i) {
    uint8_t *codes = weight.codes.data() + i * k;
    for (int64_t j = 0; j < k; ++j)
      row[j] = codes[weight.permutation[j]];
    copy(row, codes);
  }
  return Error::success();
}

Expected<QuantizedWeight> LayerReader::readGptq(bool &trueZeros) {
  int bits = config.bits;
  if (Error error = checkWords(k, "inputs"))
    return std::move(error);
  if (Error error = checkWords(n, "channels"))
    return std::move(error);
  Expected<Parameter> words =
      get(".qweight", DataType::I32, {k * bits / 32, n});
  if (!words)
    return words.takeError();
  Expected<Parameter> zeros =
      get(".qzeros", DataType::I32, {groups, n * bits / 32});
  if (!zeros)
    return zeros.takeError();
  QuantizedWeight weight = start(unsignedType(bits));
  if (Error error = readTransposedScales(weight))
    return std::move(error);
  for (int64_t row = 0; row < n; ++row)
    for (int64_t column = 0; column < k; ++column)
      weight.codes[row * k + column] = field(*words, row, n, bits, column);

  weight.zeroPoints.resize(n * groups);
  int middle = 1 << (bits - 1);
  bool allMiddle = true, allBelow = true;
  for (int64_t row = 0; row < n; ++row)
    for (int64_t g = 0; g < groups; ++g) {
      int stored = field(*zeros, g * (n * bits / 32), 1, bits, row);
      weight.zeroPoints[row * groups + g] = stored;
      allMiddle &= stored == middle;
      allBelow &= stored == middle - 1;
    }
  // Of symmetric layers the values say which version wrote them.
  if (config.symmetric && (allMiddle || allBelow))
    trueZeros = allMiddle;
  if (!trueZeros)
    for (int16_t &zero : weight.zeroPoints)
      zero = (zero + 1) & ((1 << bits) - 1);
  dropDefaults(weight);
  if (source.find((layer + ".g_idx").str())) {
    Expected<Parameter> index = get(".g_idx", DataType::I32, {k});
    if (!index)
      return index.takeError();
    if (Error error = applyGroupIndex(*index, weight))
      return std::move(error);
  }
  return weight;
}

Expected<QuantizedWeight> LayerReader::readAwq(bool gemv) {
  if (Error error = checkWords(gemv ? k : n, gemv ? "inputs" : "channels"))
    return std::move(error);
  QuantizedWeight weight = start(numerics::CodeType::U4);
  weight.zeroPoints.assign(n * groups, 8);
  if (gemv) {
    // Words of zero points a row; the kernel reads that many at once.
    int64_t multiple = length >= 128 ? 1 : length >= 64 ? 2 : 4;
    int64_t width = ceilDiv(ceilDiv(groups, 8), multiple) * multiple;
    Expected<Parameter> words = get(".qweight", DataType::I32, {n, k / 8});
    if (!words)
      return words.takeError();
    if (Error error = readScales(
            ".scales", {n, 8 * width},
            [&](int64_t row, int64_t g) { return row * 8 * width + g; },
            weight))
      return std::move(error);
    for (int64_t row = 0; row < n; ++row)
      for (int64_t column = 0; column < k; ++column)
        weight.codes[row * k + column] =
            field(*words, row * (k / 8), 1, 4, column);
    if (config.symmetric && !source.find((layer + ".qzeros").str())) {
      dropDefaults(weight);
      return weight;
    }
    Expected<Parameter> zeros = get(".qzeros", DataType::I32, {n, width});
    if (!zeros)
      return zeros.takeError();
    for (int64_t row = 0; row < n; ++row)
      for (int64_t g = 0; g < groups; ++g)
        weight.zeroPoints[row * groups + g] =
            field(*zeros, row * width, 1, 4, g);
    dropDefaults(weight);
    return weight;
  }
  Expected<Parameter> words = get(".qweight", DataType::I32, {k, n / 8});
  if (!words)
    return words.takeError();
  if (Error error = readTransposedScales(weight))
    return std::move(error);
  for (int64_t column = 0; column < k; ++column)
    for (int64_t word = 0; word < n / 8; ++word)
      for (int i = 0; i < 8; ++i)
        weight.codes[(word * 8 + kAwqOrder[i]) * k + column] =
            field(*words, column * (n / 8) + word, 1, 4, i);
  if (!config.symmetric || source.find((layer + ".qzeros").str())) {
    Expected<Parameter> zeros = get(".qzeros", DataType::I32, {groups, n / 8});
    if (!zeros)
      return zeros.takeError();
    for (int64_t g = 0; g < groups; ++g)
      for (int64_t word = 0; word < n / 8; ++word)
        for (int i = 0; i < 8; ++i)
          weight.zeroPoints[(word * 8 + kAwqOrder[i]) * groups + g] =
              field(*zeros, g * (n / 8) + word, 1, 4, i);
  }
  dropDefaults(weight);
  return weight;
}

/// Field `index` where `bits` don't divide 32 and fields don't cross words.
static uint32_t alignedField(const Parameter &words, int64_t first, int bits,
                             int64_t index) {
  int perWord = 32 / bits;
  uint32_t word = load<uint32_t>(words, first + index / perWord);
  return word >> (bits * (index % perWord)) & ((1u << bits) - 1);
}

Expected<QuantizedWeight> LayerReader::readPacked() {
  int bits = config.bits;
  Expected<Parameter> shape = get(".weight_shape", DataType::I64, {2});
  if (!shape)
    return shape.takeError();
  int64_t rows = load<int64_t>(*shape, 0), columns = load<int64_t>(*shape, 1);
  if (rows != n || columns != k)
    return fail("expected weight_shape to be the model's " + Twine(n) + "x" +
                Twine(k) + ", got " + Twine(rows) + "x" + Twine(columns));
  // 3 bits: until October 2025 ten a word.
  int64_t dense = ceilDiv(k * bits, 32), wide = ceilDiv(k, 32 / bits);
  const Parameter *found = source.find((layer + ".weight_packed").str());
  bool aligned = dense != wide && found && found->tensor.shape.size() == 2 &&
                 found->tensor.shape[1] == wide;
  int64_t width = aligned ? wide : dense;
  Expected<Parameter> words = get(".weight_packed", DataType::I32, {n, width});
  if (!words)
    return words.takeError();
  QuantizedWeight weight = start(unsignedType(bits));
  if (Error error = readSharedScales(".weight_scale", weight))
    return std::move(error);
  for (int64_t row = 0; row < n; ++row)
    for (int64_t column = 0; column < k; ++column)
      weight.codes[row * k + column] =
          aligned ? alignedField(*words, row * width, bits, column)
                  : field(*words, row * width, 1, bits, column);
  if (!config.symmetric) {
    int64_t rows = sharedRows(), height = aligned ? ceilDiv(rows, 32 / bits)
                                                  : ceilDiv(rows * bits, 32);
    Expected<Parameter> zeros =
        get(".weight_zero_point", DataType::I32, {height, groups});
    if (!zeros)
      return zeros.takeError();
    weight.zeroPoints.resize(n * groups);
    for (int64_t row = 0; row < n; ++row)
      for (int64_t g = 0; g < groups; ++g) {
        int64_t shared = sharedIndex(row, g) / groups;
        int perWord = 32 / bits;
        weight.zeroPoints[row * groups + g] =
            aligned ? load<uint32_t>(*zeros, shared / perWord * groups + g) >>
                              (bits * (shared % perWord)) &
                          ((1u << bits) - 1)
                    : field(*zeros, g, groups, bits, shared);
      }
    dropDefaults(weight);
  }
  if (source.find((layer + ".weight_g_idx").str())) {
    Expected<Parameter> index = get(".weight_g_idx", DataType::I32, {k});
    if (!index)
      return index.takeError();
    if (Error error = applyGroupIndex(*index, weight))
      return std::move(error);
  }
  return weight;
}

Expected<QuantizedWeight> LayerReader::readBytes(bool areFloats) {
  DataType type = areFloats ? DataType::F8E4M3 : DataType::I8;
  Expected<Parameter> codes = get(".weight", type, {n, k});
  if (!codes)
    return codes.takeError();
  QuantizedWeight weight =
      start(areFloats ? numerics::CodeType::E4M3 : numerics::CodeType::S8);
  // fp8 in blocks has another name for the same.
  StringRef suffix = source.find((layer + ".weight_scale_inv").str())
                         ? ".weight_scale_inv"
                         : ".weight_scale";
  if (Error error = readSharedScales(suffix, weight))
    return std::move(error);
  std::memcpy(weight.codes.data(), codes->tensor.bytes.data(), n * k);
  if (areFloats) {
    for (int64_t i = 0; i < n * k; ++i)
      if ((weight.codes[i] & 0x7f) == numerics::kNaNE4M3)
        return fail("weight is NaN at row " + Twine(i / k) + ", column " +
                    Twine(i % k));
    return weight;
  }
  if (!config.symmetric) {
    Expected<Parameter> zeros = get(".weight_zero_point", DataType::I8,
                                    sharedShape(".weight_zero_point"));
    if (!zeros)
      return zeros.takeError();
    weight.zeroPoints.resize(n * groups);
    for (int64_t row = 0; row < n; ++row)
      for (int64_t g = 0; g < groups; ++g)
        weight.zeroPoints[row * groups + g] =
            load<int8_t>(*zeros, sharedIndex(row, g));
    dropDefaults(weight);
  }
  return weight;
}
