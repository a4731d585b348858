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

#include "qk/Storage/Safetensors.h"
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace qk::storage {

/// A tensor together with the file that keeps it mapped.
struct Parameter {
  std::shared_ptr<const SafetensorsFile> file;
  TensorView tensor;
};

/// Thread-safe. Files are known by their real path, size and time of change: a
/// file that was written anew is mapped anew, while holders of the old mapping
/// keep the old bytes (our writers rename, so those stay intact).
class ParameterStore {
public:
  /// Opens or shares the file.
  llvm::Expected<std::shared_ptr<const SafetensorsFile>>
  open(llvm::StringRef path);

  /// Names a scope: find(scope, ...) looks in `path` from now on. A scope may
  /// have several files (shards), searched in the order bound; opening them is
  /// left to the first find(). Binding the same path again changes nothing.
  void bind(llvm::StringRef scope, llvm::StringRef path);

  /// The files bound to a scope, in order.
  std::vector<std::string> boundTo(llvm::StringRef scope) const;

  /// The parameter `name` of `scope`. A scope that nobody bound is taken for a
  /// path of a file. Errors: nothing bound and no such file, an invalid file, a
  /// name that is in none (with the closest one that is).
  llvm::Expected<Parameter> find(llvm::StringRef scope, llvm::StringRef name);

private:
  struct Key;
  struct Cached {
    uint64_t size;
    int64_t changed;
    uint64_t inode;
    std::shared_ptr<const SafetensorsFile> file;
  };

  mutable std::mutex mutex;
  std::map<std::string, Cached> files;
  std::map<std::string, std::vector<std::string>> scopes;
};

/// `path` as seen from the folder of `moduleFile` ("" or "-": the working
/// folder); an absolute path stays.
std::string resolvePath(llvm::StringRef path, llvm::StringRef moduleFile);

} // namespace qk::storage

#endif // QK_STORAGE_PARAMETERSTORE_H
