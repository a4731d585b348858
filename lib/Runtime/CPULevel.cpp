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

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace {

/// Bit i: the machine can run code for level i. (No chain: one with avx512-vnni
/// may lack avx-vnni.)
int32_t machineLevels() {
  int32_t levels = 1;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
      !__builtin_cpu_supports("f16c"))
    return levels;
  levels |= 1 << 1;
  if (__builtin_cpu_supports("avxvnni"))
    levels |= 1 << 2;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vnni"))
    levels |= 1 << 3;
#elif defined(__aarch64__) && defined(__linux__)
  if (!(getauxval(AT_HWCAP) & HWCAP_ASIMDDP))
    return levels;
  levels |= 1 << 4;
  if (getauxval(AT_HWCAP2) & HWCAP2_I8MM)
    levels |= 1 << 5;
#endif
  return levels;
}

/// Those of them that QK_CPU_LEVEL allows.
int32_t allowedLevels() {
  int32_t levels = machineLevels();
  if (const char *text = std::getenv("QK_CPU_LEVEL")) {
    char *end = nullptr;
    long wanted = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && wanted >= 0 && wanted < 31)
      levels &= (int32_t(1) << (wanted + 1)) - 1;
  }
  return levels;
}

int32_t availableLevels() {
  static const int32_t levels = allowedLevels();
  return levels;
}

constexpr int32_t kLevels = 6;

/// The names of `--lower-to-cpu="isa=..."`, of those levels that `chosen`
/// takes.
template <typename Chosen> std::string namesOf(Chosen chosen) {
  static const char *const names[kLevels] = {"portable",     "avx2",
                                             "avx-vnni",     "avx512-vnni",
                                             "neon-dotprod", "neon-i8mm"};
  std::string text;
  for (int32_t level = kLevels - 1; level >= 0; --level)
    if (chosen(level))
      text += (text.empty() ? "" : ", ") + std::string(names[level]);
  return text;
}

} // namespace

extern "C" int32_t qk_cpu_level(void) {
  return qk_best_cpu_level((1 << kLevels) - 1);
}

extern "C" int32_t qk_best_cpu_level(int32_t levels) {
  for (int32_t level = kLevels - 1; level >= 0; --level)
    if ((levels & availableLevels()) >> level & 1)
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
      namesOf([](int32_t level) {
        return availableLevels() >> level & 1;
      }).c_str());
  qk_fail(message, static_cast<int64_t>(std::strlen(message)));
  return -1;
}
