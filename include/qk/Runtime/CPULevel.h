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
/// 2 avx-vnni, 3 avx512-vnni (with f, bw, vl, dq). The environment variable
/// QK_CPU_LEVEL (one of these numbers), read once, lowers it.
int32_t qk_cpu_level(void);

#ifdef __cplusplus
}
#endif

#endif // QK_RUNTIME_CPULEVEL_H
