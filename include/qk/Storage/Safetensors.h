//===- Safetensors.h - mapped reader and atomic writer ----------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//
//
// The safetensors format: eight bytes with the length of the header (little
// endian), a JSON header {name: {dtype, shape, data_offsets: [begin, end]}},
// then the data; offsets count from the end of the header. An entry
// "__metadata__" maps strings to strings.
//
// The reader takes any file as hostile: what it hands out is checked for
// header length, JSON, duplicate names, dtype, shape (overflow too), shape
// against offsets, offsets against the file's size, and overlap. Errors start
// with the file and name the tensor.
//
//===----------------------------------------------------------------------===//

#ifndef QK_STORAGE_SAFETENSORS_H
#define QK_STORAGE_SAFETENSORS_H

#include "qk/Storage/DataType.h"
#include "qk/Storage/MappedFile.h"
#include "llvm/ADT/StringMap.h"
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace qk::storage {

/// A mapped safetensors file. Tensors are views of the mapping, never copies.
/// Immutable after open(): any number of threads may read.
class SafetensorsFile {
public:
  static llvm::Expected<std::shared_ptr<const SafetensorsFile>>
  open(llvm::StringRef path);

  llvm::StringRef path() const { return filePath; }

  /// All tensors in the order of their data in the file.
  llvm::ArrayRef<TensorView> tensors() const { return views; }

  /// The tensor, or nullptr.
  const TensorView *find(llvm::StringRef name) const;

  /// The tensor, or an error that names the file and the closest name in it.
  llvm::Expected<TensorView> get(llvm::StringRef name) const;

  /// get(), and its type must be `type` and its shape `shape` (a negative
  /// expected dimension matches any size).
  llvm::Expected<TensorView> get(llvm::StringRef name, DataType type,
                                 llvm::ArrayRef<int64_t> shape) const;

  const std::map<std::string, std::string> &metadata() const { return meta; }

private:
  struct Entry;
  explicit SafetensorsFile(MappedFile file) : file(std::move(file)) {}
  llvm::Error parse();

  MappedFile file;
  std::string filePath;
  std::map<std::string, std::string> meta;
  /// Owners of what the views refer to; a deque never moves its elements.
  std::deque<std::string> names;
  std::deque<std::vector<int64_t>> shapes;
  std::vector<TensorView> views;
  llvm::StringMap<size_t> index;
};

/// Writes a safetensors file: declare every tensor, then write their bytes in
/// the same order, whole or in pieces, then commit. The file's bytes depend
/// only on what was declared and written: entries keep the order of
/// declaration, metadata is sorted. Data starts at a multiple of 64 bytes; as
/// the format allows no gaps, later tensors are aligned only as far as the
/// sizes before them are multiples of 64: declare such tensors first.
class SafetensorsWriter {
public:
  explicit SafetensorsWriter(llvm::StringRef path) : path(path.str()) {}

  void setMetadata(llvm::StringRef key, llvm::StringRef value) {
    metadata[key.str()] = value.str();
  }

  /// Errors: a name declared twice or reserved, a shape that overflows, a
  /// declaration after the first write.
  llvm::Error declare(llvm::StringRef name, DataType type,
                      llvm::ArrayRef<int64_t> shape);

  /// Appends to the tensor that is next in order. Errors: `name` isn't that
  /// tensor, more bytes than declared, the device is full.
  llvm::Error write(llvm::StringRef name, llvm::ArrayRef<uint8_t> bytes);

  template <typename T>
  llvm::Error writeElements(llvm::StringRef name, llvm::ArrayRef<T> elements) {
    return write(name, llvm::ArrayRef<uint8_t>(
                           reinterpret_cast<const uint8_t *>(elements.data()),
                           elements.size() * sizeof(T)));
  }

  /// Checks that all bytes were written and puts the file in place.
  llvm::Error commit();

private:
  struct Declared {
    std::string name;
    DataType type;
    std::vector<int64_t> shape;
    uint64_t bytes;
  };
  llvm::Error start();
  void skipComplete();

  std::string path;
  std::map<std::string, std::string> metadata;
  std::vector<Declared> declared;
  llvm::StringMap<size_t> known;
  std::unique_ptr<AtomicFile> output;
  size_t current = 0;
  uint64_t writtenOfCurrent = 0;
};

} // namespace qk::storage

#endif // QK_STORAGE_SAFETENSORS_H
