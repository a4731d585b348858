//===- CPULevel.cpp - Which kernels this machine can run --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Runtime/CPULevel.h"

#include <cstdlib>

namespace {

int32_t machineLevel() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
      !__builtin_cpu_supports("f16c"))
    return 0;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vnni"))
    return 3;
  return __builtin_cpu_supports("avxvnni") ? 2 : 1;
#else
  return 0;
#endif
}

int32_t allowedLevel() {
  int32_t level = machineLevel();
  if (const char *text = std::getenv("QK_CPU_LEVEL")) {
    char *end = nullptr;
    long wanted = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && wanted >= 0 && wanted < level)
      level = static_cast<int32_t>(wanted);
  }
  return level;
}

} // namespace

extern "C" int32_t qk_cpu_level(void) {
  static const int32_t level = allowedLevel();
  return level;
}
