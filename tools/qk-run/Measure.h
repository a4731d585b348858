//===- Measure.h - How fast and how well a program predicts -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QK_RUN_MEASURE_H
#define QK_TOOLS_QK_RUN_MEASURE_H

#include "Program.h"
#include "qk/Execution/SampleFile.h"
#include <optional>

namespace qk {

/// Prints the time of a forward, of its contractions, and of each kind of step.
llvm::Error runProfile(Program &program, const std::vector<Tensor> &inputs);

/// Whether the first argument is token ids.
bool holdsTokens(const Entry &entry);

/// What predictions are compared with: a program, or logits that one wrote, a
/// sequence after the other.
struct Reference {
  std::optional<Program> program;
  std::optional<Tensor> logits;
};

/// Prints the mean cross-entropy of predicting each next token of the samples'
/// first argument; with `other`, the reference, also the mean Kullback-Leibler
/// divergence to what it predicts.
llvm::Error runLoss(Program &program, Reference *other,
                    const execution::SampleFile &samples);

/// The same, and the perplexity, of the first `windows` disjoint windows of
/// `window` tokens of the .npy file `perplexity`.
llvm::Error runPerplexity(Program &program, Reference *other,
                          llvm::StringRef perplexity, int64_t window,
                          int64_t windows);

} // namespace qk

#endif // QK_TOOLS_QK_RUN_MEASURE_H
