//===- Loss.cpp - How well logits predict tokens --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Execution/Loss.h"
#include "qk/Numerics/LogProbabilities.h"
#include "qk/Numerics/Parallel.h"
#include "llvm/ADT/Twine.h"
#include <algorithm>
#include <cmath>
#include <cstring>

using namespace qk;
using llvm::Twine;
using storage::makeError;

namespace {
/// What one position adds, and whether its logits could be used.
struct Position {
  double crossEntropy = 0, divergence = 0;
  bool counts = false, isFinite = true;
};
} // namespace

template <typename T>
static void widenRow(const uint8_t *row, llvm::MutableArrayRef<double> values) {
  for (size_t v = 0; v < values.size(); ++v) {
    T element; // The bytes of a mapped file may not be aligned.
    std::memcpy(&element, row + v * sizeof(T), sizeof(T));
    values[v] = static_cast<double>(element);
  }
}

/// Row `t` of logits as doubles. One row at a time: all of them, of a large
/// vocabulary and twice, would be the most memory of a whole run.
static void readRow(const Tensor &logits, int64_t t,
                    llvm::MutableArrayRef<double> values) {
  const uint8_t *row =
      logits.data + t * values.size() * storage::byteWidth(logits.type);
  switch (logits.type) {
  case storage::DataType::F64:
    return widenRow<double>(row, values);
  case storage::DataType::F16:
    return widenRow<_Float16>(row, values);
  case storage::DataType::BF16:
    for (size_t v = 0; v < values.size(); ++v) {
      uint32_t bits = (row[2 * v] | uint32_t(row[2 * v + 1]) << 8) << 16;
      float element;
      std::memcpy(&element, &bits, sizeof(element));
      values[v] = element;
    }
    return;
  default:
    return widenRow<float>(row, values);
  }
}

static llvm::Error checkLogits(const Tensor &logits, const char *what) {
  switch (logits.type) {
  case storage::DataType::F16:
  case storage::DataType::BF16:
  case storage::DataType::F32:
  case storage::DataType::F64:
    return llvm::Error::success();
  default:
    return makeError(Twine("expected ") + what + " of a float type, got " +
                     logits.describe());
  }
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
  if (llvm::Error error = checkLogits(logits, "logits"))
    return error;
  if (reference && reference->shape != logits.shape)
    return makeError("expected logits of the reference as " +
                     logits.describe() + ", got " + reference->describe());
  if (reference)
    if (llvm::Error error = checkLogits(*reference, "the reference's logits"))
      return error;
  if (!mask.empty() && static_cast<int64_t>(mask.size()) != length)
    return makeError("expected a mask of " + Twine(length) + " tokens, got " +
                     Twine(mask.size()));
  std::vector<double> ids = tokens.toDoubles();
  std::vector<Position> positions(std::max<int64_t>(length - 1, 0));
  for (int64_t t = 0; t + 1 < length; ++t) {
    positions[t].counts = mask.empty() || (mask[t] && mask[t + 1]);
    if (!positions[t].counts)
      continue;
    auto next = static_cast<int64_t>(ids[t + 1]);
    if (next < 0 || next >= vocabulary)
      return makeError("token " + Twine(next) + " at position " + Twine(t + 1) +
                       " is outside the vocabulary of " + Twine(vocabulary));
  }

  constexpr int64_t step = 16;
  int64_t items = (static_cast<int64_t>(positions.size()) + step - 1) / step;
  numerics::parallelFor(items, [&](int64_t item) {
    std::vector<double> row(vocabulary), other, probabilities;
    if (reference) {
      other.resize(vocabulary);
      probabilities.resize(vocabulary);
    }
    int64_t end = std::min<int64_t>(positions.size(), (item + 1) * step);
    for (int64_t t = item * step; t < end; ++t) {
      Position &position = positions[t];
      if (!position.counts)
        continue;
      readRow(logits, t, row);
      numerics::toLogProbabilities(row.data(), vocabulary, nullptr);
      double chosen = row[static_cast<int64_t>(ids[t + 1])];
      position.isFinite = std::isfinite(chosen);
      position.crossEntropy = -chosen;
      if (!reference)
        continue;
      readRow(*reference, t, other);
      numerics::toLogProbabilities(other.data(), vocabulary,
                                   probabilities.data());
      position.divergence = numerics::divergence(
          probabilities.data(), other.data(), row.data(), vocabulary);
    }
  });
  // In the order of the text, whoever computed them.
  for (auto [t, position] : llvm::enumerate(positions)) {
    if (!position.counts)
      continue;
    if (!position.isFinite)
      return makeError("logits at position " + Twine(t) + " are not finite");
    sums.crossEntropy += position.crossEntropy;
    sums.divergence += position.divergence;
    ++sums.predictions;
  }
  return llvm::Error::success();
}
