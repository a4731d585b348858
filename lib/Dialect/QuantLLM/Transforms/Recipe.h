//===- Recipe.h - Writing and rewriting recipes -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What the methods' passes share: the layers of a module with the recipe each
/// has so far, the scheme that a method's options mean, and putting a rounding
/// in place.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RECIPE_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RECIPE_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <optional>
#include <string>
#include <vector>

namespace qk::quant_llm {

/// On a `linear`: it stays in float, as a part of a layer that is quantised.
inline constexpr llvm::StringLiteral kKeptAttr = "quant_llm.kept";

/// A layer with the recipe it has so far. One entry a weight; a weight used
/// twice has several uses.
struct RecipeLayer {
  std::string layer;
  /// `linear` ops, or `matmul` ops of an earlier method.
  std::vector<mlir::Operation *> uses;
  /// What is to be rounded, [N,K]: the weight after earlier column scales.
  mlir::Value weight;
  /// Factors of those scales, first applied first.
  std::vector<mlir::Value> columnScales;
};

/// `statistic` of what a layer reads after its column scales. `columns`: only
/// its columns belong to what the layer reads.
mlir::Value scaleStatistic(mlir::OpBuilder &builder, mlir::Value statistic,
                           mlir::ArrayRef<mlir::Value> columnScales,
                           bool columns = false);

/// The weight that a recipe rounds to `codes`, without what belongs to the
/// rounding (getOriginalWeight); null for codes that no recipe made.
mlir::Value getRoundedWeight(mlir::Value codes);

/// `weight` before clipping and retargeting, which belong to its rounding.
mlir::Value getOriginalWeight(mlir::Value weight);

/// Lets `builder` insert after all of `values`, before what may read a result.
/// The values are constants and recipes; those of other blocks dominate.
void setInsertionPointAfterAll(mlir::OpBuilder &builder,
                               mlir::ArrayRef<mlir::Value> values);

/// Moves the recipe that makes `value` before `point`, which is to read it. A
/// recipe reads constants and statistics, never what the model computes.
void hoistBefore(mlir::Value value, mlir::Operation *point);

/// Whether `value` is a constant or made of constants and statistics alone by
/// ops that evaluate can compute (not a rounding's result).
bool isRecipeValue(mlir::Value value);

/// Whether `value` is a parameter, or one reshaped, transposed or converted:
/// the model's own, which no recipe made.
bool isParameterView(mlir::Value value);

/// The layers of `module` in the order of their first use.
std::vector<RecipeLayer> collectLayers(mlir::ModuleOp module);

/// Emits the error for a module without any layer where there is none.
mlir::LogicalResult checkHasLayers(mlir::ModuleOp module,
                                   const std::vector<RecipeLayer> &layers);

/// What the rounding options of a method mean.
struct RoundingScheme {
  SchemeAttr scheme;
  bool symmetric = false;
  ScaleSearch scaleSearch = ScaleSearch::None;
  /// One scale for the whole weight.
  bool perTensor = false;
};

/// Results of a rounding op; zeroPoints and permutation may be null.
struct Rounded {
  mlir::Value codes, scales, zeroPoints, permutation;
};

/// Makes every use of `layer` a matmul on `rounded`, and removes an earlier
/// method's rounding. How an earlier method quantises the input stays. Gives
/// the matmuls, which are the layer's uses from now on.
void replaceUses(RecipeLayer &layer, SchemeAttr scheme, const Rounded &rounded);

/// Erases `op` and what only it used, as far as nothing else needs it.
void eraseIfDead(mlir::Operation *op);

/// Records on the module what the evaluate that follows is to do.
struct EvaluateSettings {
  std::string fallback = "error";
  bool strict = false;
  std::string outputWeights;
  std::string report;
  bool recipeOnly = false;
};
mlir::LogicalResult recordSettings(mlir::ModuleOp module,
                                   const EvaluateSettings &settings);

/// Records how often the first token of a sample counts, for a calibration
/// whose options don't say it.
void recordFirstTokenWeight(mlir::ModuleOp module, double weight);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RECIPE_H
