//===- Profile.cpp - Where the time of a forward goes -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Runtime/Runtime.h"

#include <chrono>

namespace {
struct Counter {
  int64_t calls;
  double seconds, work;
};
Counter counters[QK_PROFILE_KINDS];
bool counting = false;

double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
} // namespace

void qk_profile_start(void) {
  for (Counter &counter : counters)
    counter = {};
  counting = true;
}

void qk_profile_read(int32_t kind, int64_t *calls, double *seconds,
                     double *work) {
  const Counter &counter = counters[kind];
  *calls = counter.calls;
  *seconds = counter.seconds;
  *work = counter.work;
}

double qk_profile_begin(void) { return counting ? now() : -1.0; }

void qk_profile_end(int32_t kind, double begin, double work) {
  if (begin < 0)
    return;
  Counter &counter = counters[kind];
  ++counter.calls;
  counter.seconds += now() - begin;
  counter.work += work;
}
