//===- Statistics.h - What a layer is fed -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The statistics of a layer's input that methods ask for, collected token by
/// token while a model runs.
///
//===----------------------------------------------------------------------===//

#ifndef QK_NUMERICS_STATISTICS_H
#define QK_NUMERICS_STATISTICS_H

#include "qk/Numerics/Result.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace qk::numerics {

/// Statistics of `tokens` inputs x of length K. What was not asked for is
/// empty; all are 0 where tokens is 0.
struct Statistics {
  int64_t k = 0;
  int64_t tokens = 0;
  /// [K,K] row-major, symmetric: Σ x·xᵀ / tokens.
  std::vector<float> hessian;
  /// [K]: max |x|.
  std::vector<float> absmax;
  /// [K]: Σ |x| / tokens.
  std::vector<float> absmean;
};

/// Which statistics to collect. The Hessian is the expensive one: K² flops a
/// token and 4·K² bytes.
struct StatisticsOptions {
  bool hessian = true;
  bool absmax = true;
  bool absmean = true;
};

/// Collects the statistics of one layer's input. One caller at a time; threads
/// are used inside.
///
/// Tokens are taken in chunks of a fixed number. A chunk is summed in f32, by
/// BLAS; chunks are summed in f64, so that the error does not grow with the
/// number of tokens. The result depends on the sequence of tokens alone: not on
/// how it was cut into calls, nor on the number of threads.
class StatisticsAccumulator {
public:
  explicit StatisticsAccumulator(int64_t k, StatisticsOptions options = {});
  ~StatisticsAccumulator();
  StatisticsAccumulator(StatisticsAccumulator &&);
  StatisticsAccumulator &operator=(StatisticsAccumulator &&);

  /// Adds `rows` tokens, row-major [rows,k]. With `mask` [rows], only those
  /// whose entry is not 0: padding does not count.
  ///
  /// The first of them counts `firstWeight` times in the Hessian, which is
  /// still divided by the number of tokens: the first token of a text draws
  /// attention far beyond its share of the Hessian, and errors in it spoil all
  /// others.
  ///
  /// Errors: a value that is not finite in a token that counts. Its number
  /// (from 0, over all calls, tokens that do not count included) and column are
  /// in the message, and nothing of this call has been added.
  Status add(const float *x, int64_t rows, const uint8_t *mask = nullptr,
             float firstWeight = 1.0f);

  /// Length of a token.
  int64_t k() const;
  /// Tokens added so far that count.
  int64_t tokens() const;

  /// The statistics of all tokens added so far. More can be added later, but
  /// then their chunks start here.
  Statistics finish();

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace qk::numerics

#endif // QK_NUMERICS_STATISTICS_H
