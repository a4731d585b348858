//===- ModuleToCheckpoint.h - A module as a checkpoint ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TARGET_CHECKPOINT_MODULETOCHECKPOINT_H
#define QK_TARGET_CHECKPOINT_MODULETOCHECKPOINT_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace qk {

struct CheckpointOptions {
  /// gptq, gptq_v2, awq, pack-quantized, int-quantized, or compressed-tensors:
  /// int-quantized where all codes are s8, else pack-quantized.
  std::string format;
  /// The checkpoint that the model was made from, as Checkpoint::open takes it.
  /// Empty: the one that the module names for its weights.
  std::string source;
  /// A folder that isn't there yet, or is empty.
  std::string output;
};

/// Writes the quantised layers of a module (what methods or
/// quant-llm-bind-quantized leave) as a folder for others' loaders; see
/// qk/Formats/CheckpointWriter.h. Constants into which scales were folded are
/// written as the module has them. Errors are emitted: an unknown format, no
/// quantised layer, recipes that were not evaluated, layers that are packed
/// for a target, divided inputs, activations of 16 bits, and those of the
/// writer.
mlir::LogicalResult writeCheckpoint(mlir::ModuleOp module,
                                    const CheckpointOptions &options);

} // namespace qk

#endif // QK_TARGET_CHECKPOINT_MODULETOCHECKPOINT_H
