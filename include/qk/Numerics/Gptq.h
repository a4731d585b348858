//===- Gptq.h - Rounding with compensation ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// GPTQ (arXiv 2210.17323): columns are rounded one after the other, each
/// error being made good by the columns still to come, in the metric of the
/// layer's input, H = XᵀX/tokens.
///
/// The papers subtract err·U[i,:] from all later columns after each column i
/// (H⁻¹ = UᵀU). Here the same targets come from R = U⁻¹ (H = R·Rᵀ, Hessian.h)
/// and from the errors e = w - q of the columns already rounded:
///
///   target_t = w_t + (Σ_{i<t} e_i·R[i,t]) / R[t,t]
///
/// Proof: with v = e·R, the papers' err_t is v_t, so that e = v·U gives
/// target_t - w_t = -Σ_{i<t} v_i·U[i,t] = Σ_{i<t} e_i·R[i,t] / R[t,t]. So no
/// matrix is inverted, the work before each block of columns is one matrix
/// product over all earlier columns, and the weight is never rewritten.
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_GPTQ_H
#define QK_NUMERICS_GPTQ_H

#include "qk/Numerics/Hessian.h"
#include "qk/Numerics/Quantizer.h"

namespace qk::numerics {

/// The order in which columns are rounded.
enum class ColumnOrder : uint8_t {
  /// As they are.
  None,
  /// By falling diag(H): columns that matter most have the most others left to
  /// make their errors good.
  Activation,
  /// Group by group: groups by their falling largest diag(H), inside a group
  /// columns by falling diag(H) (GAR, arXiv 2505.14638). A group's columns are
  /// consecutive in this order, so that groups which are not static see the
  /// updated weight and still leave no permutation.
  GroupAware,
};

struct GptqOptions {
  QuantizerOptions quantizer;
  ColumnOrder order = ColumnOrder::Activation;
  /// Scales and zero points of all groups are chosen first, from the original
  /// weight in its original order, so that no permutation is left at run time.
  /// Otherwise a group is what is consecutive in the order of rounding, its
  /// scale is chosen when it is reached, and the result has a permutation
  /// where the order is Activation.
  bool staticGroups = true;
  DampingOptions damping;
  /// Columns that are rounded between two matrix products: speed alone. Without
  /// static groups it is made a multiple of the group.
  int64_t blockSize = 128;
  /// Static groups: how many times scales are searched again and columns
  /// rounded anew, each time for what compensation had made of the columns when
  /// they were rounded; each row keeps its best pass (by Σ v²). A column that
  /// has to make good a large error of another, with which it is fed alike,
  /// moves out of the range that its own weights gave. N·K² flops each.
  int64_t rescales = 0;
  /// Passes of refineCodes (RefineCodes.h) after the solve, on the damped
  /// Hessian: each up to twice the solve's flops.
  int64_t sweeps = 0;
  /// Fill in GptqReport::loss and relativeError, which take 2·N·K² flops.
  bool measureError = true;

  /// Rejects group sizes, dampings, block sizes and sweeps that make no sense.
  Status validate() const;
};

/// What a solve did.
struct GptqReport {
  /// tr(ΔW·(H + λ·I)·ΔWᵀ): what the solver minimises, as Σ v² less what the
  /// sweeps gained.
  double lossDamped = 0;
  /// Codes that the sweeps changed.
  int64_t codesMoved = 0;
  /// tr(ΔW·H·ΔWᵀ), and its ratio to tr(W·H·Wᵀ).
  double loss = 0;
  double relativeError = 0;
  /// The damping that the factorisation needed (DampingOptions::damping unless
  /// it was retried).
  double damping = 0;
  int64_t deadColumns = 0;
};

struct GptqResult {
  QuantizedWeight weight;
  GptqReport report;
};

/// What the layers that read one input share.
struct PreparedHessian {
  /// Column order[t] is rounded at step t; empty for ColumnOrder::None.
  std::vector<int32_t> order;
  HessianFactor factor;
};

/// Orders and factors `hessian`, row-major [k,k].
///
/// Errors: those of GptqOptions::validate and of factorHessian.
Result<PreparedHessian> prepareHessian(const float *hessian, int64_t k,
                                       const GptqOptions &options);

/// Rounds `w`, row-major [n,k]. The weight of a dead column is taken as 0.
/// `prepared` comes from the same hessian and options.
///
/// Errors: options that do not validate, weights that are not finite.
Result<GptqResult> gptq(const float *w, int64_t n, int64_t k,
                        const float *hessian, const PreparedHessian &prepared,
                        const GptqOptions &options);

/// The same for one layer by itself.
Result<GptqResult> gptq(const float *w, int64_t n, int64_t k,
                        const float *hessian, const GptqOptions &options);

} // namespace qk::numerics

#endif // QK_NUMERICS_GPTQ_H
