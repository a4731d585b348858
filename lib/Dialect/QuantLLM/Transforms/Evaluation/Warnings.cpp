//===- Warnings.cpp - What evaluate tells besides errors ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Warnings.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

static numerics::Scheme getScheme(Operation *rounding) {
  if (auto op = dyn_cast<RoundToNearestOp>(rounding))
    return op.getScheme().getScheme();
  return cast<RoundCompensatedOp>(rounding).getScheme().getScheme();
}

void qk::quant_llm::remarkTails(ArrayRef<Task> tasks) {
  const Task *first = nullptr;
  int64_t tails = 0, roundings = 0, firstK = 0, firstLength = 0;
  for (const Task &task : tasks) {
    if (!task.isRounding())
      continue;
    ++roundings;
    auto weight = cast<RankedTensorType>(task.op->getOperand(0).getType());
    int64_t k = weight.getDimSize(1);
    int64_t length = getScheme(task.op).groupLength(k);
    if (length == 0 || k % length == 0)
      continue;
    if (tails++ > 0)
      continue;
    first = &task;
    firstK = k;
    firstLength = length;
  }
  if (!first)
    return;
  first->op->emitRemark()
      << "layer '" << first->layer << "': group-size " << firstLength
      << " does not divide its " << firstK
      << " input channels, so that the last group of each row has "
      << firstK % firstLength << " (" << tails << " of " << roundings
      << " layers have such a tail); of checkpoint formats only gptq holds "
         "one, and most other tools expect whole groups: choose a group-size "
         "that divides, or -1";
}

void qk::quant_llm::warnOfUnderflows(const Task &rounding,
                                     const numerics::QuantizedWeight &weight) {
  if (weight.scheme.scaleType != numerics::ScaleType::F16)
    return;
  constexpr float smallest = 0x1p-24f, irrelevant = 1e4f * smallest;
  int64_t count = 0;
  for (float scale : weight.scales) {
    // A group of zeros has 1.
    if (scale > irrelevant && scale != 1.0f)
      return;
    count += scale == smallest;
  }
  if (count)
    rounding.op->emitWarning()
        << "layer '" << rounding.layer << "': " << count << " of "
        << weight.scales.size()
        << " scales are too small for f16, which loses weights; "
           "scale-type=bf16 or f32 keeps them";
}

void qk::quant_llm::warnOfFewTokens(const Task &rounding, int64_t tokens,
                                    int64_t k) {
  if (tokens >= k)
    return;
  rounding.op->emitWarning()
      << "layer '" << rounding.layer << "' saw " << tokens
      << " tokens, fewer than its " << k
      << " input channels: the Hessian is rank-deficient and the result rests "
         "on damping; calibrate with more samples";
}
