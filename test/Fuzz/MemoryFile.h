//===- MemoryFile.h - Bytes under a path ------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TEST_FUZZ_MEMORYFILE_H
#define QK_TEST_FUZZ_MEMORYFILE_H

#include <cstdlib>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace qk::fuzz {

/// A regular file in memory that readers can open and map by its path.
class MemoryFile {
public:
  MemoryFile(const uint8_t *data, size_t size)
      : descriptor(memfd_create("input", 0)) {
    if (descriptor < 0)
      std::abort();
    for (size_t done = 0; done < size;) {
      ssize_t count = ::write(descriptor, data + done, size - done);
      if (count <= 0)
        std::abort();
      done += static_cast<size_t>(count);
    }
  }
  MemoryFile(const MemoryFile &) = delete;
  MemoryFile &operator=(const MemoryFile &) = delete;
  ~MemoryFile() { close(descriptor); }

  std::string path() const {
    return "/proc/self/fd/" + std::to_string(descriptor);
  }

private:
  int descriptor;
};

} // namespace qk::fuzz

#endif // QK_TEST_FUZZ_MEMORYFILE_H
