//===- Blas.h - The BLAS and LAPACK calls in use ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// One name for each BLAS and LAPACK routine that is used, whichever library
/// cmake/FindQKBLAS.cmake found: the wheel scipy-openblas32 prefixes its
/// symbols with `scipy_`, a system library does not. Every call runs on the
/// calling thread alone: threads are ours, over tiles of fixed size, so that
/// results do not depend on their number. Internal: not installed.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_BLAS_BLAS_H
#define QK_LIB_BLAS_BLAS_H

#include <cassert>
#include <cstdint>
#include <limits>

#ifdef QK_BLAS_SCIPY_PREFIX
#define QK_BLAS(name) scipy_##name
#else
#define QK_BLAS(name) name
#endif

// Declared here and not taken from a header: the prefix is then ours to
// choose, and no library's header is needed to build. Enumerators are CBLAS's,
// integers are 32 bits wide (LP64) in every library that FindQKBLAS accepts.
extern "C" {
void QK_BLAS(cblas_sgemm)(int layout, int transA, int transB, int m, int n,
                          int k, float alpha, const float *a, int lda,
                          const float *b, int ldb, float beta, float *c,
                          int ldc);
void QK_BLAS(cblas_ssyrk)(int layout, int uplo, int trans, int n, int k,
                          float alpha, const float *a, int lda, float beta,
                          float *c, int ldc);
void QK_BLAS(cblas_strsm)(int layout, int side, int uplo, int trans, int diag,
                          int m, int n, float alpha, const float *a, int lda,
                          float *b, int ldb);
void QK_BLAS(spotrf_)(const char *uplo, const int *n, float *a, const int *lda,
                      int *info);
#ifdef QK_BLAS_OPENBLAS
void QK_BLAS(openblas_set_num_threads)(int count);
#endif
}

namespace qk::blas {

enum Transpose : int { NoTrans = 111, Trans = 112 };
enum Triangle : int { Upper = 121, Lower = 122 };
enum Side : int { Left = 141, Right = 142 };

namespace detail {
inline constexpr int rowMajor = 101;
inline constexpr int nonUnit = 131;
inline int narrow(int64_t value) {
  assert(value >= 0 && value <= std::numeric_limits<int>::max());
  return static_cast<int>(value);
}
} // namespace detail

/// Makes every later call run on its caller's thread. Cheap after the first
/// time.
inline void useCallingThread() {
#ifdef QK_BLAS_OPENBLAS
  static const bool done = [] {
    QK_BLAS(openblas_set_num_threads)(1);
    return true;
  }();
  (void)done;
#endif
}

/// C[m,n] = alpha·op(A)·op(B) + beta·C, row-major.
inline void sgemm(Transpose transA, Transpose transB, int64_t m, int64_t n,
                  int64_t k, float alpha, const float *a, int64_t lda,
                  const float *b, int64_t ldb, float beta, float *c,
                  int64_t ldc) {
  using namespace detail;
  useCallingThread();
  QK_BLAS(cblas_sgemm)(rowMajor, transA, transB, narrow(m), narrow(n),
                       narrow(k), alpha, a, narrow(lda), b, narrow(ldb), beta,
                       c, narrow(ldc));
}

/// The named triangle of C[n,n] = alpha·op(A)·op(A)ᵀ + beta·C, row-major;
/// op(A) is [n,k].
inline void ssyrk(Triangle triangle, Transpose trans, int64_t n, int64_t k,
                  float alpha, const float *a, int64_t lda, float beta,
                  float *c, int64_t ldc) {
  using namespace detail;
  useCallingThread();
  QK_BLAS(cblas_ssyrk)(rowMajor, triangle, trans, narrow(n), narrow(k), alpha,
                       a, narrow(lda), beta, c, narrow(ldc));
}

/// B[m,n] = op(A)⁻¹·B (Left) or B·op(A)⁻¹ (Right), A triangular, row-major.
inline void strsm(Side side, Triangle triangle, Transpose trans, int64_t m,
                  int64_t n, const float *a, int64_t lda, float *b,
                  int64_t ldb) {
  using namespace detail;
  useCallingThread();
  QK_BLAS(cblas_strsm)(rowMajor, side, triangle, trans, nonUnit, narrow(m),
                       narrow(n), 1.0f, a, narrow(lda), b, narrow(ldb));
}

/// A[n,n] = L·Lᵀ in place, row-major lower triangle read and written. Returns
/// 0, or the 1-based order of the leading minor that is not positive.
inline int64_t spotrfLower(int64_t n, float *a, int64_t lda) {
  useCallingThread();
  // Row-major lower is column-major upper.
  int order = detail::narrow(n), stride = detail::narrow(lda), info = 0;
  QK_BLAS(spotrf_)("U", &order, a, &stride, &info);
  return info;
}

} // namespace qk::blas

#undef QK_BLAS
#endif // QK_LIB_BLAS_BLAS_H
