//===- CPULevel.cpp - Which kernels this machine can run --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Runtime/CPULevel.h"

#include "qk/Runtime/Runtime.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

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

/// Whether the machine can run code for `level`.
bool hasLevel(int32_t level) {
  if (level > qk_cpu_level())
    return false;
#if defined(__x86_64__)
  // Not implied by the level above it.
  if (level == 2)
    return __builtin_cpu_supports("avxvnni");
#endif
  return true;
}

constexpr int32_t kLevels = 4;

/// The names of `--lower-to-cpu="isa=..."`, of those levels that `chosen`
/// takes.
template <typename Chosen> std::string namesOf(Chosen chosen) {
  static const char *const names[kLevels] = {"portable", "avx2", "avx-vnni",
                                             "avx512-vnni"};
  std::string text;
  for (int32_t level = kLevels - 1; level >= 0; --level)
    if (chosen(level))
      text += (text.empty() ? "" : ", ") + std::string(names[level]);
  return text;
}

} // namespace

extern "C" int32_t qk_cpu_level(void) {
  static const int32_t level = allowedLevel();
  return level;
}

extern "C" int32_t qk_best_cpu_level(int32_t levels) {
  for (int32_t level = kLevels - 1; level >= 0; --level)
    if ((levels >> level & 1) && hasLevel(level))
      return level;
  return -1;
}

extern "C" int32_t qk_choose_cpu_level(int32_t levels) {
  int32_t level = qk_best_cpu_level(levels);
  if (level >= 0)
    return level;
  static char message[256];
  std::snprintf(
      message, sizeof(message),
      "the kernels were compiled for %s, this machine has %s; lower the model "
      "without isa= (for all), or with an isa= that the machine has",
      namesOf([&](int32_t level) { return levels >> level & 1; }).c_str(),
      namesOf(hasLevel).c_str());
  qk_fail(message, static_cast<int64_t>(std::strlen(message)));
  return -1;
}
