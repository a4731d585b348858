//===- SameValues.cpp - One tensor in two float types ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SameValues.h"

#include <cstring>
#include <optional>

using namespace llvm;
using namespace qk;
using storage::DataType;

template <typename T> static T load(const uint8_t *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

static std::optional<double> loadFloat(DataType type, const uint8_t *bytes) {
  switch (type) {
  case DataType::F64:
    return load<double>(bytes);
  case DataType::F32:
    return load<float>(bytes);
  case DataType::F16:
    return static_cast<double>(load<_Float16>(bytes));
  case DataType::BF16: {
    uint32_t wide = uint32_t(load<uint16_t>(bytes)) << 16;
    float value;
    std::memcpy(&value, &wide, 4);
    return value;
  }
  default:
    return std::nullopt;
  }
}

/// `value` as an element of `type` holds it.
static double roundTo(DataType type, double value) {
  switch (type) {
  case DataType::F32:
    return static_cast<float>(value);
  case DataType::F16:
    return static_cast<double>(static_cast<_Float16>(value));
  case DataType::BF16: {
    // Sources of bf16 constants are f32 at most, so one rounding is one.
    auto narrow = static_cast<float>(value);
    uint32_t bits;
    std::memcpy(&bits, &narrow, 4);
    bits += 0x7FFF + ((bits >> 16) & 1);
    bits &= 0xFFFF0000;
    std::memcpy(&narrow, &bits, 4);
    return narrow;
  }
  default:
    return value;
  }
}

bool qk::formats::sameValues(const storage::TensorView &source, DataType type,
                             ArrayRef<uint8_t> bytes) {
  if (type == source.type)
    return bytes == source.bytes;
  int64_t from = storage::byteWidth(source.type), to = storage::byteWidth(type);
  int64_t count = source.numElements();
  if (static_cast<int64_t>(bytes.size()) != count * to)
    return false;
  for (int64_t i = 0; i < count; ++i) {
    auto original = loadFloat(source.type, source.bytes.data() + i * from);
    auto value = loadFloat(type, bytes.data() + i * to);
    if (!original || !value)
      return false;
    double rounded = roundTo(type, *original);
    bool bothNaN = rounded != rounded && *value != *value;
    if (rounded != *value && !bothNaN)
      return false;
  }
  return true;
}
