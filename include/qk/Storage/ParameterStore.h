//===- ParameterStore.h - shared mapped weight files ------------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//
//
// Opens each weight file once and shares the mapping among all that ask. A
// parameter keeps its file mapped by reference count, so the store itself may
// go first. Nothing is ever copied.
//
//===----------------------------------------------------------------------===//

#ifndef QK_STORAGE_PARAMETERSTORE_H
#define QK_STORAGE_PARAMETERSTORE_H

#include "qk/Storage/Checkpoint.h"
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace qk::storage {

/// Thread-safe. Files are known by their real path, size and time of change: a
/// file that was written anew is mapped anew, while holders of the old mapping
/// keep the old bytes (our writers rename, so those stay intact).
class ParameterStore {
public:
  /// Opens or shares a file.
  llvm::Expected<std::shared_ptr<const SafetensorsFile>>
  openFile(llvm::StringRef path);

  /// Opens or shares a checkpoint; see Checkpoint::open.
  llvm::Expected<std::shared_ptr<const Checkpoint>> open(llvm::StringRef path);

private:
  /// What a file was when it was opened.
  struct Stamp {
    std::string path;
    uint64_t size = 0;
    int64_t changed = 0;
    uint64_t inode = 0;
    bool operator==(const Stamp &) const = default;
  };
  struct CachedFile {
    Stamp stamp;
    std::shared_ptr<const SafetensorsFile> file;
  };
  struct CachedCheckpoint {
    std::vector<Stamp> stamps;
    std::shared_ptr<const Checkpoint> checkpoint;
  };
  static std::optional<Stamp> stampOf(llvm::StringRef path);
  static std::vector<Stamp> stampsOf(const Checkpoint &checkpoint);

  std::mutex mutex;
  std::map<std::string, CachedFile> files;
  std::map<std::string, CachedCheckpoint> checkpoints;
};

/// `path` as seen from the folder of `moduleFile` ("" or "-": the working
/// folder); an absolute path stays.
std::string resolvePath(llvm::StringRef path, llvm::StringRef moduleFile);

} // namespace qk::storage

#endif // QK_STORAGE_PARAMETERSTORE_H
