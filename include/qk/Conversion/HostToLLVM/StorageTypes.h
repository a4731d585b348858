//===- StorageTypes.h - MLIR element types and stored ones ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_HOSTTOLLVM_STORAGETYPES_H
#define QK_CONVERSION_HOSTTOLLVM_STORAGETYPES_H

#include "mlir/IR/BuiltinTypes.h"
#include "qk/Storage/DataType.h"

namespace qk {

/// The stored form of an element type as buffers hold it: signless and signed
/// integers are I8..I64, unsigned ones U8..U64, i1 is a byte, index is I64.
/// Nothing for types without one (i4, f8, complex).
inline std::optional<storage::DataType> storageTypeOf(mlir::Type type) {
  using storage::DataType;
  if (type.isF16())
    return DataType::F16;
  if (type.isBF16())
    return DataType::BF16;
  if (type.isF32())
    return DataType::F32;
  if (type.isF64())
    return DataType::F64;
  if (type.isIndex())
    return DataType::I64;
  auto integer = llvm::dyn_cast<mlir::IntegerType>(type);
  if (!integer)
    return std::nullopt;
  bool isUnsigned = integer.isUnsigned();
  switch (integer.getWidth()) {
  case 1:
    return DataType::Bool;
  case 8:
    return isUnsigned ? DataType::U8 : DataType::I8;
  case 16:
    return isUnsigned ? DataType::U16 : DataType::I16;
  case 32:
    return isUnsigned ? DataType::U32 : DataType::I32;
  case 64:
    return isUnsigned ? DataType::U64 : DataType::I64;
  default:
    return std::nullopt;
  }
}

/// Whether data stored as `stored` may be read as `wanted`: the same type, or
/// integers that differ in sign only, which MLIR's signless types can't tell.
inline bool mayReadAs(storage::DataType stored, storage::DataType wanted) {
  using storage::DataType;
  auto signless = [](DataType type) {
    switch (type) {
    case DataType::U8:
      return DataType::I8;
    case DataType::U16:
      return DataType::I16;
    case DataType::U32:
      return DataType::I32;
    case DataType::U64:
      return DataType::I64;
    default:
      return type;
    }
  };
  return signless(stored) == signless(wanted);
}

} // namespace qk

#endif // QK_CONVERSION_HOSTTOLLVM_STORAGETYPES_H
