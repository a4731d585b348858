//===- LinearAlgebra.h - Matrices in fixed tiles ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Row-major f32 matrix operations on all threads. Each is cut into tiles of a
/// size that depends on the problem alone; a tile is one BLAS call on one
/// thread. Hence the same bytes for any number of threads (on one machine and
/// with one BLAS).
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_LINEARALGEBRA_H
#define QK_NUMERICS_LINEARALGEBRA_H

#include <cstdint>

namespace qk::numerics {

enum class Transposed : bool { No = false, Yes = true };

/// C[m,n] = alpha·op(A)·op(B) + beta·C, where op(A) is [m,k] and op(B) [k,n];
/// lda, ldb, ldc are the distances between stored rows.
void gemm(Transposed transA, Transposed transB, int64_t m, int64_t n, int64_t k,
          float alpha, const float *a, int64_t lda, const float *b, int64_t ldb,
          float beta, float *c, int64_t ldc);

/// Factors the symmetric positive definite A[n,n], of which the upper triangle
/// is read, as R·Rᵀ with R upper triangular, in place; the strictly lower
/// triangle becomes 0. (A Cholesky factorisation from the last row upwards:
/// R⁻¹ is then the upper factor U of A⁻¹ = Uᵀ·U.)
///
/// Returns -1, or the row at which what is left of A is not positive; A is then
/// destroyed.
int64_t reverseCholesky(int64_t n, float *a, int64_t lda);

} // namespace qk::numerics

#endif // QK_NUMERICS_LINEARALGEBRA_H
