//===- Samples.h - Inputs of several runs in one file -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The form that calibration inputs and `qk-run --inputs` have: a safetensors
/// file with a tensor `arg0`, `arg1`, ... for each argument of the entry. One
/// more leading dimension than the argument counts samples; a tensor without it
/// serves every sample. Samples of different shape are `arg0.0`, `arg0.1`, ...
/// An optional `mask` [samples, tokens] (or `mask.0`, ...) is zero where a
/// token is padding.
///
//===----------------------------------------------------------------------===//

#ifndef QK_EXECUTION_SAMPLES_H
#define QK_EXECUTION_SAMPLES_H

#include "qk/Execution/Executable.h"
#include "qk/Storage/Safetensors.h"

namespace qk {

class Samples {
public:
  /// Errors: those of the file; a missing argument; types or shapes other than
  /// the entry's; different numbers of samples; tensors that are none of these.
  static llvm::Expected<Samples> open(llvm::StringRef path, const Entry &entry);

  int64_t size() const { return count; }
  /// The inputs of one sample, in argument order.
  std::vector<Tensor> inputs(int64_t sample) const;
  /// Which tokens of a sample count: its mask's row, or empty for all.
  std::vector<bool> mask(int64_t sample) const;

private:
  /// What one name stands for: a tensor a sample, or one for all.
  struct Source {
    std::vector<Tensor> samples;
    bool shared = false;
  };
  static llvm::Expected<Source> read(const storage::SafetensorsFile &file,
                                     std::shared_ptr<const void> owner,
                                     llvm::StringRef name, size_t rank);

  std::vector<Source> arguments;
  std::optional<Source> masks;
  int64_t count = 1;
};

} // namespace qk

#endif // QK_EXECUTION_SAMPLES_H
