//===- LayerGroups.h - Linears that read the same values --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Layers that read the same value share its statistics and its factors: query,
/// key and value projections; gate and up; the experts of a mixture. They are
/// found in the IR, through reshapes, transposes and conversions, whatever the
/// layers are called.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_LAYERGROUPS_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_LAYERGROUPS_H

#include "../Recipe.h"
#include "ScaleFolding.h"

#include "llvm/ADT/DenseSet.h"

namespace qk::quant_llm {

/// Layers that read the same values, in the order of the model: one value, or,
/// where their weights are used in several blocks, one in each.
struct LayerGroup {
  std::vector<RecipeLayer *> layers;
  int64_t channels = 0;
  /// The operands by which the layers' ops read the values.
  std::vector<mlir::OpOperand *> inputs;

  /// Whose statistics stand for all.
  llvm::StringRef name() const { return layers.front()->layer; }
};

/// Groups `layers`, which must outlive the groups.
std::vector<LayerGroup> collectGroups(std::vector<RecipeLayer> &layers);

/// The operand by which a `linear` or `matmul` reads its input, seen through
/// what an earlier method put before it: the float value, scaled or not.
mlir::OpOperand *getFloatInput(mlir::Operation *layer);

/// Layers (`linear` and `matmul` ops) whose output channels are contracted away
/// against another computed value: query and key projections.
llvm::DenseSet<mlir::Operation *> findScoreLayers(mlir::ModuleOp module);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_LAYERGROUPS_H
