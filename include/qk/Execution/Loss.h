//===- Loss.h - How well logits predict tokens ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_EXECUTION_LOSS_H
#define QK_EXECUTION_LOSS_H

#include "qk/Execution/Tensor.h"

namespace qk {

/// Sums over predictions; natural logarithms, softmax in f64.
struct LossSums {
  double crossEntropy = 0;
  double divergence = 0;
  int64_t predictions = 0;

  double meanLoss() const { return crossEntropy / predictions; }
  double meanDivergence() const { return divergence / predictions; }
};

/// Adds the predictions of one sequence: position t of `logits` [..., T, V]
/// predicts element t+1 of `tokens` [..., T], for all t+1 that `mask` (empty:
/// all) counts. With `reference` logits of the same shape also the
/// Kullback-Leibler divergence sum_v p_ref(v) (log p_ref(v) - log p(v)).
/// Errors: shapes that do not fit, tokens outside the vocabulary, logits that
/// are not finite.
llvm::Error addLoss(LossSums &sums, const Tensor &logits, const Tensor &tokens,
                    const Tensor *reference, llvm::ArrayRef<uint8_t> mask);

} // namespace qk

#endif // QK_EXECUTION_LOSS_H
