//===- ScaleLayers.h - Scaling a group's weights and input ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_SCALELAYERS_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_SCALELAYERS_H

#include "LayerGroups.h"

namespace qk::quant_llm {

/// Which groups a method scales.
enum class ScaledLayers {
  /// Those that read a norm's result.
  Norms,
  /// Those whose scales can be folded.
  Foldable,
  All,
};

/// Errors, emitted at the module: another text than norms, foldable and all.
mlir::FailureOr<ScaledLayers> parseScaledLayers(mlir::ModuleOp module,
                                                llvm::StringRef text);

/// Errors, emitted at the module: a search without a step.
mlir::LogicalResult checkGrid(mlir::ModuleOp module, int64_t grid);

/// What is known of a group that is to be scaled.
struct GroupScaling {
  /// Pairs (size, stride) for the factors' attribute `shared`; null for none.
  mlir::DenseI64ArrayAttr shared;
};

/// Whether `group` is to be scaled, and how.
std::optional<GroupScaling> planScaling(const LayerGroup &group,
                                        ScaledLayers which);

/// Multiplies the columns of the group's weights by `factors` and divides what
/// its layers read by them: each layer's `weight` and `columnScales` change,
/// and its uses read `scale_columns ... by inverse`. Layers that are still
/// `linear` get their new weight.
void scaleGroup(LayerGroup &group, mlir::Value factors);

/// Makes the layers of a group read `quantize` of what they read. With
/// `absmax`, what is read has that statistic and the scale is static. The
/// layers are matmuls.
void quantizeInputs(LayerGroup &group, ActivationSchemeAttr scheme,
                    mlir::Value absmax);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_SCALELAYERS_H
