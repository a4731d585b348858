//===- LayerMethod.h - What a layer is quantised by -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_LAYERMETHOD_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_LAYERMETHOD_H

#include "Recipe.h"

#include "llvm/ADT/DenseMap.h"

#include <string>
#include <vector>

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
  /// One scale for the whole weight (rounding to nearest alone).
  bool perTensor = false;
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

/// What each of `layers` is quantised by: `method`, but for the options named
/// in `inherited` (bits, group-size, symmetric, scale-type) what an earlier
/// method's recipe has, if there is one, and what the file `overrides` (may be
/// empty) has for the layer. All is checked; errors are emitted at the module.
mlir::FailureOr<std::vector<LayerMethod>>
getLayerMethods(mlir::ModuleOp module, mlir::ArrayRef<RecipeLayer> layers,
                const LayerMethod &method,
                mlir::ArrayRef<std::string> inherited,
                llvm::StringRef overrides);

/// Writes roundings, of options that getLayerMethods checked.
class LayerRounder {
public:
  /// Rounds `weight`, a layer's after its column scales and possibly clipped,
  /// and makes the layer's uses matmuls.
  void round(RecipeLayer &layer, mlir::Value weight, const LayerMethod &method);

private:
  /// By the last factors: layers with the same scales read the same value, and
  /// share a Hessian and its factorisation.
  llvm::DenseMap<mlir::Value, mlir::Value> scaledHessians;
};

/// What the passes of methods that only round do: writes each layer's recipe.
mlir::LogicalResult applyMethod(mlir::ModuleOp module,
                                const LayerMethod &method,
                                mlir::ArrayRef<std::string> inherited,
                                llvm::StringRef overrides,
                                const EvaluateSettings &settings);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_LAYERMETHOD_H
