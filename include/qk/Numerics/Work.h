//===- Work.h - Operations that the algorithms consist of -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Counts what quantising a model can't do without, in floating-point
/// operations (a multiply-add is two), so that time can be compared with it:
/// the matrix products alone, not the searches, conversions and copies around
/// them.
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_WORK_H
#define QK_NUMERICS_WORK_H

namespace qk::numerics {

/// What operations were for.
enum class Work {
  /// Products of the model that runs; counted by who runs it.
  Forward,
  /// Half of XᵀX: tokens·K².
  Hessian,
  /// 2·tokens·K².
  CrossMoment,
  /// A Cholesky factorisation: K³/3.
  Factor,
  /// Rounding with compensation: N·K².
  Solve,
  /// A product and two triangular solves: 4·N·K².
  Retarget,
  /// Sweeps over codes: 2·N·K² each.
  Refine,
};
inline constexpr int kWorkKinds = 7;

/// Adds to what this process has done. From any thread.
void addWork(Work kind, double operations);

/// All that was added since the process began.
double getWork(Work kind);

/// Operations a CPU second of a product of two matrices of 1024 x 1024, f32, by
/// this library's `gemm`: the median of some. Takes a tenth of a second.
double measureGemmRate();

} // namespace qk::numerics

#endif // QK_NUMERICS_WORK_H
