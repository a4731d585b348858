//===- Warnings.h - What evaluate tells besides errors ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_WARNINGS_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_WARNINGS_H

#include "Tasks.h"

#include "qk/Numerics/Scheme.h"

namespace qk::quant_llm {

/// One remark where a group size does not divide a layer's input channels, at
/// the first such layer, with their number: other tools expect whole groups.
void remarkTails(llvm::ArrayRef<Task> tasks);

/// Warns where f16 made scales larger than they are, in a weight whose others
/// are not so much larger that their weights don't matter.
void warnOfUnderflows(const Task &rounding,
                      const numerics::QuantizedWeight &weight);

/// Warns where a layer of `k` input channels saw too few `tokens` for a Hessian
/// of full rank.
void warnOfFewTokens(const Task &rounding, int64_t tokens, int64_t k);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_WARNINGS_H
