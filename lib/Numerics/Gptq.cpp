//===- Gptq.cpp - Rounding with compensation --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Numerics/Gptq.h"

#include "Blas.h"
#include "LaneQuantizer.h"
#include "Panel.h"
#include "qk/Numerics/OutputError.h"
#include "qk/Numerics/Parallel.h"
#include "qk/Numerics/RefineCodes.h"
#include "qk/Numerics/RoundToNearest.h"
#include "qk/Numerics/Work.h"

#include <numeric>

namespace qk::numerics {

Status GptqOptions::validate() const {
  if (Status status = quantizer.validate(); !status)
    return status;
  if (Status status = damping.validate(); !status)
    return status;
  if (blockSize < 1)
    return Error{"block size " + std::to_string(blockSize) +
                 " is not allowed: expected a positive number"};
  if (sweeps < 0)
    return Error{"sweeps " + std::to_string(sweeps) +
                 " is not allowed: expected 0 or more"};
  if (rescales < 0)
    return Error{"rescales " + std::to_string(rescales) +
                 " is not allowed: expected 0 or more"};
  if (rescales > 0 && !staticGroups)
    return Error{"rescales need static groups: others have their scales chosen "
                 "from compensated weights already"};
  return {};
}

Result<PreparedHessian> prepareHessian(const float *hessian, int64_t k,
                                       const GptqOptions &options) {
  if (Status status = options.validate(); !status)
    return status.error();
  PreparedHessian prepared;
  if (options.order == ColumnOrder::Activation)
    prepared.order = activationOrder(hessian, k);
  else if (options.order == ColumnOrder::GroupAware)
    prepared.order =
        groupAwareOrder(hessian, k, options.quantizer.scheme.groupLength(k));
  Result<HessianFactor> factor = factorHessian(
      hessian, k, prepared.order.empty() ? nullptr : prepared.order.data(),
      options.damping);
  if (!factor)
    return factor.error();
  prepared.factor = std::move(*factor);
  return {std::move(prepared)};
}

namespace {

/// Rows of a panel, which one thread takes through all columns. More rows make
/// the products faster, fewer spread better over threads.
constexpr int64_t kPanelRows = 128;
/// Vectors of rows that are rounded at a time: as many chains of multiply-adds.
constexpr int kVectors = 4;

/// What all panels share.
struct Solve {
  const GptqOptions &options;
  const HessianFactor &factor;
  LaneQuantizer quantizer;
  int64_t k, groupLength, groups, block;
  /// [K] each: the column of a step; its group; where its code is stored;
  /// R[t,t] and its inverse.
  std::vector<int32_t> column;
  std::vector<int32_t> group;
  std::vector<int32_t> place;
  std::vector<float> pivot, inversePivot;
  /// The steps at which blocks begin, and K. Without static groups a block is
  /// made of whole groups: a group's scale has to be known before its first
  /// column and depends on all of them.
  std::vector<int64_t> blocks;
  /// [K] without static groups: at the first step of a group its columns,
  /// else 0.
  std::vector<int64_t> groupStarts;
  /// [K, block]: diagonal[t*block + i - b] = R[i,t] for b ≤ i < t, b the start
  /// of the block of t. Contiguous, where R's columns would be K apart.
  std::unique_ptr<float[]> diagonal;
  /// [K] in the original order: what the weighted scale search weighs columns
  /// by, 1/U[t,t]² = R[t,t]².
  std::vector<float> columnWeights;

  Solve(const GptqOptions &options, const PreparedHessian &prepared, int64_t k);
};

/// One panel's arrays, transposed with stride `stride`: [K] or [G] rows of it.
struct Panel {
  int64_t stride;
  /// The weight, columns in the original order.
  std::unique_ptr<float[]> w;
  /// e = w - q by step.
  std::unique_ptr<float[]> error;
  /// [block]: Σ e_i·R[i,t] over the steps before the block.
  std::unique_ptr<float[]> sums;
  /// [groupLength] targets of one group, of as many rows as are rounded at a
  /// time, when groups are not static.
  std::unique_ptr<float[]> targets;
  std::unique_ptr<float[]> scales, zeros;
  std::unique_ptr<uint8_t[]> codes;
  /// [1]: Σ v² of each row.
  std::unique_ptr<float[]> loss;
  /// With rescales, [K]: what a column would have had to be when it was
  /// rounded, columns in the original order.
  std::unique_ptr<float[]> compensated;

