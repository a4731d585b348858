//===- LayerMethod.h - What a layer is quantised by -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_LAYERMETHOD_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_LAYERMETHOD_H

#include "Recipe.h"

#include <string>

namespace qk::quant_llm {

/// The rounding of one layer as the user wrote it: a method's options, README
/// has what they mean.
struct LayerMethod {
  enum class Method { Rtn, Gptq };

  Method method = Method::Rtn;
  int64_t bits = 4;
  int64_t groupSize = 128;
  bool symmetric = false;
  std::string scaleType = "f16";
  std::string scaleSearch = "none";
  // Of GPTQ.
  std::string order = "activation";
  bool staticGroups = true;
  double damping = 0.01;
  int64_t blockSize = 128;
  int64_t sweeps = 0;

  /// The scheme these options mean. Errors are emitted through `emitError`,
  /// with what there is.
  mlir::FailureOr<RoundingScheme>
  getScheme(mlir::MLIRContext *context,
            llvm::function_ref<mlir::InFlightDiagnostic()> emitError) const;

  /// Checks the options of GPTQ alone, likewise.
  mlir::FailureOr<Order>
  getOrder(llvm::function_ref<mlir::InFlightDiagnostic()> emitError) const;
};

/// What the passes `quant-llm-apply-…` do: writes each layer's recipe, `method`
/// or what the file `overrides` (may be empty) has for the layer.
mlir::LogicalResult applyMethod(mlir::ModuleOp module,
                                const LayerMethod &method,
                                llvm::StringRef overrides,
                                const EvaluateSettings &settings);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_LAYERMETHOD_H
