//===- MappedFile.h - read-only mapping and atomic output -------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#ifndef QK_STORAGE_MAPPEDFILE_H
#define QK_STORAGE_MAPPEDFILE_H

#include "qk/Storage/DataType.h"
#include "llvm/Support/FileSystem.h"
#include <memory>

namespace qk::storage {

/// A regular file mapped read-only. An empty file maps to no bytes.
class MappedFile {
public:
  static llvm::Expected<MappedFile> open(llvm::StringRef path);

  llvm::ArrayRef<uint8_t> bytes() const { return contents; }

private:
  MappedFile() = default;

  std::unique_ptr<llvm::sys::fs::mapped_file_region> region;
  llvm::ArrayRef<uint8_t> contents;
};

/// Output that appears under its name only when complete: bytes go to a
/// temporary file in the same folder, commit() renames it. Destroyed without
/// commit(), nothing remains. "-" and special files (pipes, /dev/stdout) are
/// written directly.
class AtomicFile {
public:
  static llvm::Expected<AtomicFile> create(llvm::StringRef path);
  AtomicFile(AtomicFile &&) noexcept;
  AtomicFile &operator=(AtomicFile &&) noexcept;
  ~AtomicFile();

  llvm::Error write(llvm::ArrayRef<uint8_t> bytes);
  llvm::Error write(llvm::StringRef text) {
    return write(llvm::ArrayRef<uint8_t>(
        reinterpret_cast<const uint8_t *>(text.data()), text.size()));
  }
  llvm::Error commit();
  llvm::StringRef path() const;

private:
  struct State;
  explicit AtomicFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

} // namespace qk::storage

#endif // QK_STORAGE_MAPPEDFILE_H
