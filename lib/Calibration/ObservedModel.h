//===- ObservedModel.h - A float model with observers -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CALIBRATION_OBSERVEDMODEL_H
#define QK_LIB_CALIBRATION_OBSERVEDMODEL_H

#include "ModelCopy.h"

#include <string>
#include <vector>

namespace qk::calibration {

/// The float model with a `quant_llm.observe` of each distinct input of the
/// layers asked for, lowered to the LLVM dialect. Where the module has observes
/// of its own for a layer, those say what its statistics are taken of.
struct ObservedModel {
  /// Layers that read the same tensors (one, or several for a weight used more
  /// than once) share their statistics.
  struct Group {
    /// Named after the first.
    std::vector<std::string> layers;
    int64_t k = 0;
  };

  std::unique_ptr<ModelCopy> copy;
  std::vector<Group> groups;
  /// Observers report a site number; sites[i] is a group.
  std::vector<size_t> sites;
};

/// Where a module says itself what is observed of a layer, the layer must be
/// able to read it; an error at the observe where not.
mlir::LogicalResult checkObservers(mlir::ModuleOp module);

/// Errors: an observe whose last dimension is not its layer's K (at the op); a
/// layer that the module lacks, a module that can't be copied or lowered (at
/// `module`). The result is in the LLVM dialect.
mlir::FailureOr<ObservedModel>
createObservedModel(mlir::ModuleOp module, llvm::ArrayRef<std::string> layers);

} // namespace qk::calibration

#endif // QK_LIB_CALIBRATION_OBSERVEDMODEL_H
