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

void qk_assert_compare_fail(const char *message, int64_t size, int64_t left,
                            int32_t predicate, int64_t right) {
  static const char *const signs[] = {"==", "!=", "<", "<=", ">", ">="};
  // Longer messages are cut by those who protect, too.
  char text[1024];
  // An unsigned bound from above is how an index is checked at both ends.
  const char *least = predicate == 6 || predicate == 7 ? "0 <= " : "";
  int32_t sign = predicate < 0 || predicate > 9 ? 0
                 : predicate < 6                ? predicate
                                                : predicate - 4;
  int length = std::snprintf(
      text, sizeof(text), "%.*s: expected %s%lld %s %lld",
      static_cast<int>(size), message, least, static_cast<long long>(left),
      signs[sign], static_cast<long long>(right));
  qk_assert_fail(text, std::min<int64_t>(length, sizeof(text) - 1));
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
