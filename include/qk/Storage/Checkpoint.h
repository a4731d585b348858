//===- Checkpoint.h - a model's weights, in one file or many ----*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//
//
// What users call a checkpoint: a safetensors file, or an index
// (`model.safetensors.index.json`, as transformers writes it: an object with
// "weight_map", from tensor names to names of shards beside the index), or a
// folder with either.
//
//===----------------------------------------------------------------------===//

#ifndef QK_STORAGE_CHECKPOINT_H
#define QK_STORAGE_CHECKPOINT_H

#include "qk/Storage/Safetensors.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <memory>
#include <string>
#include <vector>

namespace qk::storage {

/// A tensor together with the file that keeps it mapped.
struct Parameter {
  std::shared_ptr<const SafetensorsFile> file;
  TensorView tensor;
};

/// Mapped, never copied. Immutable after open(): any number of threads may
/// read.
class Checkpoint {
public:
  using OpenFile =
      llvm::function_ref<llvm::Expected<std::shared_ptr<const SafetensorsFile>>(
          llvm::StringRef path)>;

  /// Opens all files. Of a folder, model.safetensors is taken, else the index.
  /// Errors start with the file: none of these in a folder, an index that is no
  /// such JSON, a shard outside the index's folder, a missing or invalid shard,
  /// a tensor that isn't in the shard the index gives, or in two.
  static llvm::Expected<std::shared_ptr<const Checkpoint>>
  open(llvm::StringRef path, OpenFile openFile = SafetensorsFile::open);

  /// As given to open().
  llvm::StringRef path() const { return givenPath; }

  /// What decides whether an open checkpoint is still what its path names: the
  /// file, or the index.
  llvm::StringRef mainFile() const { return mainPath; }

  llvm::ArrayRef<std::shared_ptr<const SafetensorsFile>> files() const {
    return shards;
  }

  /// All tensors: shards in the order in which the index first names them, each
  /// in the order of its data.
  llvm::ArrayRef<Parameter> tensors() const { return parameters; }

  /// The tensor, or nullptr.
  const Parameter *find(llvm::StringRef name) const;

  /// The tensor, or an error that names the file and the closest name in it.
  llvm::Expected<Parameter> get(llvm::StringRef name) const;

  /// get(), and its type must be `type` and its shape `shape`.
  llvm::Expected<Parameter> get(llvm::StringRef name, DataType type,
                                llvm::ArrayRef<int64_t> shape) const;

private:
  Checkpoint() = default;
  llvm::Error readIndex(OpenFile openFile);
  void add(const std::shared_ptr<const SafetensorsFile> &file,
           const TensorView &tensor);

  std::string givenPath;
  std::string mainPath;
  std::vector<std::shared_ptr<const SafetensorsFile>> shards;
  std::vector<Parameter> parameters;
  llvm::StringMap<size_t> index;
};

/// The name in `names` that differs least from `name`, if any is near: at most
/// a third of its letters.
llvm::StringRef nearestName(llvm::StringRef name,
                            llvm::ArrayRef<llvm::StringRef> names);

} // namespace qk::storage

#endif // QK_STORAGE_CHECKPOINT_H