  Panel(const Solve &solve, int64_t stride);
};

} // namespace

Solve::Solve(const GptqOptions &options, const PreparedHessian &prepared,
             int64_t k)
    : options(options), factor(prepared.factor), quantizer(options.quantizer),
      k(k), groupLength(options.quantizer.scheme.groupLength(k)),
      groups(options.quantizer.scheme.groups(k)), block(options.blockSize),
      column(prepared.order), group(k), pivot(k), inversePivot(k),
      columnWeights(k) {
  if (!options.staticGroups)
    block = std::max(block / groupLength, int64_t(1)) * groupLength;
  block = std::min(block, k);
  if (column.empty()) {
    column.resize(k);
    std::iota(column.begin(), column.end(), 0);
  }
  // Only groups that are what is consecutive in an order of their own leave a
  // permutation.
  bool permuted =
      !options.staticGroups && options.order == ColumnOrder::Activation;
  if (!permuted)
    place = column;
  else {
    place.resize(k);
    std::iota(place.begin(), place.end(), 0);
  }
  const float *r = factor.r.get();
  for (int64_t t = 0; t < k; ++t) {
    group[t] = place[t] / groupLength;
    pivot[t] = r[t * k + t];
    inversePivot[t] = 1.0f / pivot[t];
    columnWeights[column[t]] = pivot[t] * pivot[t];
  }
  groupStarts.resize(k);
  for (int64_t t = 0, start = 0; t < k && !options.staticGroups; ++t) {
    if (group[t] != group[start])
      start = t;
    ++groupStarts[start];
  }
  blocks.push_back(0);
  for (int64_t t = 0; t < k;) {
    int64_t next = options.staticGroups ? t + 1 : t + groupStarts[t];
    if (next - blocks.back() > block)
      blocks.push_back(t);
    t = next;
  }
  blocks.push_back(k);
  diagonal = uninitialized<float>(k * block);
  parallelFor(blocks.size() - 1, [&](int64_t item) {
    int64_t begin = blocks[item], end = blocks[item + 1];
    for (int64_t i = begin; i < end; ++i)
      for (int64_t t = i + 1; t < end; ++t)
        diagonal[t * block + i - begin] = r[i * k + t];
  });
}

Panel::Panel(const Solve &solve, int64_t stride)
    : stride(stride), w(uninitialized<float>(solve.k * stride)),
      error(uninitialized<float>(solve.k * stride)),
      sums(uninitialized<float>(solve.block * stride)),
      targets(uninitialized<float>(solve.groupLength * kVectors * kLanes)),
      scales(uninitialized<float>(solve.groups * stride)),
      zeros(uninitialized<float>(solve.groups * stride)),
      codes(uninitialized<uint8_t>(solve.k * stride)),
      loss(uninitialized<float>(stride)) {
  if (solve.options.rescales > 0)
    compensated = uninitialized<float>(solve.k * stride);
}

/// Scales and zero points of all groups from `source`, columns in the original
/// order.
QK_INLINE static inline void
chooseStaticGroups(const Solve &solve, Panel &panel, const float *source) {
  for (int64_t g = 0; g < solve.groups; ++g) {
    int64_t begin = g * solve.groupLength,
            count = std::min(solve.groupLength, solve.k - begin);
    auto weightOf = [&](int64_t i)
                        QK_INLINE { return solve.columnWeights[begin + i]; };
    for (int64_t r = 0; r < panel.stride; r += kLanes) {
      LaneParameters group = solve.quantizer.parameters(
          source + begin * panel.stride + r, panel.stride, count, weightOf);
      storeLanes(panel.scales.get() + g * panel.stride + r, group.scale);
      storeLanes(panel.zeros.get() + g * panel.stride + r, group.zero);
    }
  }
}

/// Σ e_i·R[i,t] over all steps before t, for `V` vectors of rows at `r`.
template <int V>
QK_INLINE static inline void sumErrors(const Solve &solve, const Panel &panel,
                                       int64_t begin, int64_t t, int64_t r,
                                       Lanes (&sum)[V]) {
  int64_t stride = panel.stride;
  for (int v = 0; v < V; ++v)
    sum[v] =
        loadLanes(panel.sums.get() + (t - begin) * stride + r + v * kLanes);
  const float *factors = solve.diagonal.get() + t * solve.block;
  const float *error = panel.error.get() + begin * stride + r;
  for (int64_t i = 0; i < t - begin; ++i)
    for (int v = 0; v < V; ++v)
      sum[v] = multiplyAdd(loadLanes(error + i * stride + v * kLanes),
                           splat(factors[i]), sum[v]);
}

/// Scale and zero point of the group that starts at step `first`, from what
/// its columns would have to be were none of them rounded any more; for `V`
/// vectors of rows at `r`.
template <int V>
QK_INLINE static inline void chooseGroup(const Solve &solve, Panel &panel,
                                         int64_t begin, int64_t first,
                                         int64_t r) {
  constexpr int64_t width = V * kLanes;
  int64_t end = first + solve.groupStarts[first];
  for (int64_t t = first; t < end; ++t) {
    Lanes sum[V];
    sumErrors(solve, panel, begin, t, r, sum);
    for (int v = 0; v < V; ++v) {
      int64_t row = r + v * kLanes;
      Lanes move = sum[v] * splat(solve.inversePivot[t]);
      Lanes w = loadLanes(panel.w.get() + solve.column[t] * panel.stride + row);
      storeLanes(panel.targets.get() + (t - first) * width + v * kLanes,
                 w + move);
      // Rounding will overwrite this.
      storeLanes(panel.error.get() + t * panel.stride + row, -move);
    }
  }
  auto weightOf = [&](int64_t i) QK_INLINE {
    return solve.pivot[first + i] * solve.pivot[first + i];
  };
  for (int v = 0; v < V; ++v) {
    LaneParameters group = solve.quantizer.parameters(
        panel.targets.get() + v * kLanes, width, end - first, weightOf);
    int64_t at = solve.group[first] * panel.stride + r + v * kLanes;
    storeLanes(panel.scales.get() + at, group.scale);
    storeLanes(panel.zeros.get() + at, group.zero);
  }
}

/// Rounds the columns of the steps [begin, end) for `V` vectors of rows at `r`.
template <int V>
QK_INLINE static inline void roundBlock(const Solve &solve, Panel &panel,
                                        int64_t begin, int64_t end, int64_t r) {
  int64_t stride = panel.stride;
  Lanes loss[V];
  for (int v = 0; v < V; ++v)
    loss[v] = loadLanes(panel.loss.get() + r + v * kLanes);
  for (int64_t t = begin; t < end; ++t) {
    if (solve.groupStarts[t])
      chooseGroup<V>(solve, panel, begin, t, r);
    Lanes sum[V];
    sumErrors(solve, panel, begin, t, r, sum);
    int64_t place = solve.place[t];
    for (int v = 0; v < V; ++v) {
      int64_t row = r + v * kLanes, at = solve.group[t] * stride + row;
      LaneParameters group{loadLanes(panel.scales.get() + at),
                           loadLanes(panel.zeros.get() + at)};
      Lanes w = loadLanes(panel.w.get() + solve.column[t] * stride + row);
      Lanes target = w + sum[v] * splat(solve.inversePivot[t]);
      if (panel.compensated)
        storeLanes(panel.compensated.get() + solve.column[t] * stride + row,
                   target);
      Lanes centred = solve.quantizer.centredCode(target, group);
      Lanes value = group.scale * centred;
      storeLanes(panel.error.get() + t * stride + row, w - value);
      Lanes weighted = (target - value) * splat(solve.pivot[t]);
      loss[v] += weighted * weighted;
      LaneBytes bytes = solve.quantizer.bytesOf(centred, group);
      __builtin_memcpy(panel.codes.get() + place * stride + row, &bytes,
                       kLanes);
    }
  }
  for (int v = 0; v < V; ++v)
    storeLanes(panel.loss.get() + r + v * kLanes, loss[v]);
}

/// Takes a panel through all columns, groups that are static with the scales
/// that it has.
static void roundPanel(const Solve &solve, Panel &panel) {
  int64_t k = solve.k, stride = panel.stride;
  std::fill_n(panel.loss.get(), stride, 0.0f);
  for (size_t i = 0; i + 1 < solve.blocks.size(); ++i) {
    int64_t begin = solve.blocks[i], end = solve.blocks[i + 1];
    if (begin == 0)
      std::fill_n(panel.sums.get(), (end - begin) * stride, 0.0f);
    else
      blas::sgemm(blas::Trans, blas::NoTrans, end - begin, stride, begin, 1.0f,
                  solve.factor.r.get() + begin, k, panel.error.get(), stride,
                  0.0f, panel.sums.get(), stride);
    withBestVectors([&]() QK_INLINE {
      int64_t r = 0;
      for (; r + kVectors * kLanes <= stride; r += kVectors * kLanes)
        roundBlock<kVectors>(solve, panel, begin, end, r);
      for (; r < stride; r += kLanes)
        roundBlock<1>(solve, panel, begin, end, r);
    });
  }
}

/// What a panel's rows were rounded to so far with the least loss.
struct BestRows {
  std::vector<float> loss, scales, zeros;
  std::vector<uint8_t> codes;

