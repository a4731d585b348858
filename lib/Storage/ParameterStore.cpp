//===- ParameterStore.cpp - shared mapped weight files ----------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#include "qk/Storage/ParameterStore.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace qk::storage {

std::optional<ParameterStore::Stamp> ParameterStore::stampOf(StringRef path) {
  SmallString<128> real;
  sys::fs::file_status status;
  if (sys::fs::real_path(path, real) || sys::fs::status(real, status))
    return std::nullopt;
  return Stamp{real.str().str(), status.getSize(),
               status.getLastModificationTime().time_since_epoch().count(),
               status.getUniqueID().getFile()};
}

std::vector<ParameterStore::Stamp>
ParameterStore::stampsOf(const Checkpoint &checkpoint) {
  std::vector<Stamp> stamps;
  auto add = [&](StringRef path) {
    // One that is gone by now has no stamp, and none that equals it.
    stamps.push_back(stampOf(path).value_or(Stamp()));
  };
  add(checkpoint.mainFile());
  for (const auto &file : checkpoint.files())
    add(file->path());
  return stamps;
}

Expected<std::shared_ptr<const SafetensorsFile>>
ParameterStore::openFile(StringRef path) {
  std::optional<Stamp> stamp = stampOf(path);
  if (!stamp)
    return SafetensorsFile::open(path); // Says why it can't be opened.

  // The lock is held while the file is parsed: two threads that ask for one
  // file must not map it twice.
  std::lock_guard<std::mutex> lock(mutex);
  auto it = files.find(stamp->path);
  if (it != files.end() && it->second.stamp == *stamp)
    return it->second.file;
  auto file = SafetensorsFile::open(path);
  if (!file)
    return file.takeError();
  files[stamp->path] = {*stamp, *file};
  return *file;
}

Expected<std::shared_ptr<const Checkpoint>>
ParameterStore::open(StringRef path) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    auto it = checkpoints.find(path.str());
    if (it != checkpoints.end() &&
        it->second.stamps == stampsOf(*it->second.checkpoint))
      return it->second.checkpoint;
  }
  auto checkpoint =
      Checkpoint::open(path, [&](StringRef file) { return openFile(file); });
  if (!checkpoint)
    return checkpoint.takeError();
  std::lock_guard<std::mutex> lock(mutex);
  checkpoints[path.str()] = {stampsOf(**checkpoint), *checkpoint};
  return *checkpoint;
}

std::string resolvePath(StringRef path, StringRef moduleFile) {
  if (moduleFile.empty() || moduleFile == "-" || sys::path::is_absolute(path))
    return path.str();
  SmallString<128> resolved = sys::path::parent_path(moduleFile);
  sys::path::append(resolved, path);
  return resolved.str().str();
}

} // namespace qk::storage
