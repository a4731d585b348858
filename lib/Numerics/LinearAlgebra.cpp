//===- LinearAlgebra.cpp - Matrices in fixed tiles --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/LinearAlgebra.h"

#include "Blas.h"
#include "Panel.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/Work.h"

#include <cmath>

namespace qk::numerics {

/// Large enough for BLAS to run at its peak, small enough for a few tiles a
/// thread.
static constexpr int64_t kTile = 256;

static int64_t tiles(int64_t size) { return (size + kTile - 1) / kTile; }

void gemm(Transposed transA, Transposed transB, int64_t m, int64_t n, int64_t k,
          float alpha, const float *a, int64_t lda, const float *b, int64_t ldb,
          float beta, float *c, int64_t ldc) {
  bool turnA = transA == Transposed::Yes, turnB = transB == Transposed::Yes;
  parallelFor(tiles(m) * tiles(n), [&](int64_t item) {
    int64_t i = item / tiles(n) * kTile, j = item % tiles(n) * kTile;
    blas::sgemm(turnA ? blas::Trans : blas::NoTrans,
                turnB ? blas::Trans : blas::NoTrans, std::min(kTile, m - i),
                std::min(kTile, n - j), k, alpha, a + (turnA ? i : i * lda),
                lda, b + (turnB ? j * ldb : j), ldb, beta, c + i * ldc + j,
                ldc);
  });
}

/// The factorisation of one diagonal block, by LAPACK on the block turned by
/// 180 degrees: its lower triangle is then our upper one.
static int64_t factorDiagonal(int64_t n, float *a, int64_t lda) {
  auto turned = uninitialized<float>(n * n);
  auto at = [&](int64_t i, int64_t j) -> float & {
    return turned[(n - 1 - i) * n + (n - 1 - j)];
  };
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = i; j < n; ++j)
      at(i, j) = a[i * lda + j];
  if (int64_t minor = blas::spotrfLower(n, turned.get(), n))
    return n - minor;
  for (int64_t i = 0; i < n; ++i) {
    std::fill(a + i * lda, a + i * lda + i, 0.0f);
    for (int64_t j = i; j < n; ++j)
      a[i * lda + j] = at(i, j);
    // LAPACK lets NaN through.
    if (!std::isfinite(a[i * lda + i]) || a[i * lda + i] <= 0.0f)
      return i;
  }
  return -1;
}

int64_t reverseCholesky(int64_t n, float *a, int64_t lda) {
  addWork(Work::Factor, static_cast<double>(n) * n * n / 3);
  for (int64_t block = tiles(n) - 1; block >= 0; --block) {
    int64_t begin = block * kTile, width = std::min(kTile, n - begin);
    float *diagonal = a + begin * lda + begin;
    if (int64_t row = factorDiagonal(width, diagonal, lda); row >= 0)
      return begin + row;
    // The columns of this block above it: R[i,b] = A[i,b]·R[b,b]⁻ᵀ. What lies
    // left of the block is below the diagonal.
    parallelFor(2 * block + 1, [&](int64_t item) {
      if (item == 2 * block) {
        for (int64_t i = 0; i < width; ++i)
          std::fill_n(a + (begin + i) * lda, begin, 0.0f);
        return;
      }
      int64_t rows = kTile / 2;
      blas::strsm(blas::Right, blas::Upper, blas::Trans, rows, width, diagonal,
                  lda, a + item * rows * lda + begin, lda);
    });
    // What is left: A[i,j] -= R[i,b]·R[j,b]ᵀ for tiles i ≤ j < b.
    parallelFor(block * (block + 1) / 2, [&](int64_t item) {
      // Items count the triangle column by column: item = j(j+1)/2 + i.
      auto j = static_cast<int64_t>((std::sqrt(8.0 * item + 1) - 1) / 2);
      int64_t i = item - j * (j + 1) / 2;
      const float *left = a + i * kTile * lda + begin;
      const float *right = a + j * kTile * lda + begin;
      float *target = a + i * kTile * lda + j * kTile;
      if (i == j)
        blas::ssyrk(blas::Upper, blas::NoTrans, kTile, width, -1.0f, left, lda,
                    1.0f, target, lda);
      else
        blas::sgemm(blas::NoTrans, blas::Trans, kTile, kTile, width, -1.0f,
                    left, lda, right, lda, 1.0f, target, lda);
    });
  }
  return -1;
}

} // namespace qk::numerics
