//===- KernelMemory.h - Operands of CPU kernels under test ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Elements of x and y by type, and memory that ends at an unmapped page.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TEST_UNIT_TARGET_KERNELMEMORY_H
#define QK_TEST_UNIT_TARGET_KERNELMEMORY_H

#include "RandomWeight.h"

#include "qk/Target/CPU/KernelTable.h"

#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace qk::test {

using cpu::Element;

inline size_t sizeOf(Element element) {
  return element == Element::F32 ? 4 : 2;
}

inline float getElement(const char *data, int64_t i, Element element) {
  if (element == Element::F32) {
    float value;
    std::memcpy(&value, data + 4 * i, 4);
    return value;
  }
  uint16_t value;
  std::memcpy(&value, data + 2 * i, 2);
  return element == Element::F16 ? fromHalf(value) : fromBFloat(value);
}

inline void setElement(char *data, int64_t i, Element element, float value) {
  if (element == Element::F32) {
    std::memcpy(data + 4 * i, &value, 4);
    return;
  }
  uint16_t bits =
      element == Element::F16 ? cpu::toHalf(value) : cpu::toBFloat(value);
  std::memcpy(data + 2 * i, &bits, 2);
}

/// Relative spacing of the element type, for the one rounding of y.
inline double epsilon(Element element) {
  switch (element) {
  case Element::F32:
    return 0x1p-23;
  case Element::F16:
    return 0x1p-10;
  case Element::BF16:
    return 0x1p-7;
  }
  return 0;
}

/// Memory that ends where an unmapped page begins: whoever reads or writes one
/// byte too many crashes.
class Guarded {
public:
  explicit Guarded(size_t bytes) {
    const size_t page = sysconf(_SC_PAGESIZE);
    const size_t body = (bytes + page - 1) / page * page;
    size = body + page;
    base = static_cast<char *>(mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base + body, page, PROT_NONE);
    start = base + body - bytes;
  }
  ~Guarded() { munmap(base, size); }
  Guarded(const Guarded &) = delete;
  char *data() { return start; }
  template <typename T> T *as() { return reinterpret_cast<T *>(start); }

private:
  char *base, *start;
  size_t size;
};

} // namespace qk::test

#endif // QK_TEST_UNIT_TARGET_KERNELMEMORY_H
