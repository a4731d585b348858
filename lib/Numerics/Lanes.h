//===- Lanes.h - Sixteen rows at a time -------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Inner loops of the numerical core are written once, over sixteen rows of a
/// weight held in the lanes of a vector (so that no group size leaves a tail),
/// and compiled for each x86 level. They read transposed panels: [K][rows].
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_NUMERICS_LANES_H
#define QK_LIB_NUMERICS_LANES_H

#include <cstdint>
#include <cstring>

#define QK_INLINE __attribute__((always_inline))

namespace qk::numerics {

inline constexpr int64_t kLanes = 16;
using Lanes = float __attribute__((ext_vector_type(16)));
using LaneMask = int32_t __attribute__((ext_vector_type(16)));
using LaneBytes = uint8_t __attribute__((ext_vector_type(16)));

QK_INLINE inline Lanes loadLanes(const float *source) {
  Lanes value;
  std::memcpy(&value, source, sizeof(value));
  return value;
}

QK_INLINE inline void storeLanes(float *target, Lanes value) {
  std::memcpy(target, &value, sizeof(value));
}

/// The same value in all lanes.
QK_INLINE inline Lanes splat(float value) { return Lanes(value); }

QK_INLINE inline Lanes min(Lanes a, Lanes b) { return a < b ? a : b; }
QK_INLINE inline Lanes max(Lanes a, Lanes b) { return a > b ? a : b; }

/// a·b + c, in one rounding where the target has it.
QK_INLINE inline Lanes multiplyAdd(Lanes a, Lanes b, Lanes c) {
#pragma clang fp contract(fast)
  return a * b + c;
}

/// Pairwise, so in the same order on every target.
QK_INLINE inline float sumOfLanes(Lanes value) {
  auto eight = value.lo + value.hi;
  auto four = eight.lo + eight.hi;
  auto two = four.lo + four.hi;
  return two.x + two.y;
}

#if defined(__x86_64__)
namespace detail {
template <typename Body>
__attribute__((target("avx2,fma"), noinline)) void runAVX2(Body &body) {
  body();
}
template <typename Body>
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"),
               noinline)) void
runAVX512(Body &body) {
  body();
}
} // namespace detail
#endif

/// Runs `body`, which must be QK_INLINE with everything it calls, compiled for
/// the best vectors that this machine has.
template <typename Body> void withBestVectors(Body body) {
#if defined(__x86_64__)
  static const bool avx512 =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  static const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx512)
    return detail::runAVX512(body);
  if (avx2)
    return detail::runAVX2(body);
#endif
  body();
}

} // namespace qk::numerics

#endif // QK_LIB_NUMERICS_LANES_H
