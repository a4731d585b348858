//===- TensorMatcher.cpp - Which tensor of a checkpoint this is -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorMatcher.h"

#include "LayerPaths.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"

#include <cmath>
#include <cstring>
#include <vector>

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;
using storage::DataType;

/// A shape without its dimensions of size one.
static SmallVector<int64_t> squeeze(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> squeezed;
  for (int64_t size : shape)
    if (size != 1)
      squeezed.push_back(size);
  return squeezed;
}

bool qk::quant_llm::hasShape(RankedTensorType type,
                             const storage::TensorView &tensor,
                             bool transposed) {
  if (!type.hasStaticShape())
    return false;
  SmallVector<int64_t> wanted = squeeze(type.getShape());
  SmallVector<int64_t> got = squeeze(tensor.shape);
  if (!transposed)
    return wanted == got;
  // `quant_llm.transpose` is of matrices.
  return wanted.size() == 2 && tensor.shape.size() == 2 &&
         wanted[0] == got[1] && wanted[1] == got[0];
}

TensorMatcher::TensorMatcher(
    std::shared_ptr<const storage::Checkpoint> checkpoint)
    : checkpoint(std::move(checkpoint)) {
  for (const storage::Parameter &parameter : this->checkpoint->tensors())
    byElements[parameter.tensor.numElements()].push_back(&parameter);
  for (auto &entry : byElements)
    llvm::sort(entry.second,
               [](const storage::Parameter *a, const storage::Parameter *b) {
                 bool headA = isHeadName(a->tensor.name),
                      headB = isHeadName(b->tensor.name);
                 if (headA != headB)
                   return headB;
                 return a->tensor.name.compare_numeric(b->tensor.name) < 0;
               });
}

/// Whether element (r, c) of `a` is element (c, r) of `b`, for all; `b` has
/// `rows` columns. In blocks, because both are read across pages.
template <typename Equal>
static bool equalTransposed(int64_t rows, int64_t columns, Equal equal) {
  constexpr int64_t block = 32;
  for (int64_t r0 = 0; r0 < rows; r0 += block)
    for (int64_t c0 = 0; c0 < columns; c0 += block)
      for (int64_t r = r0; r < std::min(r0 + block, rows); ++r)
        for (int64_t c = c0; c < std::min(c0 + block, columns); ++c)
          if (!equal(r * columns + c, c * rows + r))
            return false;
  return true;
}

template <typename T>
static bool equalTransposedWords(const uint8_t *a, const uint8_t *b,
                                 int64_t rows, int64_t columns) {
  return equalTransposed(rows, columns, [&](int64_t i, int64_t j) {
    return std::memcmp(a + i * sizeof(T), b + j * sizeof(T), sizeof(T)) == 0;
  });
}

/// What each f16 is as f32, and which f32 round to it (to nearest even). A
/// baseline x86 converts in software, at tens of nanoseconds an element.
struct HalfTables {
  std::vector<float> value, low, high;

  HalfTables() : value(1 << 16), low(1 << 16), high(1 << 16) {
    constexpr unsigned infinity = 0x7C00, sign = 0x8000;
    for (unsigned code = 0; code < value.size(); ++code) {
      auto bits = static_cast<uint16_t>(code);
      _Float16 half;
      std::memcpy(&half, &bits, 2);
      value[code] = static_cast<float>(half);
    }
    // Midpoints between neighbours are exact in f32; ties go to even codes.
    auto midpoint = [&](unsigned code) {
      return code == infinity - 1
                 ? value[code] + 16
                 : value[code] + (value[code + 1] - value[code]) / 2;
    };
    for (unsigned code = 0; code < sign; ++code) {
      bool odd = code & 1;
      float lower = code == 0 ? -midpoint(0) : midpoint(code - 1);
      float upper = code >= infinity ? value[infinity] : midpoint(code);
      low[code] = odd ? std::nextafter(lower, upper) : lower;
      high[code] = odd ? std::nextafter(upper, lower) : upper;
      if (code > infinity) { // Not a number.
        low[code] = 1;
        high[code] = 0;
      }
      low[code | sign] = -high[code];
      high[code | sign] = -low[code];
      if (code > infinity) {
        low[code | sign] = 1;
        high[code | sign] = 0;
      }
    }
  }
};

