//===- ParameterStore.cpp - shared mapped weight files ----------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#include "qk/Storage/ParameterStore.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace qk::storage {

Expected<std::shared_ptr<const SafetensorsFile>>
ParameterStore::open(StringRef path) {
  SmallString<128> real;
  sys::fs::file_status status;
  if (sys::fs::real_path(path, real) || sys::fs::status(real, status))
    return SafetensorsFile::open(path); // Says why it can't be opened.
  int64_t changed = status.getLastModificationTime().time_since_epoch().count();
  uint64_t inode = status.getUniqueID().getFile();

  // The lock is held while the file is parsed: two threads that ask for one
  // file must not map it twice.
  std::lock_guard<std::mutex> lock(mutex);
  auto it = files.find(real.str().str());
  if (it != files.end() && it->second.size == status.getSize() &&
      it->second.changed == changed && it->second.inode == inode)
    return it->second.file;
  auto file = SafetensorsFile::open(path);
  if (!file)
    return file.takeError();
  files[real.str().str()] = {status.getSize(), changed, inode, *file};
  return *file;
}

void ParameterStore::bind(StringRef scope, StringRef path) {
  std::lock_guard<std::mutex> lock(mutex);
  std::vector<std::string> &paths = scopes[scope.str()];
  if (!llvm::is_contained(paths, path))
    paths.push_back(path.str());
}

std::vector<std::string> ParameterStore::boundTo(StringRef scope) const {
  std::lock_guard<std::mutex> lock(mutex);
  auto it = scopes.find(scope.str());
  return it == scopes.end() ? std::vector<std::string>() : it->second;
}

Expected<Parameter> ParameterStore::find(StringRef scope, StringRef name) {
  std::vector<std::string> paths = boundTo(scope);
  if (paths.empty()) {
    if (!sys::fs::exists(scope))
      return makeError("parameter '" + Twine(scope) + "'::'" + name +
                       "': no weights are bound to scope '" + scope +
                       "' and no file has that name; give --weights=FILE");
    paths.push_back(scope.str());
  }
  Error missing = Error::success();
  for (StringRef path : paths) {
    auto file = open(path);
    if (!file)
      return joinErrors(std::move(missing), file.takeError());
    Expected<TensorView> tensor = (*file)->get(name);
    if (tensor) {
      consumeError(std::move(missing));
      return Parameter{*file, *tensor};
    }
    missing = joinErrors(std::move(missing), tensor.takeError());
  }
  return std::move(missing);
}

std::string resolvePath(StringRef path, StringRef moduleFile) {
  if (moduleFile.empty() || moduleFile == "-" || sys::path::is_absolute(path))
    return path.str();
  SmallString<128> resolved = sys::path::parent_path(moduleFile);
  sys::path::append(resolved, path);
  return resolved.str().str();
}

} // namespace qk::storage
