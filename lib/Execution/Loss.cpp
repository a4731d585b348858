//===- Loss.cpp - How well logits predict tokens --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Execution/Loss.h"
#include "llvm/ADT/Twine.h"
#include <algorithm>
#include <cmath>

using namespace qk;
using llvm::ArrayRef;
using llvm::Twine;
using storage::makeError;

/// Turns a row of logits into logarithms of probabilities.
static void toLogProbabilities(llvm::MutableArrayRef<double> row) {
  double largest = *std::max_element(row.begin(), row.end()), sum = 0;
  for (double value : row)
    sum += std::exp(value - largest);
  double shift = largest + std::log(sum);
  for (double &value : row)
    value -= shift;
}

llvm::Error qk::addLoss(LossSums &sums, const Tensor &logits,
                        const Tensor &tokens, const Tensor *reference,
                        llvm::ArrayRef<uint8_t> mask) {
  if (logits.shape.size() < 2)
    return makeError("expected logits [..., tokens, vocabulary], got " +
                     logits.describe());
  int64_t vocabulary = logits.shape.back();
  int64_t length = vocabulary ? logits.numElements() / vocabulary : 0;
  if (tokens.numElements() != length ||
      logits.shape[logits.shape.size() - 2] != length)
    return makeError("expected logits of one sequence of " +
                     Twine(tokens.numElements()) + " tokens, got " +
                     logits.describe());
  if (reference && reference->shape != logits.shape)
    return makeError("expected logits of the reference as " +
                     logits.describe() + ", got " + reference->describe());
  if (!mask.empty() && static_cast<int64_t>(mask.size()) != length)
    return makeError("expected a mask of " + Twine(length) + " tokens, got " +
                     Twine(mask.size()));
  std::vector<double> ids = tokens.toDoubles(), rows = logits.toDoubles(),
                      references;
  if (reference)
    references = reference->toDoubles();
  for (int64_t t = 0; t + 1 < length; ++t) {
    if (!mask.empty() && !(mask[t] && mask[t + 1]))
      continue;
    auto next = static_cast<int64_t>(ids[t + 1]);
    if (next < 0 || next >= vocabulary)
      return makeError("token " + Twine(next) + " at position " + Twine(t + 1) +
                       " is outside the vocabulary of " + Twine(vocabulary));
    auto rowOf = [&](std::vector<double> &values) {
      llvm::MutableArrayRef<double> row(values.data() + t * vocabulary,
                                        vocabulary);
      toLogProbabilities(row);
      return row;
    };
    llvm::MutableArrayRef<double> row = rowOf(rows);
    if (!std::isfinite(row[next]))
      return makeError("logits at position " + Twine(t) + " are not finite");
    sums.crossEntropy -= row[next];
    if (reference) {
      llvm::MutableArrayRef<double> other = rowOf(references);
      for (int64_t v = 0; v < vocabulary; ++v)
        if (double p = std::exp(other[v]); p > 0)
          sums.divergence += p * (other[v] - row[v]);
    }
    ++sums.predictions;
  }
  return llvm::Error::success();
}
