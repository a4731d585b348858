//===- Limits.cpp - What the machine can do at most -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Limits.h"

#include <chrono>
#include <cstring>
#include <ctime>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace qk::bench {

double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double now(int threads) {
  if (threads != 1)
    return now();
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         1e-9 * static_cast<double>(time.tv_nsec);
}

namespace {

constexpr int64_t kLine = 64, kStep = 4 * kLine;

#if defined(__x86_64__)
__attribute__((target("avx512f"))) uint64_t readAVX512(const uint8_t *data,
                                                       int64_t bytes) {
  __m512i sum[4] = {};
  for (int64_t i = 0; i < bytes; i += kStep)
    for (int j = 0; j < 4; ++j)
      sum[j] =
          _mm512_xor_si512(sum[j], _mm512_loadu_si512(data + i + kLine * j));
  __m512i all = _mm512_xor_si512(_mm512_xor_si512(sum[0], sum[1]),
                                 _mm512_xor_si512(sum[2], sum[3]));
  return static_cast<uint64_t>(_mm512_reduce_add_epi64(all));
}

__attribute__((target("avx512f,avx512vnni"))) int64_t
dotsAVX512(int64_t iterations) {
  // 12 chains: latency 4 at two a cycle needs 8.
  __m512i acc[12], x = _mm512_set1_epi8(1), y = _mm512_set1_epi8(3);
  for (__m512i &a : acc)
    a = _mm512_setzero_si512();
  for (int64_t i = 0; i < iterations; ++i) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 12; ++j)
      acc[j] = _mm512_dpbusd_epi32(acc[j], x, y);
    asm volatile("" : "+v"(x), "+v"(y));
  }
  __m512i all = acc[0];
  for (int j = 1; j < 12; ++j)
    all = _mm512_add_epi32(all, acc[j]);
  return _mm512_reduce_add_epi32(all);
}

__attribute__((target("avx2"))) int64_t dotsAVX2(int64_t iterations) {
  // Without VNNI a dot of bytes is vpmaddubsw and an add in 16 bits, as long as
  // the sums fit.
  __m256i acc[8], x = _mm256_set1_epi8(1), y = _mm256_set1_epi8(3);
  for (__m256i &a : acc)
    a = _mm256_setzero_si256();
  for (int64_t i = 0; i < iterations; ++i) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 8; ++j) {
      acc[j] = _mm256_add_epi16(acc[j], _mm256_maddubs_epi16(x, y));
      asm volatile("" : "+x"(x), "+x"(y));
    }
  }
  __m256i all = acc[0];
  for (int j = 1; j < 8; ++j)
    all = _mm256_add_epi16(all, acc[j]);
  return _mm256_extract_epi32(all, 0);
}

/// Sixteen chains of multiply-adds of sixteen (AVX-512) or eight floats:
/// latency 4 at two a cycle needs 8.
__attribute__((target("avx512f"))) float fmasAVX512(int64_t iterations) {
  __m512 acc[16], x = _mm512_set1_ps(0.5f), y = _mm512_set1_ps(0.25f);
  for (__m512 &a : acc)
    a = _mm512_setzero_ps();
  for (int64_t i = 0; i < iterations; ++i) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 16; ++j)
      acc[j] = _mm512_fmadd_ps(acc[j], x, y);
    asm volatile("" : "+v"(x), "+v"(y));
  }
  __m512 all = acc[0];
  for (int j = 1; j < 16; ++j)
    all = _mm512_add_ps(all, acc[j]);
  return _mm512_reduce_add_ps(all);
}

__attribute__((target("avx2,fma"))) float fmasAVX2(int64_t iterations) {
  __m256 acc[12], x = _mm256_set1_ps(0.5f), y = _mm256_set1_ps(0.25f);
  for (__m256 &a : acc)
    a = _mm256_setzero_ps();
  for (int64_t i = 0; i < iterations; ++i) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 12; ++j)
      acc[j] = _mm256_fmadd_ps(acc[j], x, y);
    asm volatile("" : "+x"(x), "+x"(y));
  }
  __m256 all = acc[0];
  for (int j = 1; j < 12; ++j)
    all = _mm256_add_ps(all, acc[j]);
  return _mm256_cvtss_f32(all);
}
#endif

uint64_t readPlain(const uint8_t *data, int64_t bytes) {
  uint64_t sum = 0;
  for (int64_t i = 0; i < bytes; i += 8) {
    uint64_t word;
    std::memcpy(&word, data + i, 8);
    sum ^= word;
  }
  return sum;
}

uint64_t readOnce(const uint8_t *data, int64_t bytes) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return readAVX512(data, bytes);
#endif
  return readPlain(data, bytes);
}

} // namespace

double timeRead(const uint8_t *data, int64_t bytes, int threads,
                uint64_t &sink) {
  const int64_t steps = bytes / kStep;
  uint64_t sum = 0;
  double start = now(threads);
#pragma omp parallel for num_threads(threads) schedule(static)                 \
    reduction(^ : sum)
  for (int t = 0; t < threads; ++t) {
    int64_t first = steps * t / threads, last = steps * (t + 1) / threads;
    sum ^= readOnce(data + first * kStep, (last - first) * kStep);
  }
  double seconds = now(threads) - start;
  sink ^= sum;
  return seconds;
}

double dotPeak(int level, int threads, uint64_t &sink) {
#if defined(__x86_64__)
  if (level < 1)
    return 0;
  constexpr int64_t iterations = 400000;
  const int64_t macs = level >= 3 ? iterations * 12 * 64 : iterations * 8 * 32;
  uint64_t sum = 0;
  double start = now(threads);
#pragma omp parallel for num_threads(threads) schedule(static)                 \
    reduction(^ : sum)
  for (int t = 0; t < threads; ++t)
    sum ^= static_cast<uint64_t>(level >= 3 ? dotsAVX512(iterations)
                                            : dotsAVX2(iterations));
  double seconds = now(threads) - start;
  sink ^= sum;
  return static_cast<double>(macs) * threads / seconds;
#else
  return 0;
#endif
}

double fmaPeak(int threads, uint64_t &sink) {
#if defined(__x86_64__)
  const bool avx512 = __builtin_cpu_supports("avx512f");
  if (!avx512 &&
      !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")))
    return 0;
  constexpr int64_t iterations = 1000000;
  const int64_t macs = avx512 ? iterations * 16 * 16 : iterations * 12 * 8;
  float sum = 0;
  double start = now(threads);
#pragma omp parallel for num_threads(threads) schedule(static)                 \
    reduction(+ : sum)
  for (int t = 0; t < threads; ++t)
    sum += avx512 ? fmasAVX512(iterations) : fmasAVX2(iterations);
  double seconds = now(threads) - start;
  uint32_t bits;
  std::memcpy(&bits, &sum, sizeof(bits));
  sink ^= bits;
  return 2.0 * static_cast<double>(macs) * threads / seconds;
#else
  return 0;
#endif
}

} // namespace qk::bench
