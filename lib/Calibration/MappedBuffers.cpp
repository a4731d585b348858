//===- MappedBuffers.cpp - Memory that the system may write out -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MappedBuffers.h"

#include "qk/Storage/Safetensors.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace qk;
using namespace qk::calibration;

struct MappedBuffers::File {
  int descriptor = -1;
  uint64_t size = 0, used = 0, peak = 0;
  struct Stretch {
    void *address;
    uint64_t size;
  };
  /// What was given back, by size.
  std::multimap<uint64_t, void *> unused;
  std::vector<Stretch> mapped;

  ~File() {
    for (const Stretch &stretch : mapped)
      munmap(stretch.address, stretch.size);
    if (descriptor >= 0)
      close(descriptor);
  }

  llvm::Expected<void *> take(uint64_t bytes);
  void giveBack(void *address, uint64_t bytes) {
    used -= bytes;
    unused.emplace(bytes, address);
  }
};

static llvm::Error systemError(const llvm::Twine &what) {
  return storage::makeError(what + ": " + llvm::sys::StrError(errno));
}

llvm::Expected<std::unique_ptr<MappedBuffers>> MappedBuffers::create() {
  llvm::SmallString<128> path;
  llvm::sys::path::system_temp_directory(/*ErasedOnReboot=*/true, path);
  llvm::sys::path::append(path, "qk-calibration-XXXXXX");
  (void)path.c_str(); // Ends it.
  auto file = std::make_shared<File>();
  file->descriptor = mkostemp(path.data(), O_CLOEXEC);
  if (file->descriptor < 0)
    return systemError("can't make a temporary file " + path +
                       " for what the model keeps between its parts; name a "
                       "folder with TMPDIR");
  unlink(path.c_str());
  return std::unique_ptr<MappedBuffers>(new MappedBuffers(std::move(file)));
}

llvm::Expected<void *> MappedBuffers::File::take(uint64_t bytes) {
  used += bytes;
  peak = std::max(peak, used);
  if (auto found = unused.find(bytes); found != unused.end()) {
    void *address = found->second;
    unused.erase(found);
    return address;
  }
  // Reserved now: writing to a mapped hole on a full disk would end the
  // process.
  if (int error = posix_fallocate(descriptor, static_cast<off_t>(size),
                                  static_cast<off_t>(bytes))) {
    errno = error;
    return systemError("no space for " + llvm::Twine(bytes) +
                       " bytes more of what the model keeps between its parts, "
                       "beside " +
                       llvm::Twine(size) +
                       "; name another folder with TMPDIR or take fewer "
                       "samples");
  }
  void *address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                       descriptor, static_cast<off_t>(size));
  if (address == MAP_FAILED)
    return systemError("can't map a temporary file");
  size += bytes;
  mapped.push_back({address, bytes});
  return address;
}

llvm::Expected<Tensor> MappedBuffers::allocate(storage::DataType type,
                                               llvm::ArrayRef<int64_t> shape) {
  Tensor tensor;
  tensor.type = type;
  tensor.shape.assign(shape.begin(), shape.end());
  constexpr uint64_t page = 4096;
  uint64_t bytes = std::max<uint64_t>(tensor.bytes().size(), 1);
  bytes = (bytes + page - 1) / page * page;
  llvm::Expected<void *> address = file->take(bytes);
  if (!address)
    return address.takeError();
  tensor.data = static_cast<const uint8_t *>(*address);
  tensor.owner = std::shared_ptr<const void>(
      *address, [file = file, bytes](const void *memory) {
        file->giveBack(const_cast<void *>(memory), bytes);
      });
  return tensor;
}

llvm::Expected<Tensor> MappedBuffers::copy(const Tensor &tensor) {
  llvm::Expected<Tensor> result = allocate(tensor.type, tensor.shape);
  if (result)
    std::memcpy(writable(*result), tensor.data, tensor.bytes().size());
  return result;
}

uint64_t MappedBuffers::peak() const { return file->peak; }