  /// Takes the rows of `panel` that are better; the others' go to the panel if
  /// it is the last.
  void exchange(const Solve &solve, Panel &panel, bool last) {
    const int64_t stride = panel.stride;
    if (loss.empty()) {
      loss.assign(panel.loss.get(), panel.loss.get() + stride);
      scales.assign(panel.scales.get(),
                    panel.scales.get() + solve.groups * stride);
      zeros.assign(panel.zeros.get(),
                   panel.zeros.get() + solve.groups * stride);
      codes.assign(panel.codes.get(), panel.codes.get() + solve.k * stride);
      return;
    }
    for (int64_t row = 0; row < stride; ++row) {
      const bool better = panel.loss[row] < loss[row];
      auto move = [&](auto &best, auto *now, int64_t count) {
        for (int64_t at = row; at < count * stride; at += stride)
          if (better)
            best[at] = now[at];
          else if (last)
            now[at] = best[at];
      };
      move(loss, panel.loss.get(), 1);
      move(scales, panel.scales.get(), solve.groups);
      move(zeros, panel.zeros.get(), solve.groups);
      move(codes, panel.codes.get(), solve.k);
    }
  }
};

static void solvePanel(const Solve &solve, Panel &panel) {
  for (int64_t j = 0; j < solve.k; ++j)
    if (solve.factor.dead[j])
      std::fill_n(panel.w.get() + j * panel.stride, panel.stride, 0.0f);
  auto choose = [&](const float *source) {
    withBestVectors(
        [&]() QK_INLINE { chooseStaticGroups(solve, panel, source); });
  };
  if (solve.options.staticGroups)
    choose(panel.w.get());
  roundPanel(solve, panel);
  const int64_t rescales = solve.options.rescales;
  BestRows best;
  for (int64_t pass = 0; pass < rescales; ++pass) {
    best.exchange(solve, panel, /*last=*/false);
    choose(panel.compensated.get());
    roundPanel(solve, panel);
  }
  if (rescales > 0)
    best.exchange(solve, panel, /*last=*/true);
}

Result<GptqResult> gptq(const float *w, int64_t n, int64_t k,
                        const float *hessian, const PreparedHessian &prepared,
                        const GptqOptions &options) {
  if (Status status = options.validate(); !status)
    return status.error();
  if (Status status = checkFinite(w, n, k, "weight"); !status)
    return status.error();
  bool symmetric = options.quantizer.symmetric;
  Solve solve(options, prepared, k);
  GptqResult result;
  QuantizedWeight &weight = result.weight;
  weight.scheme = options.quantizer.scheme;
  weight.n = n;
  weight.k = k;
  weight.codes.resize(n * k);
  weight.scales.resize(n * solve.groups);
  if (!symmetric)
    weight.zeroPoints.resize(n * solve.groups);
  if (!options.staticGroups && options.order == ColumnOrder::Activation)
    weight.permutation = prepared.order;

  int64_t panels = (n + kPanelRows - 1) / kPanelRows;
  std::vector<double> losses(panels);
  parallelFor(panels, [&](int64_t item) {
    int64_t first = item * kPanelRows, rows = std::min(kPanelRows, n - first);
    Panel panel(solve, roundUpToLanes(rows));
    gatherPanel(w + first * k, k, rows, nullptr, panel.w.get(), panel.stride);
    solvePanel(solve, panel);
    losses[item] =
        std::accumulate(panel.loss.get(), panel.loss.get() + rows, 0.0);
    scatterPanel(panel.codes.get(), panel.stride, k, rows, nullptr,
                 weight.codes.data() + first * k);
    scatterPanel(panel.scales.get(), panel.stride, solve.groups, rows, nullptr,
                 weight.scales.data() + first * solve.groups);
    if (!symmetric)
      scatterPanel(panel.zeros.get(), panel.stride, solve.groups, rows, nullptr,
                   weight.zeroPoints.data() + first * solve.groups);
  });

  addWork(Work::Solve, static_cast<double>(1 + options.rescales) * n * k * k);
  GptqReport &report = result.report;
  report.lossDamped = std::accumulate(losses.begin(), losses.end(), 0.0);
  if (options.sweeps > 0) {
    Result<Refinement> refined =
        refineCodes(w, hessian, prepared.factor.lambda, options.sweeps, weight);
    if (!refined)
      return refined.error();
    report.codesMoved = refined->codesMoved;
    report.lossDamped -= refined->lossLowered;
  }
  report.damping = prepared.factor.damping;
  report.deadColumns = prepared.factor.deadColumns;
  if (options.measureError) {
    std::vector<float> values = dequantize(weight);
    OutputError error = outputError(w, values.data(), n, k, hessian);
    report.loss = error.loss;
    report.relativeError = error.relative;
  }
  return {std::move(result)};
}

Result<GptqResult> gptq(const float *w, int64_t n, int64_t k,
                        const float *hessian, const GptqOptions &options) {
  Result<PreparedHessian> prepared = prepareHessian(hessian, k, options);
  if (!prepared)
    return prepared.error();
  return gptq(w, n, k, hessian, *prepared, options);
}

} // namespace qk::numerics
