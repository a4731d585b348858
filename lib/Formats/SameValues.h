//===- SameValues.h - One tensor in two float types -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_FORMATS_SAMEVALUES_H
#define QK_LIB_FORMATS_SAMEVALUES_H

#include "qk/Storage/DataType.h"

namespace qk::formats {

/// Whether `bytes`, of elements of `type`, are `source`, bit for bit or rounded
/// (to nearest, ties to even) or widened to another float type.
bool sameValues(const storage::TensorView &source, storage::DataType type,
                llvm::ArrayRef<uint8_t> bytes);

} // namespace qk::formats

#endif // QK_LIB_FORMATS_SAMEVALUES_H
