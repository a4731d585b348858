//===- RefineCodes.cpp - Coordinate descent over codes ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/RefineCodes.h"

#include "Blas.h"
#include "LaneQuantizer.h"
#include "Panel.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/Work.h"

#include <cmath>
#include <numeric>

namespace qk::numerics {

namespace {

/// Rows of a panel, which one thread takes through all sweeps.
constexpr int64_t kPanelRows = 128;
/// Columns between two matrix products.
constexpr int64_t kBlock = 128;

/// What all panels share; columns are in stored order.
struct Descent {
  LaneQuantizer quantizer;
  int64_t k, groupLength, groups;
  /// [K,K] H in stored order.
  const float *hessian;
  float lambda;
  /// [K] 1 / (H_jj + lambda), 0 for columns that are left alone.
  std::vector<float> inverseDiagonal;
};

/// One panel's arrays, transposed with stride `stride`.
struct RefinedPanel {
  int64_t stride;
  /// [K]: the weight, and E = w - q.
  std::unique_ptr<float[]> w, error;
  /// [kBlock]: E·A at the start of a block, and by how much E has changed.
  std::unique_ptr<float[]> sums, change;
  /// [G]
  std::unique_ptr<float[]> scales, zeros;
  /// [K]
  std::unique_ptr<uint8_t[]> codes;
  int64_t moved = 0, sweeps = 0;
  double lowered = 0;

  RefinedPanel(const Descent &descent, int64_t stride)
      : stride(stride), w(uninitialized<float>(descent.k * stride)),
        error(uninitialized<float>(descent.k * stride)),
        sums(uninitialized<float>(kBlock * stride)),
        change(uninitialized<float>(kBlock * stride)),
        scales(uninitialized<float>(descent.groups * stride)),
        zeros(uninitialized<float>(descent.groups * stride)),
        codes(uninitialized<uint8_t>(descent.k * stride)) {}
};

} // namespace

/// The codes of the panel's rows as values, and from them E.
QK_INLINE static inline void computeError(const Descent &descent,
                                          RefinedPanel &panel) {
  int64_t stride = panel.stride;
  for (int64_t t = 0; t < descent.k; ++t) {
    int64_t group = t / descent.groupLength * stride;
    for (int64_t r = 0; r < stride; r += kLanes) {
      LaneBytes bytes;
      __builtin_memcpy(&bytes, panel.codes.get() + t * stride + r, kLanes);
      LaneParameters parameters{loadLanes(panel.scales.get() + group + r),
                                loadLanes(panel.zeros.get() + group + r)};
      Lanes value =
          parameters.scale * descent.quantizer.centredOf(bytes, parameters);
      int64_t at = t * stride + r;
      storeLanes(panel.error.get() + at, loadLanes(panel.w.get() + at) - value);
    }
  }
}

/// Moves the codes of the columns [begin, end) for `V` vectors of rows at `r`.
template <int V>
QK_INLINE static inline void moveBlock(const Descent &descent,
                                       RefinedPanel &panel, int64_t begin,
                                       int64_t end, int64_t r) {
  int64_t stride = panel.stride;
  Lanes lowered = splat(0.0f);
  LaneMask moved = 0;
  for (int64_t t = begin; t < end; ++t) {
    float inverse = descent.inverseDiagonal[t];
    float *change = panel.change.get() + (t - begin) * stride + r;
    if (inverse == 0.0f) {
      std::fill_n(change, V * kLanes, 0.0f);
      continue;
    }
    const float *factors = descent.hessian + t * descent.k + begin;
    Lanes sum[V];
    for (int v = 0; v < V; ++v)
      sum[v] =
          loadLanes(panel.sums.get() + (t - begin) * stride + r + v * kLanes);
    for (int64_t i = 0; i < t - begin; ++i)
      for (int v = 0; v < V; ++v)
        sum[v] = multiplyAdd(
            loadLanes(panel.change.get() + i * stride + r + v * kLanes),
            splat(factors[i]), sum[v]);
    for (int v = 0; v < V; ++v) {
      int64_t row = r + v * kLanes, at = t * stride + row,
              group = t / descent.groupLength * stride + row;
      LaneParameters parameters{loadLanes(panel.scales.get() + group),
                                loadLanes(panel.zeros.get() + group)};
      Lanes w = loadLanes(panel.w.get() + at);
      Lanes error = loadLanes(panel.error.get() + at);
      Lanes gradient = multiplyAdd(error, splat(descent.lambda), sum[v]);
      Lanes step = gradient * splat(inverse);
      Lanes centred =
          descent.quantizer.centredCode(w - error + step, parameters);
      Lanes next = w - parameters.scale * centred;
      Lanes difference = next - error;
      // (E+d)·A·(E+d)ᵀ - E·A·Eᵀ = d·(2·gradient + d·A_jj), never positive but
      // for rounding.
      lowered -= difference * (gradient + gradient + difference / inverse);
      moved -= difference != 0.0f;
      storeLanes(change + v * kLanes, difference);
      storeLanes(panel.error.get() + at, next);
      LaneBytes bytes = descent.quantizer.bytesOf(centred, parameters);
      __builtin_memcpy(panel.codes.get() + at, &bytes, kLanes);
    }
  }
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    panel.lowered += lowered[lane];
    panel.moved += moved[lane];
  }
}

