//===- Tensor.h - Arrays that go into and come out of a model ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_EXECUTION_TENSOR_H
#define QK_EXECUTION_TENSOR_H

#include "qk/Storage/DataType.h"
#include <memory>
#include <string>
#include <vector>

namespace qk {

/// A dense row-major array. Copies share the bytes, which `owner` keeps alive
/// (a mapped file, or memory that a model allocated).
struct Tensor {
  storage::DataType type = storage::DataType::F32;
  std::vector<int64_t> shape;
  const uint8_t *data = nullptr;
  std::shared_ptr<const void> owner;

  int64_t numElements() const {
    int64_t count = 1;
    for (int64_t size : shape)
      count *= size;
    return count;
  }
  llvm::ArrayRef<uint8_t> bytes() const {
    return {data, static_cast<size_t>(numElements() * byteWidth(type))};
  }
  template <typename T> llvm::ArrayRef<T> as() const {
    return {reinterpret_cast<const T *>(data),
            static_cast<size_t>(numElements())};
  }
  std::string describe() const { return storage::describe(type, shape); }

  /// Zero-initialised memory of its own, 64-byte aligned.
  static Tensor allocate(storage::DataType type, llvm::ArrayRef<int64_t> shape);
  /// The bytes of a mapped tensor, not copied.
  static Tensor view(const storage::TensorView &view,
                     std::shared_ptr<const void> owner);
  /// Element `index` of the leading dimension.
  Tensor slice(int64_t index) const;
  /// An F32 tensor rounded to BF16 (to nearest, ties to even).
  Tensor toBF16() const;
  /// All elements converted to f64.
  std::vector<double> toDoubles() const;
};

} // namespace qk

#endif // QK_EXECUTION_TENSOR_H
