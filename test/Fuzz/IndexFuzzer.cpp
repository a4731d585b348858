//===- IndexFuzzer.cpp - Any index of shards, any shards ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The input is the text of a model.safetensors.index.json and, each behind a
// zero byte, up to two shards, which have the names in turn in which they are
// asked for (further ones are missing). A shard outside the index's folder is
// never opened; a tensor is found once, in the shard that the index gives.
//
//===----------------------------------------------------------------------===//

#include "MemoryFile.h"

#include "qk/Storage/Checkpoint.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"

#include <cstring>
#include <fstream>
#include <set>
#include <vector>

using namespace qk;

static void check(bool condition) {
  if (!condition)
    std::abort();
}

/// A folder of this process, removed at its end.
static const std::string &folder() {
  struct Folder {
    std::string path;
    Folder() {
      llvm::SmallString<128> made;
      check(!llvm::sys::fs::createUniqueDirectory("qk-index-fuzzer", made));
      path = made.str().str();
    }
    ~Folder() {
      unlink((path + "/model.safetensors.index.json").c_str());
      rmdir(path.c_str());
    }
  };
  static const Folder made;
  return made.path;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::vector<llvm::StringRef> parts;
  llvm::StringRef input(reinterpret_cast<const char *>(data), size);
  size_t zero = input.find('\0');
  llvm::StringRef text = input.take_front(zero);
  if (zero != llvm::StringRef::npos) {
    // The second begins behind the bytes that the first one's header claims.
    llvm::StringRef rest = input.drop_front(zero + 1);
    uint64_t first = rest.size();
    if (rest.size() >= 8) {
      uint64_t header;
      std::memcpy(&header, rest.data(), 8);
      // Four bytes of data: what the seeds' tensors take.
      if (header < rest.size() - 8)
        first = std::min<uint64_t>(8 + header + 4, rest.size());
    }
    parts.push_back(rest.take_front(first));
    if (first < rest.size())
      parts.push_back(rest.drop_front(first));
  }
  std::ofstream(folder() + "/model.safetensors.index.json", std::ios::binary)
      .write(text.data(), static_cast<std::streamsize>(text.size()));

  std::vector<std::unique_ptr<fuzz::MemoryFile>> files;
  std::set<std::string> asked;
  auto open = [&](llvm::StringRef path)
      -> llvm::Expected<std::shared_ptr<const storage::SafetensorsFile>> {
    check(path.starts_with(folder() + "/") && !path.contains("/../") &&
          !path.ends_with("/.."));
    check(asked.insert(path.str()).second);
    if (files.size() == parts.size())
      return llvm::createStringError("no such file");
    llvm::StringRef bytes = parts[files.size()];
    files.push_back(std::make_unique<fuzz::MemoryFile>(
        reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()));
    return storage::SafetensorsFile::open(files.back()->path());
  };
  auto checkpoint = storage::Checkpoint::open(folder(), open);
  if (!checkpoint) {
    check(!llvm::toString(checkpoint.takeError()).empty());
    return 0;
  }
  check((*checkpoint)->files().size() == asked.size());
  std::set<llvm::StringRef> names;
  for (const storage::Parameter &parameter : (*checkpoint)->tensors()) {
    check(names.insert(parameter.tensor.name).second);
    check((*checkpoint)->find(parameter.tensor.name) == &parameter);
    check(parameter.file->find(parameter.tensor.name));
  }
  return 0;
}
