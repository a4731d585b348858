//===- Tensor.cpp - Arrays that go into and come out of a model -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Execution/Tensor.h"
#include "llvm/ADT/APFloat.h"
#include <cstdlib>
#include <cstring>

using namespace qk;
using storage::DataType;

Tensor Tensor::allocate(DataType type, llvm::ArrayRef<int64_t> shape) {
  Tensor tensor;
  tensor.type = type;
  tensor.shape = shape.vec();
  size_t size = tensor.numElements() * byteWidth(type);
  void *memory = std::aligned_alloc(64, (size + 63) / 64 * 64 + 64);
  std::memset(memory, 0, size);
  tensor.data = static_cast<const uint8_t *>(memory);
  tensor.owner = std::shared_ptr<const void>(
      memory, [](const void *p) { std::free(const_cast<void *>(p)); });
  return tensor;
}

Tensor Tensor::view(const storage::TensorView &view,
                    std::shared_ptr<const void> owner) {
  Tensor tensor;
  tensor.type = view.type;
  tensor.shape = view.shape.vec();
  tensor.data = view.bytes.data();
  tensor.owner = std::move(owner);
  return tensor;
}

Tensor Tensor::slice(int64_t index) const {
  Tensor part = *this;
  part.shape.erase(part.shape.begin());
  part.data += index * part.numElements() * byteWidth(type);
  return part;
}

Tensor Tensor::toBF16() const {
  Tensor result = allocate(DataType::BF16, shape);
  auto *to = const_cast<uint8_t *>(result.data);
  for (int64_t i = 0, end = numElements(); i < end; ++i) {
    float element;
    std::memcpy(&element, data + i * sizeof(float), sizeof(float));
    llvm::APFloat value(element);
    bool lost;
    value.convert(llvm::APFloat::BFloat(), llvm::APFloat::rmNearestTiesToEven,
                  &lost);
    auto bits = static_cast<uint16_t>(value.bitcastToAPInt().getZExtValue());
    std::memcpy(to + i * sizeof(bits), &bits, sizeof(bits));
  }
  return result;
}

namespace {
template <typename T>
void widen(const Tensor &tensor, std::vector<double> &values) {
  for (int64_t i = 0, end = tensor.numElements(); i < end; ++i) {
    T element; // The bytes of a mapped file may not be aligned.
    std::memcpy(&element, tensor.data + i * sizeof(T), sizeof(T));
    values.push_back(static_cast<double>(element));
  }
}

void widenSmall(const Tensor &tensor, const llvm::fltSemantics &semantics,
                std::vector<double> &values) {
  for (int64_t i = 0, end = tensor.numElements(); i < end; ++i) {
    uint16_t bits;
    std::memcpy(&bits, tensor.data + 2 * i, 2);
    llvm::APFloat value(semantics, llvm::APInt(16, bits));
    bool lost;
    value.convert(llvm::APFloat::IEEEdouble(),
                  llvm::APFloat::rmNearestTiesToEven, &lost);
    values.push_back(value.convertToDouble());
  }
}
} // namespace

std::vector<double> Tensor::toDoubles() const {
  std::vector<double> values;
  values.reserve(numElements());
  switch (type) {
  case DataType::Bool:
  case DataType::U8:
    widen<uint8_t>(*this, values);
    break;
  case DataType::I8:
    widen<int8_t>(*this, values);
    break;
  case DataType::U16:
    widen<uint16_t>(*this, values);
    break;
  case DataType::I16:
    widen<int16_t>(*this, values);
    break;
  case DataType::U32:
    widen<uint32_t>(*this, values);
    break;
  case DataType::I32:
    widen<int32_t>(*this, values);
    break;
  case DataType::U64:
    widen<uint64_t>(*this, values);
    break;
  case DataType::I64:
    widen<int64_t>(*this, values);
    break;
  case DataType::F32:
    widen<float>(*this, values);
    break;
  case DataType::F64:
    widen<double>(*this, values);
    break;
  case DataType::F16:
    widenSmall(*this, llvm::APFloat::IEEEhalf(), values);
    break;
  case DataType::BF16:
    widenSmall(*this, llvm::APFloat::BFloat(), values);
    break;
  case DataType::F8E4M3:
    widenSmall(*this, llvm::APFloat::Float8E4M3FN(), values);
    break;
  }
  return values;
}
