//===- Rows.h - Activations as rows of f32 ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CALIBRATION_ROWS_H
#define QK_LIB_CALIBRATION_ROWS_H

#include "qk/Execution/Tensor.h"

#include <cstring>
#include <vector>

namespace qk::calibration {

/// Element `i` of an array of f16, bf16 or f32.
inline float readElement(storage::DataType type, const void *x, int64_t i) {
  if (type == storage::DataType::F16)
    return static_cast<float>(static_cast<const _Float16 *>(x)[i]);
  if (type == storage::DataType::BF16) {
    uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t *>(x)[i])
                    << 16;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }
  return static_cast<const float *>(x)[i];
}

/// The elements of tensors as f32; in place where they are.
class FloatRows {
public:
  /// Valid until the next call, and as long as the tensor.
  llvm::ArrayRef<float> read(const Tensor &tensor) {
    if (tensor.type == storage::DataType::F32)
      return tensor.as<float>();
    buffer.resize(tensor.numElements());
    for (int64_t i = 0; i < tensor.numElements(); ++i)
      buffer[i] = readElement(tensor.type, tensor.data, i);
    return buffer;
  }

private:
  std::vector<float> buffer;
};

} // namespace qk::calibration

#endif // QK_LIB_CALIBRATION_ROWS_H
