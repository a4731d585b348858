//===- State.h - What the C API's handles are -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CAPI_STATE_H
#define QK_LIB_CAPI_STATE_H

#include "qk-c/QK.h"
#include "qk/Dialect/QuantLLM/Transforms/Evaluate.h"
#include "qk/Execution/Executable.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#define QK_EXPORT extern "C" __attribute__((visibility("default")))

struct QkContext {
  QkContext();

  /// For what has no location.
  void addError(const llvm::Twine &message);

  /// A context of MLIR's whose diagnostics end up in `messages`. Each module
  /// has its own: parsing a second one in the same would rename its resources.
  std::unique_ptr<mlir::MLIRContext> makeContext();

  mlir::DialectRegistry registry;
  std::string messages, taken;
};

struct QkModule {
  QkContext *context = nullptr;
  std::unique_ptr<mlir::MLIRContext> mlir;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// Statistics by layer.
  std::map<std::string, qk::quant_llm::LayerStatistics> statistics;
  /// The layer that was asked for last.
  std::string layerName;
  std::vector<uint8_t> codes;
  std::vector<float> scales;
  std::vector<int16_t> zeroPoints;
  std::vector<int32_t> permutation;
};

struct QkExecutable {
  QkContext *context = nullptr;
  std::unique_ptr<qk::Executable> executable;
  std::vector<qk::Tensor> results;
};

namespace qk::capi {
/// Registers what is global to the process, once.
void registerOnce();
/// malloc'd, with a zero behind the end.
char *copyOut(llvm::StringRef bytes);
} // namespace qk::capi

#endif // QK_LIB_CAPI_STATE_H
