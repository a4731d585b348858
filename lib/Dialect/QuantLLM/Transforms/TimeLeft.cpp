//===- TimeLeft.cpp - When a long run will be done ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/Transforms/TimeLeft.h"

#include <cmath>
#include <cstdint>

std::string qk::quant_llm::describeTimeLeft(double seconds, double share) {
  if (!(share > 0) || share >= 1 || !(seconds >= 0))
    return {};
  double left = seconds * (1 - share) / share;
  if (left < 60)
    return ", less than a minute left";
  // Rounded: an estimate is not good for more.
  auto minutes = static_cast<int64_t>(std::ceil(left / 60));
  if (minutes < 120)
    return ", about " + std::to_string(minutes) + " min left";
  return ", about " + std::to_string((minutes + 30) / 60) + " h left";
}
