//===- QuantLLMToLinalg.cpp - Modules for other compilers -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExportedTensors.h"
#include "LinalgMatmul.h"

#include "../QuantLLMToReference/LowerToReference.h"

#include "qk/Conversion/ExportPasses.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace qk {
#define GEN_PASS_DEF_QUANTLLMTOLINALG
#include "qk/Conversion/ExportPasses.h.inc"
} // namespace qk

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

/// Says what has no form in other compilers before anything is changed.
static LogicalResult checkExportable(ModuleOp module) {
  WalkResult result = module.walk([](Operation *op) {
    if (!isa<ObserveOp, PackOp, PackedMatmulOp>(op) &&
        !op->hasAttr(QuantLLMDialect::kKernelAttr))
      return WalkResult::advance();
    op->emitOpError() << "has no form in linalg; expected a module before "
                         "observing, packing and choosing kernels";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

namespace {

struct QuantLLMToLinalg
    : public qk::impl::QuantLLMToLinalgBase<QuantLLMToLinalg> {
  using QuantLLMToLinalgBase::QuantLLMToLinalgBase;

  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

private:
  LogicalResult run() {
    ModuleOp module = getOperation();
    bool named = parameters == "named";
    if (!named && parameters != "inline")
      return emitError(module.getLoc())
             << "expected parameters to be inline or named, got '"
             << parameters.getValue() << "'";
    if (!named && !outputWeights.empty())
      return emitError(module.getLoc())
             << "output-weights is for parameters=named; inline they are in "
                "the module";
    if (failed(checkExportable(module)))
      return failure();

    SmallVector<MatmulOp> matmuls;
    module.walk([&](MatmulOp op) { matmuls.push_back(op); });
    ExportedTensors tensors(module, named, outputWeights);
    LinalgMatmuls linalg(tensors);
    if (failed(linalg.declare(matmuls)))
      return failure();
    for (MatmulOp op : matmuls)
      if (failed(linalg.replace(op)))
        return failure();
    eraseUnusedParameters(module);

    if (failed(lowerToReference(module, /*keepsGlobals=*/named)) ||
        failed(replaceParameters(module, tensors)) || failed(tensors.commit()))
      return failure();
    dropAttributes(module, named);
    return success();
  }

  static void eraseUnusedParameters(ModuleOp module) {
    module.walk([](ParameterOp op) {
      if (op->use_empty())
        op.erase();
    });
  }

  static LogicalResult replaceParameters(ModuleOp module,
                                         ExportedTensors &tensors) {
    SmallVector<ParameterOp> parameters;
    module.walk([&](ParameterOp op) { parameters.push_back(op); });
    for (ParameterOp op : parameters) {
      OpBuilder builder(op);
      FailureOr<Value> tensor = tensors.take(
          builder, op, cast<RankedTensorType>(op.getResult().getType()));
      if (failed(tensor))
        return failure();
      op.getResult().replaceAllUsesWith(*tensor);
      op.erase();
    }
    return success();
  }

  /// What is of no use to others. Named parameters are in the files that
  /// `quant_llm.weights` lists.
  static void dropAttributes(ModuleOp module, bool named) {
    for (NamedAttribute attribute :
         llvm::to_vector(module->getDiscardableAttrs()))
      if (attribute.getName().strref().starts_with("quant_llm.") &&
          !(named && attribute.getName() == QuantLLMDialect::kWeightsAttr))
        module->removeDiscardableAttr(attribute.getName());
  }
};

} // namespace
