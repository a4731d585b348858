//===- TimeLeft.h - When a long run will be done ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_TRANSFORMS_TIMELEFT_H
#define QK_DIALECT_QUANTLLM_TRANSFORMS_TIMELEFT_H

#include <chrono>
#include <string>

namespace qk::quant_llm {

/// ", about 3 min left", for a line of progress: what is left takes as long for
/// its size as what was done in `seconds`. Empty where nothing was done yet;
/// `share` is what was, of 1.
std::string describeTimeLeft(double seconds, double share);

/// Seconds since it was made.
class ElapsedTime {
public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         start)
        .count();
  }

private:
  std::chrono::steady_clock::time_point start =
      std::chrono::steady_clock::now();
};

} // namespace qk::quant_llm

#endif // QK_DIALECT_QUANTLLM_TRANSFORMS_TIMELEFT_H