static const HalfTables &getHalfTables() {
  static const HalfTables tables;
  return tables;
}

static uint16_t readBits16(const uint8_t *bytes, int64_t i) {
  uint16_t bits;
  std::memcpy(&bits, bytes + 2 * i, 2);
  return bits;
}

/// Element `i` of f32, f16 or bf16 values, exactly.
static float readFloat(DataType type, const uint8_t *bytes, int64_t i) {
  float value;
  if (type == DataType::F32) {
    std::memcpy(&value, bytes + 4 * i, 4);
  } else if (type == DataType::F16) {
    value = getHalfTables().value[readBits16(bytes, i)];
  } else {
    uint32_t bits = static_cast<uint32_t>(readBits16(bytes, i)) << 16;
    std::memcpy(&value, &bits, 4);
  }
  return value;
}

/// Whether `value`, rounded to nearest even, is element `i` of `type`.
static bool roundsTo(float value, DataType type, const uint8_t *bytes,
                     int64_t i) {
  if (type == DataType::F32)
    return value == readFloat(type, bytes, i);
  uint16_t code = readBits16(bytes, i);
  if (type == DataType::F16) {
    const HalfTables &tables = getHalfTables();
    return tables.low[code] <= value && value <= tables.high[code];
  }
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return value == value && (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 == code;
}

static bool isNarrowFloat(DataType type) {
  return type == DataType::F32 || type == DataType::F16 ||
         type == DataType::BF16;
}

bool TensorMatcher::equals(RankedTensorType type, ArrayRef<uint8_t> bytes,
                           const storage::TensorView &tensor, bool transposed) {
  std::optional<DataType> own = getDataType(type.getElementType());
  if (!own || !hasShape(type, tensor, transposed))
    return false;
  SmallVector<int64_t> shape = squeeze(type.getShape());
  const uint8_t *theirs = tensor.bytes.data();
  bool sameType = *own == tensor.type ||
                  (*own == DataType::U8 && tensor.type == DataType::I8);
  if (sameType) {
    if (!transposed)
      return bytes == tensor.bytes;
    switch (storage::byteWidth(*own)) {
    case 1:
      return equalTransposedWords<uint8_t>(bytes.data(), theirs, shape[0],
                                           shape[1]);
    case 2:
      return equalTransposedWords<uint16_t>(bytes.data(), theirs, shape[0],
                                            shape[1]);
    case 4:
      return equalTransposedWords<uint32_t>(bytes.data(), theirs, shape[0],
                                            shape[1]);
    default:
      return equalTransposedWords<uint64_t>(bytes.data(), theirs, shape[0],
                                            shape[1]);
    }
  }
  if (!isNarrowFloat(*own) || !isNarrowFloat(tensor.type))
    return false;
  auto equal = [&](int64_t i, int64_t j) {
    return roundsTo(readFloat(tensor.type, theirs, j), *own, bytes.data(), i);
  };
  if (transposed)
    return equalTransposed(shape[0], shape[1], equal);
  for (int64_t i = 0, count = type.getNumElements(); i < count; ++i)
    if (!equal(i, i))
      return false;
  return true;
}

SmallVector<TensorMatch> TensorMatcher::find(RankedTensorType type,
                                             ArrayRef<uint8_t> bytes) const {
  SmallVector<TensorMatch> matches;
  auto candidates = byElements.find(type.getNumElements());
  std::optional<DataType> own = getDataType(type.getElementType());
  if (!own || candidates == byElements.end())
    return matches;
  for (bool converted : {false, true}) {
    for (bool transposed : {false, true}) {
      for (const storage::Parameter *parameter : candidates->second) {
        const storage::TensorView &tensor = parameter->tensor;
        if ((storage::byteWidth(tensor.type) != storage::byteWidth(*own) ||
             (tensor.type != *own && isNarrowFloat(*own))) != converted)
          continue;
        if (equals(type, bytes, tensor, transposed))
          matches.push_back({parameter, transposed, converted});
      }
      if (!matches.empty())
        return matches;
    }
  }
  return matches;
}
