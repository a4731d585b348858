//===- Evaluate.h - Computes the constant part of recipes -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_TRANSFORMS_EVALUATE_H
#define QK_DIALECT_QUANTLLM_TRANSFORMS_EVALUATE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include <cstdint>
#include <string>

namespace qk::quant_llm {

/// Statistics of one layer's input of K elements a token. Views; the source
/// that gave them owns the data.
struct LayerStatistics {
  /// Tells one set of arrays from others, also after they were released, when
  /// others may lie at the same address.
  uint64_t id = makeId();
  int64_t k = 0;
  /// 0: the layer saw none.
  int64_t tokens = 0;
  /// [K,K], XᵀX / tokens; empty where not collected.
  mlir::ArrayRef<float> hessian;
  /// [K]; empty where not collected.
  mlir::ArrayRef<float> absmax;
  mlir::ArrayRef<float> absmean;
  /// [K,K], XᵀX̂ / tokens: row i of the float model's input X, column j of X̂,
  /// the input with all layers before this one quantised, of which the others
  /// are then statistics. Empty where not collected: only a source that
  /// quantises as it goes has it, and it is asked for by a `statistic cross` in
  /// the recipe.
  mlir::ArrayRef<float> cross;
  /// [N,K], (R - R̂)ᵀX̂ / tokens, where the layer's result is added to R in the
  /// float model and to R̂ in the quantised one (a residual stream). With a
  /// cross moment, and asked for by a `statistic residual`; empty where it is
  /// 0, or not known: the layer's result is added to nothing, or R was computed
  /// from layers that are rounded at the same time.
  mlir::ArrayRef<float> residual;
  /// [K,K], XᵀX / tokens of samples that the others are not made of; empty
  /// where none was held out.
  mlir::ArrayRef<float> heldOut;

private:
  static uint64_t makeId();
};

/// Where evaluate gets statistics from: a file, or a run of the model. Asked
/// layer by layer in the order of the model, so that a source may hold no more
/// than a part of the model's statistics at a time.
class StatisticsSource {
public:
  virtual ~StatisticsSource() = default;

  /// Called once, with the layers whose statistics will be asked for, in
  /// order, and whether any needs more than absmax and absmean.
  virtual mlir::LogicalResult prepare(mlir::ModuleOp module,
                                      mlir::ArrayRef<std::string> layers) = 0;

  /// The statistics of a layer; null where the source knows none. Layers that
  /// read the same tensor get the same arrays. Valid until the last of them is
  /// released; but a source that quantises as it goes (order) gives, until all
  /// layers before this one are rounded, those from before that, and others
  /// later: what was computed from the first has to be kept. Errors (a layer's
  /// activations are not finite, the run fails, the layer was released before)
  /// are emitted.
  virtual mlir::FailureOr<const LayerStatistics *>
  get(llvm::StringRef layer) = 0;

  /// Whether the source said itself why statistics have no cross moments.
  virtual bool saidCrossIsMissing() const { return false; }

  /// Called once for a layer, when nothing will ask for its statistics again:
  /// after the last rounding whose recipe names it.
  virtual void release(llvm::StringRef layer) {}

  /// The order in which the source can give statistics, once it is prepared;
  /// evaluate keeps to it. Empty: any.
  virtual llvm::ArrayRef<std::string> order() const { return {}; }

  /// Whether the source wants to know what became of a layer's weight.
  virtual bool wantsRounded(llvm::StringRef layer) const { return false; }

  /// Called once the layer was rounded, where it wants to know. `weight` [N,K]
  /// is what the float model computes with in place of the layer's weight to
  /// give what the quantised layer gives: dequantised, scales of the recipe
  /// taken out. Of a resumed run, layers of an earlier run come without that
  /// their statistics were asked for. Errors are emitted.
  virtual mlir::LogicalResult setRounded(llvm::StringRef layer,
                                         llvm::ArrayRef<float> weight) {
    return mlir::success();
  }
};

/// What evaluate does beside computing; from the module attribute
/// `quant_llm.evaluate` and the pass's options.
struct EvaluateOptions {
  /// Round to nearest where a layer has no tokens or its Hessian can't be
  /// factored, with a warning; otherwise an error.
  bool fallbackToRtn = false;
  /// An error where no layer has statistics, instead of a warning and identity
  /// Hessians.
  bool strict = false;
  /// Safetensors file for the results; empty: resources of the module.
  std::string outputWeights;
  /// JSON file; empty: none.
  std::string report;
  /// Keep what is done in the folder `<outputWeights>.partial`, and go on from
  /// what an interrupted run left there.
  bool resume = false;
  /// Print a progress line to standard error.
  bool progress = false;

  /// Reads the module attribute.
  static EvaluateOptions fromModule(mlir::ModuleOp module);
};

/// Computes codes, scales, zero points and permutations of every `matmul` whose
/// recipe isn't evaluated yet, and replaces the recipe by parameters. A module
/// without a recipe is left as it is (idempotent). `source` may be null: no
/// statistics. The order of layers is that of the module, or the source's; the
/// result does not depend on the number of threads.
///
/// Errors, each naming the layer: weights or statistics that are not finite,
/// statistics of another K than the layer's, missing statistics for some
/// layers, a Hessian that can't be factored, recipes that this version can't
/// compute, an output file that can't be written.
mlir::LogicalResult evaluateRecipes(mlir::ModuleOp module,
                                    StatisticsSource *source,
                                    const EvaluateOptions &options);

/// Whether `module` holds a recipe that is not evaluated.
bool hasRecipe(mlir::ModuleOp module);

} // namespace qk::quant_llm

#endif // QK_DIALECT_QUANTLLM_TRANSFORMS_EVALUATE_H
