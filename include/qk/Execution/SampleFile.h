//===- SampleFile.h - Samples of a model's inputs ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// A safetensors file of inputs to run a model on, sample by sample: for
/// calibration and for qk-run. Tensors are named `arg0`, `arg1`, … or after the
/// arguments; one more leading dimension than the argument counts samples;
/// samples of different length are `arg0.0`, `arg0.1`, …. An optional `mask`
/// [samples, tokens] (or `mask.0`, …) is 0 where a token is padding.
///
//===----------------------------------------------------------------------===//

#ifndef QK_EXECUTION_SAMPLEFILE_H
#define QK_EXECUTION_SAMPLEFILE_H

#include "qk/Storage/Safetensors.h"

#include "llvm/ADT/SmallVector.h"

#include <memory>
#include <string>
#include <vector>

namespace qk::execution {

/// An argument as a function declares it.
struct SampleArgument {
  /// Its own name; may be empty.
  std::string name;
  storage::DataType type = storage::DataType::F32;
  /// Negative: any size.
  llvm::SmallVector<int64_t> shape;
};

/// One argument's value in one sample; a view of the file.
struct SampleTensor {
  storage::DataType type = storage::DataType::F32;
  llvm::SmallVector<int64_t> shape;
  llvm::ArrayRef<uint8_t> bytes;
};

/// One run's inputs.
struct Sample {
  std::vector<SampleTensor> arguments;
  /// One byte a token, 0: padding; empty: all tokens count.
  std::vector<uint8_t> mask;
};

/// The samples of a file, checked against the arguments.
class SampleFile {
public:
  /// Errors, each naming the file and the tensor, with expected and got: a
  /// missing argument, a type or shape that does not fit, different numbers of
  /// samples, no samples at all.
  static llvm::Expected<SampleFile>
  open(llvm::StringRef path, llvm::ArrayRef<SampleArgument> arguments);

  size_t size() const { return samples.size(); }
  const Sample &operator[](size_t i) const { return samples[i]; }
  /// Whether samples were stacked along a leading dimension, so that outputs
  /// can be too.
  bool isStacked() const { return stacked; }

private:
  SampleFile() = default;
  std::shared_ptr<const storage::SafetensorsFile> file;
  std::vector<Sample> samples;
  bool stacked = true;
};

} // namespace qk::execution

#endif // QK_EXECUTION_SAMPLEFILE_H
