//===- Routers.h - Layers that weigh the results of others ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_ROUTERS_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_ROUTERS_H

#include "LeftInFloat.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SetVector.h"

namespace qk::quant_llm {

/// The layers of a module by what is done with their results.
class RowWeights {
public:
  explicit RowWeights(llvm::ArrayRef<NamedMatch> layers);

  /// Whether the result of layer `index`, of `n` channels, weighs whole rows of
  /// what other layers compute, no other product between: a router whose scores
  /// aren't sorted, since all experts run. The weights are shares of a whole
  /// (softmax, or sigmoids and then a sum or a maximum of them), or the sigmoid
  /// of the one channel. A gated unit weighs each channel by itself, a norm
  /// rows of its own input, a gate of heads or a state's step each row alone.
  bool areOf(unsigned index, int64_t n) const;

private:
  /// What a value that is made of one layer's result alone says.
  enum class Share { None, Single, OfAll };

  /// All that is computed from `result` up to the next product, and each use.
  llvm::SetVector<mlir::Value>
  valuesOf(mlir::Value result,
           llvm::SmallVectorImpl<std::pair<mlir::Operation *, mlir::Value>>
               &uses) const;
  /// Of the values `reached` those that no other layer has a part in.
  llvm::DenseMap<mlir::Value, Share>
  sharesOf(mlir::Value result,
           const llvm::SetVector<mlir::Value> &reached) const;
  bool dependsOnLayer(mlir::Value value,
                      const llvm::SetVector<mlir::Value> &without) const;

  llvm::ArrayRef<NamedMatch> layers;
  llvm::DenseSet<mlir::Value> results;
  llvm::DenseSet<mlir::Operation *> contractions;
};

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_ROUTERS_H
