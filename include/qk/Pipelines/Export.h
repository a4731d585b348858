//===- Export.h - Modules for other compilers -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_PIPELINES_EXPORT_H
#define QK_PIPELINES_EXPORT_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

#include <string>

namespace qk {

/// Options of the way to other compilers; see `quant-llm-convert-to-linalg`.
struct ToLinalgOptions : mlir::PassPipelineOptions<ToLinalgOptions> {
  Option<std::string> parameters{
      *this, "parameters",
      llvm::cl::desc("inline: elements in the module; named: IREE's named "
                     "parameters, in files"),
      llvm::cl::init("inline")};
  Option<std::string> outputWeights{
      *this, "output-weights",
      llvm::cl::desc("Safetensors file to write named parameters to that no "
                     "file of the module has"),
      llvm::cl::init("")};
  ListOption<std::string> weights{
      *this, "weights",
      llvm::cl::desc("safetensors files with the data of named resources")};
};

struct ToOperatorsOptions : mlir::PassPipelineOptions<ToOperatorsOptions> {
  ListOption<std::string> weights{
      *this, "weights",
      llvm::cl::desc("safetensors files with the data of named resources")};
};

/// Evaluates recipes and writes quantised matmuls as operators that torch-mlir
/// knows: `form` is torch or onnx. What else there is stays.
void buildToOperatorsPipeline(mlir::OpPassManager &manager,
                              llvm::StringRef form,
                              const ToOperatorsOptions &options);

/// Evaluates recipes and writes quantised matmuls as linalg ops that other
/// compilers fuse; no op of quant_llm is left.
void buildToLinalgPipeline(mlir::OpPassManager &manager,
                           const ToLinalgOptions &options);

/// Registers `quant-llm-to-linalg`, `quant-llm-to-torch` and
/// `quant-llm-to-onnx`. registerLoweringPipelines does it.
void registerExportPipelines();

} // namespace qk

#endif // QK_PIPELINES_EXPORT_H
