//===- Journal.h - What is computed, kept for a later run -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_JOURNAL_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_JOURNAL_H

#include "Report.h"

#include "qk/Numerics/Scheme.h"
#include "qk/Storage/Safetensors.h"

#include "llvm/ADT/Twine.h"

#include <string>
#include <vector>

namespace qk::quant_llm {

/// What one task of evaluate gave.
struct TaskRecord {
  /// Of a rounding. The scheme is not kept: the recipe says it.
  numerics::QuantizedWeight weight;
  ReportEntry report;
  /// What the model computes with after that, where it isn't the weight
  /// dequantised; empty: it is.
  std::vector<float> effective;
  /// Of a tensor.
  std::vector<float> elements;
};

/// The results of an evaluate that may be interrupted, in the folder
/// `<output>.partial`: one file a task, written whole or not at all, and what
/// the run was begun with. A run that is begun with the same goes on after the
/// last; its output has the same bytes as one that was never interrupted.
class Journal {
public:
  /// Opens or makes the folder. `module` still holds all its recipes. Errors,
  /// emitted at the module: the folder was made for another model, other
  /// options, weights or samples; it can't be written or read.
  static mlir::FailureOr<Journal> open(mlir::ModuleOp module,
                                       llvm::StringRef outputWeights);

  /// Whether task number `index` was done.
  bool has(size_t index) const;
  /// What was kept of it; `name` is what its result is called. Errors are
  /// emitted at the module.
  mlir::FailureOr<TaskRecord> read(size_t index, llvm::StringRef name);
  mlir::LogicalResult write(size_t index, llvm::StringRef name,
                            const TaskRecord &record);

  /// Once the output is in place.
  void remove();

private:
  Journal(mlir::ModuleOp module, std::string folder)
      : module(module), folder(std::move(folder)) {}
  std::string pathOf(size_t index) const;
  mlir::LogicalResult fail(const llvm::Twine &what, llvm::Error error);

  mlir::ModuleOp module;
  std::string folder;
};

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_JOURNAL_H
