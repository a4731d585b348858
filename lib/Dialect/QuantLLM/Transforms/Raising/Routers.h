//===- Routers.h - Layers that weigh the results of others ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_ROUTERS_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_ROUTERS_H

#include "LeftInFloat.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"

namespace qk::quant_llm {

/// The layers of a module by what is done with their results.
class RowWeights {
public:
  explicit RowWeights(llvm::ArrayRef<NamedMatch> layers);

  /// Whether the result of layer `index`, through an exponential (softmax,
  /// sigmoid) and no other product, weighs whole rows of what other layers
  /// compute: a router whose scores aren't sorted, since all experts run. A
  /// gated unit weighs each channel by itself, a norm rows of its own input.
  bool areOf(unsigned index) const;

private:
  bool dependsOnLayer(mlir::Value value,
                      const llvm::SetVector<mlir::Value> &without) const;

  llvm::ArrayRef<NamedMatch> layers;
  llvm::DenseSet<mlir::Value> results;
  llvm::DenseSet<mlir::Operation *> contractions;
};

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_ROUTERS_H