static void refinePanel(const Descent &descent, RefinedPanel &panel,
                        int64_t sweeps) {
  int64_t k = descent.k, stride = panel.stride;
  withBestVectors([&]() QK_INLINE { computeError(descent, panel); });
  for (int64_t sweep = 0; sweep < sweeps; ++sweep) {
    ++panel.sweeps;
    int64_t before = panel.moved;
    for (int64_t begin = 0; begin < k; begin += kBlock) {
      int64_t end = std::min(k, begin + kBlock);
      blas::sgemm(blas::NoTrans, blas::NoTrans, end - begin, stride, k, 1.0f,
                  descent.hessian + begin * k, k, panel.error.get(), stride,
                  0.0f, panel.sums.get(), stride);
      withBestVectors([&]() QK_INLINE {
        int64_t r = 0;
        for (; r + 4 * kLanes <= stride; r += 4 * kLanes)
          moveBlock<4>(descent, panel, begin, end, r);
        for (; r < stride; r += kLanes)
          moveBlock<1>(descent, panel, begin, end, r);
      });
    }
    if (panel.moved == before)
      break;
  }
}

Result<Refinement> refineCodes(const float *w, const float *hessian,
                               double lambda, int64_t sweeps,
                               QuantizedWeight &weight) {
  if (sweeps < 0)
    return Error{"sweeps " + std::to_string(sweeps) +
                 " is not allowed: expected 0 or more"};
  if (!(std::isfinite(lambda) && lambda >= 0))
    return Error{"lambda " + std::to_string(lambda) +
                 " is not allowed: expected a number of at least 0"};
  int64_t n = weight.n, k = weight.k;
  const int32_t *order =
      weight.permutation.empty() ? nullptr : weight.permutation.data();
  // Scales stay, so that only the codes' range matters of the options.
  Descent descent{LaneQuantizer({weight.scheme, weight.zeroPoints.empty()}),
                  k,
                  weight.scheme.groupLength(k),
                  weight.scheme.groups(k),
                  hessian,
                  static_cast<float>(lambda),
                  std::vector<float>(k)};
  std::unique_ptr<float[]> ordered;
  if (order) {
    ordered = uninitialized<float>(k * k);
    parallelFor(k, [&](int64_t i) {
      for (int64_t j = 0; j < k; ++j)
        ordered[i * k + j] = hessian[order[i] * k + order[j]];
    });
    descent.hessian = ordered.get();
  }
  for (int64_t t = 0; t < k; ++t)
    if (float diagonal = descent.hessian[t * k + t]; diagonal > 0)
      descent.inverseDiagonal[t] = 1.0f / (diagonal + descent.lambda);

  int64_t panels = (n + kPanelRows - 1) / kPanelRows;
  std::vector<Refinement> parts(panels);
  parallelFor(panels, [&](int64_t item) {
    int64_t first = item * kPanelRows, rows = std::min(kPanelRows, n - first);
    RefinedPanel panel(descent, roundUpToLanes(rows));
    gatherPanel(w + first * k, k, rows, order, panel.w.get(), panel.stride);
    gatherPanel(weight.scales.data() + first * descent.groups, descent.groups,
                rows, nullptr, panel.scales.get(), panel.stride);
    if (weight.zeroPoints.empty())
      std::fill_n(panel.zeros.get(), descent.groups * panel.stride,
                  static_cast<float>(weight.scheme.defaultZeroPoint()));
    else
      gatherPanel(weight.zeroPoints.data() + first * descent.groups,
                  descent.groups, rows, nullptr, panel.zeros.get(),
                  panel.stride);
    // Rows beyond the last have code 0: they must not divide by 0, nor move.
    for (int64_t g = 0; g < descent.groups; ++g)
      for (int64_t r = rows; r < panel.stride; ++r) {
        panel.scales[g * panel.stride + r] = 1.0f;
        panel.zeros[g * panel.stride + r] = 0.0f;
      }
    gatherPanel(weight.codes.data() + first * k, k, rows, nullptr,
                panel.codes.get(), panel.stride);
    refinePanel(descent, panel, sweeps);
    scatterPanel(panel.codes.get(), panel.stride, k, rows, nullptr,
                 weight.codes.data() + first * k);
    addWork(Work::Refine,
            2.0 * static_cast<double>(panel.sweeps) * rows * k * k);
    parts[item] = {panel.moved, panel.lowered};
  });
  Refinement sum;
  for (const Refinement &part : parts) {
    sum.codesMoved += part.codesMoved;
    sum.lossLowered += part.lossLowered;
  }
  return {std::move(sum)};
}

} // namespace qk::numerics
