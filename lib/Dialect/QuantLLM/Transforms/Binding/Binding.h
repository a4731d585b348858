//===- Binding.h - Constants and arguments to named parameters --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What the parts of `quant-llm-bind-parameters` share. Each finds out which
/// tensor of the model's files something is; createParameter() (Constants.h)
/// puts it there.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_BINDING_BINDING_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_BINDING_BINDING_H

#include "../Raising/Constants.h"
#include "TensorMatcher.h"
#include "WeightNames.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringSet.h"

#include <memory>
#include <optional>

namespace qk::quant_llm {

/// The scope that `weights=` binds.
constexpr llvm::StringLiteral kModelScope = "model";

/// One run of the pass.
struct BindingContext {
  mlir::ModuleOp module;
  /// The user named a checkpoint in this run: it is searched for the bytes of
  /// constants and the paths of arguments.
  bool search = false;
  std::optional<WeightNames> names;
  /// Tensors that a constant was found to be, so that of several equal ones
  /// each is given to one constant.
  llvm::StringSet<> claimed;

  /// The checkpoint of scope `model`, opened when first asked for; null where
  /// the module has none. Errors are emitted at `location`.
  mlir::FailureOr<const storage::Checkpoint *>
  getModel(mlir::Location location);
  mlir::FailureOr<const TensorMatcher *> getMatcher(mlir::Location location);

  /// What `entry` of the user's map says that `handle`, a tensor of `type`, is.
  /// Errors, emitted at `location`, name the map and the handle: no checkpoint,
  /// no such tensor in it, a shape that fits neither as is nor transposed.
  mlir::FailureOr<ParameterBinding> getNamed(const WeightNames::Entry &entry,
                                             llvm::StringRef handle,
                                             mlir::RankedTensorType type,
                                             mlir::Location location);

private:
  std::shared_ptr<const storage::Checkpoint> model;
  std::optional<TensorMatcher> matcher;
};

/// The calls of function `name`; nullopt where something that is no call refers
/// to it. (SymbolTable knows no uses in modules with regions of dialects that
/// aren't linked.)
std::optional<llvm::SmallVector<mlir::func::CallOp>>
findCalls(mlir::ModuleOp module, llvm::StringRef name);

/// Makes constants parameters, or notes on constants of dialects that aren't
/// linked which parameter they are.
mlir::LogicalResult bindConstants(BindingContext &context);

/// Replaces arguments of public functions that are weights by parameters, in
/// the functions they call too.
mlir::LogicalResult bindArguments(BindingContext &context);

/// Gives private functions that are called with parameters of a file these
/// parameters of their own, one copy of the function for each set of them.
mlir::LogicalResult sinkParameters(mlir::ModuleOp module);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_BINDING_BINDING_H
