//===- CrossMoment.h - Two inputs of one layer, together --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_CROSSMOMENT_H
#define QK_NUMERICS_CROSSMOMENT_H

#include "qk/Numerics/Result.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace qk::numerics {

/// Collects C = Σ fᵀ·x / tokens, [N,K], of two vectors that belong to one
/// token: what a layer is fed in the float model (f, N = K) and in a model
/// whose earlier layers are quantised (x), or by how much the tensor that a
/// layer's result is added to differs between the two (f) and what the layer is
/// fed (x). This is what a retarget of weights needs beside the Hessian of x.
/// One caller at a time; threads are used inside. Summed as
/// StatisticsAccumulator sums, with the same promise: the result depends on the
/// sequence of tokens alone.
class CrossMomentAccumulator {
public:
  CrossMomentAccumulator(int64_t n, int64_t k);
  ~CrossMomentAccumulator();
  CrossMomentAccumulator(CrossMomentAccumulator &&);
  CrossMomentAccumulator &operator=(CrossMomentAccumulator &&);

  /// Adds `rows` tokens, f row-major [rows,n], x [rows,k]. With `mask` [rows],
  /// only those whose entry is not 0.
  void add(const float *f, const float *x, int64_t rows,
           const uint8_t *mask = nullptr);

  /// [N,K] row-major, of all tokens added; 0 where there were none. Errors: an
  /// element that is not finite, as some token's was not.
  Result<std::vector<float>> finish();

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace qk::numerics

#endif // QK_NUMERICS_CROSSMOMENT_H
