//===- Limits.h - What the machine can do at most ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The machine's limits, measured with the kernels' own access pattern, to be
/// run in between the kernels: memory bandwidth drifts.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKBENCH_LIMITS_H
#define QK_TOOLS_QKBENCH_LIMITS_H

#include <cstdint>

namespace qk::bench {

/// Seconds, from a steady clock.
double now();

/// The same for work on `threads` threads: of one thread, which never waits,
/// the CPU time, so that other programs do not count.
double now(int threads);

/// Reads `bytes` (a multiple of 256) once and in order, as kernels of one row
/// do, split evenly over `threads`; gives seconds. `sink` keeps the reads
/// alive.
double timeRead(const uint8_t *data, int64_t bytes, int threads,
                uint64_t &sink);

/// Multiply-adds a second (times 2: operations) of the widest dot of bytes that
/// `level` (qk_cpu_level) has, on `threads` threads for about a millisecond; 0
/// where the level has none. With AVX2 alone that is vpmaddubsw and an add in
/// 16 bits.
double dotPeak(int level, int threads, uint64_t &sink);

/// Operations a second (a multiply-add is two) of f32 multiply-adds with the
/// widest vectors of this machine, on `threads` threads for some milliseconds;
/// 0 where that is not known (other than x86 with FMA).
double fmaPeak(int threads, uint64_t &sink);

} // namespace qk::bench

#endif // QK_TOOLS_QKBENCH_LIMITS_H
