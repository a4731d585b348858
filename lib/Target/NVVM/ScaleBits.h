//===- ScaleBits.h - Scales as they are stored ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_SCALEBITS_H
#define QK_LIB_TARGET_NVVM_SCALEBITS_H

#include "qk/Numerics/Scheme.h"

#include <bit>

namespace qk::nvvm {

/// Scales are exact in their type already; conversion only changes the bits.
inline uint32_t scaleBits(float value, numerics::ScaleType type) {
  switch (type) {
  case numerics::ScaleType::F32:
    return std::bit_cast<uint32_t>(value);
  case numerics::ScaleType::BF16:
    return std::bit_cast<uint32_t>(value) >> 16;
  case numerics::ScaleType::F16:
    return std::bit_cast<uint16_t>(static_cast<_Float16>(value));
  }
  return 0;
}

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_SCALEBITS_H
