//===- CPULevel.h - Which kernels this machine can run ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What generated code dispatches on.
///
//===----------------------------------------------------------------------===//

#ifndef QK_RUNTIME_CPULEVEL_H
#define QK_RUNTIME_CPULEVEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The best ISA level of this machine: 0 portable, 1 avx2 (with fma and f16c),
/// 2 avx-vnni, 3 avx512-vnni (with f, bw, vl, dq), 4 neon-dotprod, 5 neon-i8mm.
/// The environment variable QK_CPU_LEVEL (one of these numbers), read once,
/// lowers it.
int32_t qk_cpu_level(void);

/// The best of some levels that this machine has, or -1: bit i of `levels` says
/// that there is code for level i. (Levels are no chain: a machine of level 3
/// may lack avx-vnni.) QK_CPU_LEVEL counts.
int32_t qk_best_cpu_level(int32_t levels);

/// The same for generated code, which can't go on without one: fails (qk_fail)
/// with a message that says what the code was compiled for and what the machine
/// has.
int32_t qk_choose_cpu_level(int32_t levels);

#ifdef __cplusplus
}
#endif

#endif // QK_RUNTIME_CPULEVEL_H
