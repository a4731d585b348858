//===- Results.h - What a run gave, in files and in words -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QK_RUN_RESULTS_H
#define QK_TOOLS_QK_RUN_RESULTS_H

#include "qk/Execution/Tensor.h"
#include "llvm/Support/Error.h"

namespace qk {

/// Results by name: "out0", ...
using Results = std::vector<std::pair<std::string, Tensor>>;

/// The tensor of an .npy file, mapped.
llvm::Expected<Tensor> readNpy(llvm::StringRef path);

/// The results of each sample, by output. A batch joins each output's samples
/// to one tensor where their shapes agree, else names them out0.0, out0.1, ...
Results joinSamples(std::vector<std::vector<Tensor>> samples, bool isBatch);

/// To an .npy file (a single result) or a safetensors file.
llvm::Error writeResults(llvm::StringRef path, const Results &results);

/// Prints the largest difference of each result to those of the file
/// `expected`; says whether all are within the tolerance.
llvm::Expected<bool> compareResults(const Results &results,
                                    llvm::StringRef expected,
                                    double relativeTolerance,
                                    double absoluteTolerance);

/// Prints type, shape, range and mean of each.
void describeResults(const Results &results);

} // namespace qk

#endif // QK_TOOLS_QK_RUN_RESULTS_H
