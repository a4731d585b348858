//===- ModelCopy.h - A float model of our own to run ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CALIBRATION_MODELCOPY_H
#define QK_LIB_CALIBRATION_MODELCOPY_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"

#include <functional>
#include <memory>
#include <string>

namespace qk::calibration {

/// A copy of a module in a context of its own (loading dialects inside a pass
/// is illegal), with every recipe replaced by the float layer it quantises, all
/// scales taken out: scales change what is rounded, not what the model
/// computes. Equal values are one, so that layers that read equal tensors read
/// the same one.
class ModelCopy {
public:
  /// Errors, at `original`: it can't be run here (checkRunnable), copied, or
  /// simplified.
  static mlir::FailureOr<std::unique_ptr<ModelCopy>>
  create(mlir::ModuleOp original);

  mlir::ModuleOp getModule() { return *module; }
  mlir::MLIRContext *getContext() { return context.get(); }

  /// Runs passes on `target` (the copy, or a module made from it). A failure is
  /// told at the original, where the user sees it; `what` failed.
  mlir::LogicalResult run(mlir::ModuleOp target, llvm::StringRef what,
                          llvm::function_ref<void(mlir::OpPassManager &)> add);

  /// Emits "can't run the model for calibration: `what`: reason" at the
  /// original, the reason being the first error in the copy's context.
  mlir::InFlightDiagnostic fail(const llvm::Twine &what);

  /// Starts an error where the original of `op`, of the copy, is.
  mlir::InFlightDiagnostic errorAt(mlir::Operation *op);
  /// The first error in the copy's context; empty: none.
  const std::string &getReason() const { return reason; }
  /// At the original module.
  mlir::Location getLocation() const { return location; }

private:
  explicit ModelCopy(mlir::ModuleOp original);

  mlir::Location location;
  std::unique_ptr<mlir::MLIRContext> context;
  std::string reason;
  std::unique_ptr<mlir::ScopedDiagnosticHandler> handler;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// Calls `visit` with each float layer's op, its name and what it reads.
void walkLayers(mlir::Operation *root,
                llvm::function_ref<void(mlir::Operation *,
                                        llvm::StringRef layer, mlir::Value x)>
                    visit);

} // namespace qk::calibration

#endif // QK_LIB_CALIBRATION_MODELCOPY_H
