//===- Npy.h - reader and writer of numpy's .npy files ----------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//
//
// Format versions 1.0 and 2.0, C order, little endian, types f2 f4 f8 i1 i2 i4
// i8 u1 u2 u4 u8 and bool. bf16 has no type code in numpy and is not read.
// Specification: numpy/lib/format.py, "Format Version 1.0".
//
//===----------------------------------------------------------------------===//

#ifndef QK_STORAGE_NPY_H
#define QK_STORAGE_NPY_H

#include "qk/Storage/DataType.h"
#include "qk/Storage/MappedFile.h"
#include <memory>
#include <string>
#include <vector>

namespace qk::storage {

/// A mapped .npy file with one array; every header is taken as hostile.
class NpyFile {
public:
  static llvm::Expected<std::shared_ptr<const NpyFile>>
  open(llvm::StringRef path);

  llvm::StringRef path() const { return filePath; }
  const TensorView &tensor() const { return view; }

private:
  explicit NpyFile(MappedFile file) : file(std::move(file)) {}
  llvm::Error parse();

  MappedFile file;
  std::string filePath;
  std::vector<int64_t> shape;
  TensorView view;
};

/// Writes version 1.0 with 64-byte aligned data, atomically. BF16 is an error
/// (numpy has no such type): convert to F32 first or write safetensors.
llvm::Error writeNpy(llvm::StringRef path, DataType type,
                     llvm::ArrayRef<int64_t> shape,
                     llvm::ArrayRef<uint8_t> bytes);

} // namespace qk::storage

#endif // QK_STORAGE_NPY_H
