//===- ResultWriter.h - Where evaluated weights go --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_RESULTWRITER_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_RESULTWRITER_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Numerics/Scheme.h"
#include "qk/Storage/Safetensors.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <optional>
#include <string>

namespace qk::quant_llm {

/// Turns quantised weights into parameters: tensors of a safetensors file, or
/// resources of the module. The file appears when all is written (commit), or
/// not at all.
class ResultWriter {
public:
  /// `path` empty: resources.
  ResultWriter(mlir::ModuleOp module, llvm::StringRef path);

  /// Announces the results of a rounding op of `layer`, in the order in which
  /// they will be written.
  mlir::LogicalResult declare(mlir::Operation *rounding, llvm::StringRef layer);

  /// Writes a result and replaces the rounding op by parameters.
  mlir::LogicalResult write(mlir::Operation *rounding, llvm::StringRef layer,
                            const numerics::QuantizedWeight &weight);

  /// The same for a float tensor of a recipe that the model reads, to be called
  /// `name`: all uses become the parameter but those that `keeps` is true of.
  mlir::LogicalResult declareTensor(mlir::Value value, llvm::StringRef name);
  mlir::LogicalResult
  writeTensor(mlir::Value value, llvm::StringRef name,
              llvm::ArrayRef<float> elements,
              llvm::function_ref<bool(mlir::OpOperand &)> keeps);

  mlir::LogicalResult commit();

private:
  mlir::FailureOr<mlir::Value> emit(mlir::OpBuilder &builder,
                                    mlir::Value result, llvm::StringRef name,
                                    llvm::ArrayRef<uint8_t> bytes);
  mlir::LogicalResult fail(llvm::Error error);

  mlir::ModuleOp module;
  std::string path;
  std::optional<storage::SafetensorsWriter> file;
};

/// A quantised weight as a matmul takes it; absent operands are null.
struct WeightParameters {
  SchemeAttr scheme;
  mlir::Value codes, scales, zeroPoints, permutation;
};

/// Parameters with values in the module that hold `weight`, called as
/// evaluating a recipe of `layer` would call them.
WeightParameters
createWeightParameters(mlir::OpBuilder &builder, mlir::Location location,
                       llvm::StringRef layer,
                       const numerics::QuantizedWeight &weight);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_RESULTWRITER_H
