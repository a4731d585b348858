//===- Tasks.h - What evaluate computes, in order ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_TASKS_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_TASKS_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SetVector.h"

#include <string>
#include <vector>

namespace qk::quant_llm {

/// One thing to compute: a rounding of `layer`, or a tensor of a recipe that
/// the model itself reads (a norm's weight after folding, factors that divide
/// an activation, a static scale), to be called `name`.
struct Task {
  mlir::Operation *op;
  std::string layer;
  std::string name;

  bool isRounding() const { return name.empty(); }
};

bool isRounding(mlir::Operation *op);

/// The layers whose statistics a recipe names.
void collectStatisticLayers(mlir::Operation *op,
                            llvm::SetVector<llvm::StringRef> &layers);

/// Whether a use is part of a recipe, rather than of the model.
bool isInRecipe(mlir::OpOperand &use);

/// All of a module, in its order; a tensor after the first rounding that needs
/// the same statistics.
std::vector<Task> collectTasks(mlir::ModuleOp module);

/// Puts tasks in the order in which a source has statistics: a rounding when
/// its layer's are there, a tensor when the last that its recipe names are.
/// Otherwise they stay as they are; an empty order is any.
void sortTasks(std::vector<Task> &tasks, llvm::ArrayRef<std::string> order);

/// Of the first `done` tasks, which an earlier run has done, how many need not
/// be done again by a run that goes on with the others: where a recipe looks
/// ahead to the statistics of a layer that is still to be rounded, and which
/// will have others then, it is computed again for what both share.
size_t countResumable(llvm::ArrayRef<Task> tasks, size_t done);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_EVALUATION_TASKS_H
