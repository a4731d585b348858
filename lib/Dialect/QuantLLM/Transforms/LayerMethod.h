//===- LayerMethod.h - What a layer is quantised by -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_LAYERMETHOD_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_LAYERMETHOD_H

#include "Scaling/LayerGroups.h"

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
  /// int8 or e4m3: what 8 bits of a code are.
  std::string format = "int8";
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
  /// How often scales are searched again, where groups are static.
  int64_t rescales = 0;
  /// How far weights are retargeted (`quant_llm.retarget`); 0: not at all.
  double retarget = 0;
  /// Whether that is left where the statistics lack what it needs.
  bool retargetOptional = false;

  /// The scheme these options mean. Errors are emitted through `emitError`,
  /// with what there is.
  mlir::FailureOr<RoundingScheme>
  getScheme(mlir::MLIRContext *context,
            llvm::function_ref<mlir::InFlightDiagnostic()> emitError) const;

  /// Checks the options of GPTQ alone, likewise.
  mlir::FailureOr<Order>
  getOrder(llvm::function_ref<mlir::InFlightDiagnostic()> emitError) const;
};

/// The layers that a method is to quantise, with what each is quantised by:
/// what a method's pass knows once all that its user gave has been checked.
class MethodLayers {
public:
  /// `method`, but for the options named in `inherited` (bits with the format,
  /// group-size, symmetric, scale-type) what an earlier method's recipe has, if
  /// there is one, and what the file `overrides` (may be empty) has for a
  /// layer. Records `settings`. Errors are emitted at the module; nothing has
  /// changed then but the settings.
  static mlir::FailureOr<MethodLayers>
  collect(mlir::ModuleOp module, const LayerMethod &method,
          mlir::ArrayRef<std::string> inherited, llvm::StringRef overrides,
          const EvaluateSettings &settings);

  /// Refers to the layers; what it has is valid while `this` is.
  std::vector<LayerGroup> getGroups() { return collectGroups(layers); }

  const LayerMethod &getMethod(const RecipeLayer &layer) const {
    return methods[&layer - layers.data()];
  }
  RoundingScheme getScheme(const RecipeLayer &layer) const;

  std::vector<RecipeLayer> layers;

private:
  std::vector<LayerMethod> methods;
};

/// The statistic `kind` of what a group reads, after its column scales so far.
mlir::Value createStatistic(mlir::OpBuilder &builder, const LayerGroup &group,
                            StatisticKind kind);

/// The group's weights, after their column scales so far.
llvm::SmallVector<mlir::Value> getWeights(const LayerGroup &group);

/// Writes roundings, of options that getLayerMethods checked.
class LayerRounder {
public:
  /// Rounds `weight`, a layer's after its column scales and possibly clipped,
  /// and makes the layer's uses matmuls.
  void round(RecipeLayer &layer, mlir::Value weight, const LayerMethod &method);

private:
  /// By the last factors and the kind: layers with the same scales read the
  /// same value, and share a Hessian and its factorisation.
  llvm::DenseMap<std::pair<mlir::Value, unsigned>, mlir::Value> scaledMoments;

  /// The Hessian or cross moment of what a layer reads, after its scales.
  mlir::Value getMoment(mlir::OpBuilder &builder, const RecipeLayer &layer,
                        int64_t k, StatisticKind kind);
};

/// The pass of a method: reads the options that all methods have. `Base` is the
/// class that tablegen made.
template <typename Base> class MethodPass : public Base {
public:
  using Base::Base;

protected:
  /// The options of rounding that all methods have.
  LayerMethod getMethod(LayerMethod::Method kind) const {
    LayerMethod method;
    method.method = kind;
    method.bits = this->bits;
    method.groupSize = this->groupSize;
    method.symmetric = this->symmetric;
    method.scaleType = this->scaleType;
    method.scaleSearch = this->scaleSearch;
    return method;
  }

  mlir::FailureOr<MethodLayers> collect(const LayerMethod &method) {
    return MethodLayers::collect(
        this->getOperation(), method,
        std::vector<std::string>(this->inherit.begin(), this->inherit.end()),
        this->overrides,
        {this->fallback, this->strict, this->outputWeights, this->report,
         this->recipeOnly});
  }

  /// Writes each layer's recipe, for a method that only rounds.
  void roundAll(const LayerMethod &method) {
    mlir::FailureOr<MethodLayers> layers = collect(method);
    if (failed(layers))
      return this->signalPassFailure();
    LayerRounder rounder;
    for (RecipeLayer &layer : layers->layers)
      rounder.round(layer, layer.weight, layers->getMethod(layer));
  }
};

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_LAYERMETHOD_H
