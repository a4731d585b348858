//===- StorageTest.h - temporary folders and error texts --------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#ifndef QK_TEST_UNIT_STORAGE_STORAGETEST_H
#define QK_TEST_UNIT_STORAGE_STORAGETEST_H

#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "gtest/gtest.h"
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace qk::storage::test {

/// The message of an error, "" on success.
inline std::string textOf(llvm::Error error) {
  return error ? llvm::toString(std::move(error)) : std::string();
}

template <typename T> std::string textOf(llvm::Expected<T> value) {
  return value ? std::string() : llvm::toString(value.takeError());
}

/// A folder that goes with the test.
class TemporaryFolder {
public:
  TemporaryFolder() {
    llvm::SmallString<128> made;
    (void)llvm::sys::fs::createUniqueDirectory("qk-storage", made);
    root = made.str().str();
  }
  ~TemporaryFolder() { std::filesystem::remove_all(root); }

  std::string path(llvm::StringRef name) const {
    return root + "/" + name.str();
  }
  std::string write(llvm::StringRef name, llvm::StringRef bytes) const {
    std::ofstream(path(name), std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path(name);
  }
  std::string read(llvm::StringRef name) const {
    std::ifstream in(path(name), std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  size_t count() const {
    return std::distance(std::filesystem::directory_iterator(root),
                         std::filesystem::directory_iterator());
  }

private:
  std::string root;
};

} // namespace qk::storage::test

#endif // QK_TEST_UNIT_STORAGE_STORAGETEST_H
