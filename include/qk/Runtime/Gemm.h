//===- Gemm.h - Float matrix products for generated code --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_RUNTIME_GEMM_H
#define QK_RUNTIME_GEMM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// For each i < batch: C_i[m,n] = A_i[m,k]·B_i[k,n] + beta·C_i, f32. C is not
/// read where beta is 0.
///
/// Strides count elements. Element (r, c) of A_i is a[i·a_batch_stride +
/// r·a_row_stride + c·a_col_stride], B alike; rows of C have unit stride. A
/// stride may be 0 in A and B (a broadcast operand). Operands with unit stride
/// in one of their two dimensions go to BLAS as they are, others are copied
/// tile by tile. C must not overlap A or B.
///
/// Products of at most 2^22 terms (2^16 where there is one row or column) are
/// computed as qk_sgemm_ordered_batch does it, which takes about as long.
///
/// Uses OpenMP threads, except for small problems and inside a parallel region.
/// Tiles depend on the sizes alone: the same bytes for any number of threads.
void qk_sgemm_batch(int64_t batch, int64_t m, int64_t n, int64_t k,
                    const float *a, int64_t a_batch_stride,
                    int64_t a_row_stride, int64_t a_col_stride, const float *b,
                    int64_t b_batch_stride, int64_t b_row_stride,
                    int64_t b_col_stride, float *c, int64_t c_batch_stride,
                    int64_t c_row_stride, float beta);

/// The same, each element summed over k = 0, 1, … one after the other, product
/// and sum rounded each (no FMA): what `linalg.matmul` says, and upstream's
/// convert-linalg-to-loops computes, to the last bit and on every machine. No
/// BLAS, so slower where the product is large or has one row (B is packed for
/// each call).
void qk_sgemm_ordered_batch(int64_t batch, int64_t m, int64_t n, int64_t k,
                            const float *a, int64_t a_batch_stride,
                            int64_t a_row_stride, int64_t a_col_stride,
                            const float *b, int64_t b_batch_stride,
                            int64_t b_row_stride, int64_t b_col_stride,
                            float *c, int64_t c_batch_stride,
                            int64_t c_row_stride, float beta);

#ifdef __cplusplus
}
#endif

#endif // QK_RUNTIME_GEMM_H
