//===- OutputFolder.cpp - A folder that appears when complete -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OutputFolder.h"

#include "qk/Storage/MappedFile.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace qk;
using namespace qk::formats;
using storage::makeError;

static Error failed(const Twine &path, std::error_code code) {
  return makeError(path + ": can't be written: " + code.message());
}

OutputFolder::OutputFolder(OutputFolder &&other) noexcept
    : path(std::move(other.path)), temporary(std::move(other.temporary)) {
  other.temporary.clear();
}

OutputFolder::~OutputFolder() {
  if (!temporary.empty())
    sys::fs::remove_directories(temporary, /*IgnoreErrors=*/true);
}

Expected<OutputFolder> OutputFolder::create(StringRef path) {
  OutputFolder folder;
  SmallString<256> absolute(path);
  sys::fs::make_absolute(absolute);
  sys::path::remove_dots(absolute, /*remove_dot_dot=*/true);
  folder.path = absolute.str().str();
  if (sys::fs::exists(absolute)) {
    std::error_code code;
    bool empty = sys::fs::is_directory(absolute) &&
                 sys::fs::directory_iterator(absolute, code) ==
                     sys::fs::directory_iterator();
    if (!empty || code)
      return makeError(path + ": expected a folder that is not there or empty, "
                              "got one that isn't; remove it or name another");
  }
  StringRef parent = sys::path::parent_path(absolute);
  if (std::error_code code = sys::fs::create_directories(parent))
    return failed(parent, code);
  SmallString<256> temporary;
  if (std::error_code code =
          sys::fs::createUniqueDirectory(absolute + ".tmp", temporary))
    return failed(path, code);
  // Made for its owner alone; the result is for whom the umask says.
  if (std::error_code code = sys::fs::setPermissions(
          temporary, static_cast<sys::fs::perms>(0777 & ~sys::fs::getUmask())))
    return failed(path, code);
  folder.temporary = temporary.str().str();
  return std::move(folder);
}

Expected<std::string> OutputFolder::file(StringRef name) const {
  SmallString<256> file(temporary);
  sys::path::append(file, name);
  StringRef parent = sys::path::parent_path(file);
  if (std::error_code code = sys::fs::create_directories(parent))
    return failed(parent, code);
  return file.str().str();
}

Error OutputFolder::write(StringRef name, StringRef text) const {
  Expected<std::string> file = this->file(name);
  if (!file)
    return file.takeError();
  auto output = storage::AtomicFile::create(*file);
  if (!output)
    return output.takeError();
  if (Error error = output->write(text))
    return error;
  return output->commit();
}

Error OutputFolder::copy(StringRef from, StringRef name) const {
  Expected<std::string> file = this->file(name);
  if (!file)
    return file.takeError();
  if (std::error_code code = sys::fs::copy_file(from, *file))
    return makeError(from + ": can't be copied to " + *file + ": " +
                     code.message());
  return Error::success();
}

Error OutputFolder::copyOthers(StringRef from,
                               ArrayRef<StringRef> except) const {
  static constexpr StringLiteral kWeights[] = {
      ".safetensors", ".index.json", ".bin",  ".pt",      ".pth",  ".gguf",
      ".onnx",        ".h5",         ".ckpt", ".msgpack", ".mlir", ".npz"};
  if (from.empty())
    from = ".";
  std::error_code code;
  std::vector<std::string> names;
  for (sys::fs::directory_iterator it(from, code), end; it != end && !code;
       it.increment(code))
    names.push_back(sys::path::filename(it->path()).str());
  if (code)
    return makeError(from + ": can't be read: " + code.message());
  sort(names);
  for (StringRef name : names) {
    if (name.starts_with(".") || is_contained(except, name) ||
        any_of(kWeights, [&](StringRef end) { return name.ends_with(end); }))
      continue;
    SmallString<256> path(from);
    sys::path::append(path, name);
    if (!sys::fs::is_regular_file(path))
      continue;
    if (Error error = copy(path, name))
      return error;
  }
  return Error::success();
}

Error OutputFolder::commit() {
  // Takes the place of an empty folder.
  if (std::error_code code = sys::fs::rename(temporary, path))
    return failed(path, code);
  temporary.clear();
  return Error::success();
}
