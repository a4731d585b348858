//===- Report.h - What evaluate did, layer by layer -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_REPORT_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_REPORT_H

#include "RecipeEvaluator.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace qk::quant_llm {

/// One layer of the report.
struct ReportEntry {
  std::string layer;
  int64_t n = 0, k = 0;
  std::string scheme;
  bool symmetric = false;
  std::string method;
  std::optional<double> error;
  /// The quantised layer's against the model's weight, on samples held out.
  std::optional<double> heldOutError;
  /// Empty: no statistics at all (identity Hessian).
  std::optional<int64_t> tokens;
  double damping = 0;
  int64_t deadColumns = 0;
  bool fellBack = false;
  double seconds = 0;
};

/// Writes the entries as JSON, whole or not at all; errors are emitted at the
/// module.
mlir::LogicalResult writeReport(mlir::ModuleOp module, llvm::StringRef path,
                                const std::vector<ReportEntry> &entries);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_REPORT_H
