//===- Runtime.h - What generated code calls --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The C ABI of libqk_runtime.so, apart from products (Gemm.h) and the choice
/// of kernels (CPULevel.h): failures of a model's assertions, time spent in
/// contractions, and observation of a layer's inputs. Process-wide state;
/// models run one at a time.
///
//===----------------------------------------------------------------------===//

#ifndef QK_RUNTIME_RUNTIME_H
#define QK_RUNTIME_RUNTIME_H

#include "qk/Runtime/CPULevel.h"
#include "qk/Runtime/Gemm.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Generated code calls this where an assertion of the model fails, never
/// from a thread team. Inside qk_protect, control goes back there; else the
/// message is printed to stderr and the process exits with status 1.
void qk_assert_fail(const char *message, int64_t size);

/// The same for an assertion that two integers compare in some way, by the
/// numbers of arith.cmpi (0 ==, 1 !=, 2 <, 3 <=, 4 >, 5 >=; 6 to 9 the last
/// four unsigned): the message is followed by ": expected LEFT < RIGHT".
void qk_assert_compare_fail(const char *message, int64_t size, int64_t left,
                            int32_t predicate, int64_t right);

/// The same where the runtime itself can't go on (no GPU).
void qk_fail(const char *message, int64_t size);

/// Calls run(argument). Returns 0, 1 if an assertion failed in it, or 2 if the
/// runtime could not go on; then `message` holds its text, zero-terminated and
/// cut to `capacity` bytes, and what `run` had allocated is lost.
int32_t qk_protect(void (*run)(void *), void *argument, char *message,
                   int64_t capacity);

/// What the profile counts.
enum qk_profile_kind {
  QK_PROFILE_CONTRACTION = 0, ///< qk_sgemm_batch
  QK_PROFILE_OBSERVE = 1,     ///< the observer's callback
  QK_PROFILE_KINDS = 2
};

/// Sets all counters to zero and starts counting.
void qk_profile_start(void);
/// Calls since qk_profile_start, wall seconds on the calling thread, and
/// floating-point operations (observe: elements seen).
void qk_profile_read(int32_t kind, int64_t *calls, double *seconds,
                     double *work);
/// Used by the runtime itself: the time now in seconds, or a negative number
/// while nobody counts; and the end of what began then.
double qk_profile_begin(void);
void qk_profile_end(int32_t kind, double begin, double work);

/// Element types of what is observed.
enum qk_element { QK_F32 = 0, QK_F16 = 1, QK_BF16 = 2 };

/// Gets `tokens` rows of `k` elements, row t at x + t·row_stride elements.
/// Called from the thread that runs the model, outside parallel regions.
typedef void (*qk_observer)(void *context, int64_t site, int32_t element,
                            int64_t tokens, int64_t k, const void *x,
                            int64_t row_stride);

/// Installs the observer (null: none) that qk_observe calls.
void qk_set_observer(qk_observer observer, void *context);
void qk_observe(int64_t site, int32_t element, int64_t tokens, int64_t k,
                const void *x, int64_t row_stride);

/// Entries for generated code: what a call of
/// `func.func private @qk_observe_f32(tensor<*xf32> {bufferization.access =
/// "read"}, i64) attributes {llvm.emit_c_interface}` becomes. The last
/// dimension is a token's, all others count tokens.
struct qk_unranked_memref {
  int64_t rank;
  void *descriptor;
};
void _mlir_ciface_qk_observe_f32(struct qk_unranked_memref *x, int64_t site);
void _mlir_ciface_qk_observe_f16(struct qk_unranked_memref *x, int64_t site);
void _mlir_ciface_qk_observe_bf16(struct qk_unranked_memref *x, int64_t site);

#ifdef __cplusplus
}
#endif

#endif // QK_RUNTIME_RUNTIME_H
