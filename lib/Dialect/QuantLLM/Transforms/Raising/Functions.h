//===- Functions.h - Functions of any dialect -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_FUNCTIONS_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_FUNCTIONS_H

#include "mlir/IR/BuiltinOps.h"

namespace qk::quant_llm {

/// A function with a body.
struct Function {
  mlir::Operation *op;
  llvm::StringRef name;
  mlir::Region *body;

  mlir::Block &entry() const { return body->front(); }
};

/// All functions of `module` that have a body: registered ones and, of
/// dialects that are not linked, ops with a symbol name, a function type and
/// one region (IREE's `util.func`).
llvm::SmallVector<Function> findFunctions(mlir::ModuleOp module);

/// The function around `op`; nullopt where there is none.
std::optional<Function> findParentFunction(mlir::Operation *op);

/// The function that `argument` is one of; nothing for those of other regions.
std::optional<Function> getFunctionOf(mlir::BlockArgument argument);

/// The calls of a private function; nothing where it has other uses too, or
/// isn't private.
llvm::SmallVector<mlir::Operation *> getCalls(const Function &function);

/// What the callers of a private function pass for `argument`.
llvm::SmallVector<mlir::Value> getPassedValues(mlir::BlockArgument argument);

/// Calls may be recursive; no chain that means anything is this long.
inline constexpr unsigned kMaxDepth = 64;

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_FUNCTIONS_H
