//===- DataType.h - element types of stored tensors -------------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//
//
// The element types that safetensors and .npy files share, and a view of one
// tensor's bytes. Nothing here knows MLIR; the dialect maps these to its types.
//
//===----------------------------------------------------------------------===//

#ifndef QK_STORAGE_DATATYPE_H
#define QK_STORAGE_DATATYPE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <optional>
#include <string>

namespace qk::storage {

/// Element types, little-endian in memory and in files. Bool is one byte, 0 or
/// 1. F8E4M3 (safetensors' F8_E4M3) is float8_e4m3fn, which .npy files don't
/// have.
enum class DataType : uint8_t {
  Bool,
  U8,
  I8,
  U16,
  I16,
  F16,
  BF16,
  U32,
  I32,
  F32,
  U64,
  I64,
  F64,
  F8E4M3
};

/// Bytes of one element.
int64_t byteWidth(DataType type);

/// The name that safetensors headers and our messages use: "F32", "BOOL", ...
llvm::StringRef spelling(DataType type);

/// The inverse of spelling().
std::optional<DataType> parseDataType(llvm::StringRef name);

/// "F32[64x172]", "I64[]": how messages show a tensor's type.
std::string describe(DataType type, llvm::ArrayRef<int64_t> shape);

/// Bytes of a dense tensor, or nothing when a dimension is negative or the
/// product does not fit 63 bits.
std::optional<int64_t> byteSize(DataType type, llvm::ArrayRef<int64_t> shape);

/// One tensor inside a mapped file: row major, no padding. Everything refers to
/// the file object that handed it out and lives as long as that.
struct TensorView {
  llvm::StringRef name;
  DataType type = DataType::F32;
  llvm::ArrayRef<int64_t> shape;
  llvm::ArrayRef<uint8_t> bytes;
  /// Offset of the first byte from the start of the file.
  uint64_t fileOffset = 0;

  int64_t numElements() const {
    return static_cast<int64_t>(bytes.size()) / byteWidth(type);
  }

  /// Whether the mapped address is a multiple of `alignment` bytes. Files
  /// written by others often are not aligned: who needs it, asks and copies.
  bool isAligned(uint64_t alignment) const {
    return reinterpret_cast<uintptr_t>(bytes.data()) % alignment == 0;
  }

  /// The elements as `T`; the caller has checked `type` and alignment.
  template <typename T> llvm::ArrayRef<T> as() const {
    return {reinterpret_cast<const T *>(bytes.data()),
            bytes.size() / sizeof(T)};
  }
};

/// An llvm::Error with a plain message.
llvm::Error makeError(const llvm::Twine &message);

} // namespace qk::storage

#endif // QK_STORAGE_DATATYPE_H
