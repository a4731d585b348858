//===- Assert.cpp - Failures of a model's assertions ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Runtime/Runtime.h"

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {
struct Protection {
  jmp_buf back;
  char *message;
  int64_t capacity;
};
thread_local Protection *innermost = nullptr;
} // namespace

/// Ends the model; `status` is what qk_protect returns.
[[noreturn]] static void leave(int status, const char *prefix,
                               const char *message, int64_t size) {
  Protection *protection = innermost;
  if (!protection) {
    std::fprintf(stderr, "error: %s%.*s\n", prefix, static_cast<int>(size),
                 message);
    std::exit(1);
  }
  if (protection->capacity > 0) {
    int64_t length = std::min(size, protection->capacity - 1);
    std::memcpy(protection->message, message, static_cast<size_t>(length));
    protection->message[length] = '\0';
  }
  // Frames in between are generated code and C: nothing there to destroy.
  std::longjmp(protection->back, status);
}

void qk_assert_fail(const char *message, int64_t size) {
  leave(1, "assertion of the model failed: ", message, size);
}

void qk_fail(const char *message, int64_t size) { leave(2, "", message, size); }

int32_t qk_protect(void (*run)(void *), void *argument, char *message,
                   int64_t capacity) {
  Protection protection;
  Protection *const outer = innermost;
  protection.message = message;
  protection.capacity = capacity;
  switch (setjmp(protection.back)) {
  case 0:
    innermost = &protection;
    run(argument);
    innermost = outer;
    return 0;
  case 1:
    innermost = outer;
    return 1;
  default:
    innermost = outer;
    return 2;
  }
}
