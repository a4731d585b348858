//===- Embeddings.h - Tables that rows are looked up in ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_EMBEDDINGS_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_EMBEDDINGS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallVector.h"

namespace qk::quant_llm {

/// The constants of a module that rows are looked up in by index. A linear
/// layer with such a weight is the model's head.
class Embeddings {
public:
  explicit Embeddings(mlir::ModuleOp module);

  /// Whether `weight` is one of them: the same constant, or one of the same
  /// elements, stored transposed where `transposed` (exporters that fold
  /// transposes make a copy of a tied weight).
  bool contains(mlir::Value weight, bool transposed) const;

private:
  llvm::DenseSet<mlir::Attribute> keys;
  llvm::SmallVector<mlir::Value> tables;
};

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_EMBEDDINGS_H
