//===- Retarget.cpp - What a weight should do on quantised inputs ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Retarget.h"

#include "Blas.h"
#include "Panel.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/RoundToNearest.h"
#include "qk/Numerics/Work.h"

namespace qk::numerics {

/// Columns of C - H made at a time: so that the difference is never whole.
static constexpr int64_t kTile = 256;
/// Rows of a weight that one thread solves for.
static constexpr int64_t kRows = 128;

Status retarget(const float *w, int64_t n, int64_t k, const float *hessian,
                const float *cross, double alpha,
                const PreparedHessian &prepared, float *out,
                const float *residual) {
  if (!(alpha >= 0 && alpha <= 1))
    return Error{"alpha " + std::to_string(alpha) +
                 " is not allowed: expected 0 to 1"};
  if (Status status = checkFinite(w, n, k, "weight"); !status)
    return status;
  if (Status status = checkFinite(cross, k, k, "cross moment"); !status)
    return status;
  if (residual)
    if (Status status = checkFinite(residual, n, k, "residual moment"); !status)
      return status;
  const int32_t *order =
      prepared.order.empty() ? nullptr : prepared.order.data();
  const HessianFactor &factor = prepared.factor;
  addWork(Work::Retarget, 4.0 * static_cast<double>(n) * k * k);

  // D = W·(C - H), columns in the factor's order.
  auto move = uninitialized<float>(n * k);
  parallelFor((k + kTile - 1) / kTile, [&](int64_t item) {
    int64_t begin = item * kTile, width = std::min(kTile, k - begin);
    auto difference = uninitialized<float>(k * width);
    for (int64_t i = 0; i < k; ++i)
      for (int64_t t = 0; t < width; ++t) {
        int64_t j = order ? order[begin + t] : begin + t;
        // What was never fed has no equation.
        difference[i * width + t] =
            factor.dead[j] ? 0.0f : cross[i * k + j] - hessian[i * k + j];
      }
    if (residual)
      for (int64_t r = 0; r < n; ++r)
        for (int64_t t = 0; t < width; ++t) {
          int64_t j = order ? order[begin + t] : begin + t;
          move[r * k + begin + t] = factor.dead[j] ? 0.0f : residual[r * k + j];
        }
    blas::sgemm(blas::NoTrans, blas::NoTrans, n, width, k, 1.0f, w, k,
                difference.get(), width, residual ? 1.0f : 0.0f,
                move.get() + begin, k);
  });
  // D·(R·Rᵀ)⁻¹ in place.
  parallelFor((n + kRows - 1) / kRows, [&](int64_t item) {
    int64_t begin = item * kRows, rows = std::min(kRows, n - begin);
    float *part = move.get() + begin * k;
    blas::strsm(blas::Right, blas::Upper, blas::Trans, rows, k, factor.r.get(),
                k, part, k);
    blas::strsm(blas::Right, blas::Upper, blas::NoTrans, rows, k,
                factor.r.get(), k, part, k);
    for (int64_t r = begin; r < begin + rows; ++r)
      for (int64_t t = 0; t < k; ++t) {
        int64_t at = r * k + (order ? order[t] : t);
        out[at] = w[at] + static_cast<float>(alpha) * move[r * k + t];
      }
  });
  return {};
}

} // namespace qk::numerics
