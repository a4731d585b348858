//===- ModelCopy.cpp - A float model of our own to run --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModelCopy.h"

#include "Runnable.h"

#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/Parameters/Bufferization.h"
#include "qk/Execution/Executable.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace qk;
using namespace qk::calibration;

/// Reads the module again in `context`. Weights in files stay there; only
/// resources of the module are copied.
static OwningOpRef<ModuleOp> copyModule(ModuleOp module, MLIRContext *context) {
  std::string bytecode;
  llvm::raw_string_ostream stream(bytecode);
  if (failed(writeBytecodeToFile(module, stream)))
    return {};
  // Blobs in bytecode want the buffer aligned as they are.
  std::unique_ptr<llvm::WritableMemoryBuffer> buffer =
      llvm::WritableMemoryBuffer::getNewUninitMemBuffer(
          bytecode.size(), "calibration", llvm::Align(4096));
  std::copy(bytecode.begin(), bytecode.end(), buffer->getBufferStart());
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  return parseSourceFile<ModuleOp>(sources, ParserConfig(context));
}

/// The float weight that a matmul's codes are made from, if a recipe makes
/// them.
static Value getFloatWeight(quant_llm::MatmulOp op) {
  Value weight;
  if (auto rounding =
          op.getCodes().getDefiningOp<quant_llm::RoundToNearestOp>())
    weight = rounding.getWeight();
  if (auto rounding =
          op.getCodes().getDefiningOp<quant_llm::RoundCompensatedOp>())
    weight = rounding.getWeight();
  while (weight) {
    if (auto clip = weight.getDefiningOp<quant_llm::ClipOp>())
      weight = clip.getWeight();
    else if (auto retarget = weight.getDefiningOp<quant_llm::RetargetOp>())
      weight = retarget.getWeight();
    else
      break;
  }
  return weight;
}

/// Makes all scales 1: statistics are those of the model before any method, and
/// recipes say what scaling does to them. Scaling by 1 folds away.
static void removeScales(ModuleOp module) {
  module.walk([](Operation *op) {
    // One part of a weight is all of it, the other nothing.
    if (auto part = dyn_cast<quant_llm::SalientColumnsOp>(op)) {
      Value whole = part.getWeight();
      if (!part.getRest()) {
        OpBuilder builder(op);
        auto type = cast<RankedTensorType>(part.getType());
        whole = quant_llm::ParameterOp::create(
            builder, op->getLoc(), type, "", "zeros",
            DenseElementsAttr::get(
                type, builder.getFloatAttr(type.getElementType(), 0.0)));
      }
      part.replaceAllUsesWith(whole);
      return;
    }
    if (!isa<quant_llm::SmoothingFactorsOp, quant_llm::SearchSmoothingFactorsOp,
             quant_llm::SaliencyFactorsOp, quant_llm::GatherFactorsOp>(op))
      return;
    OpBuilder builder(op);
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    Value ones = quant_llm::ParameterOp::create(
        builder, op->getLoc(), type, "", "ones",
        DenseElementsAttr::get(type, builder.getF32FloatAttr(1.0f)));
    op->getResult(0).replaceAllUsesWith(ones);
  });
}

/// Replaces matmuls with recipes by the float layers they quantise.
static void restoreFloat(ModuleOp module) {
  removeScales(module);
  SmallVector<quant_llm::MatmulOp> matmuls;
  module.walk([&](quant_llm::MatmulOp op) { matmuls.push_back(op); });
  for (quant_llm::MatmulOp op : matmuls) {
    Value weight = getFloatWeight(op);
    if (!weight)
      continue;
    OpBuilder builder(op);
    Value x = op.getX();
    if (auto quantize = x.getDefiningOp<quant_llm::QuantizeOp>())
      x = quantize.getX();
    Value y =
        quant_llm::LinearOp::create(builder, op.getLoc(), op.getY().getType(),
                                    x, weight, op.getBias(), op.getLayer());
    op.getY().replaceAllUsesWith(y);
    op.erase();
  }
}

void qk::calibration::walkLayers(
    Operation *root,
    llvm::function_ref<void(Operation *, StringRef layer, Value x)> visit) {
  root->walk([&](Operation *op) {
    if (auto linear = dyn_cast<quant_llm::LinearOp>(op))
      visit(op, linear.getLayer(), linear.getX());
    else if (auto matmul = dyn_cast<quant_llm::MatmulOp>(op);
             matmul &&
             isa<FloatType>(getElementTypeOrSelf(matmul.getX().getType())))
      visit(op, matmul.getLayer(), matmul.getX());
  });
}

ModelCopy::ModelCopy(ModuleOp original) : location(original.getLoc()) {
  DialectRegistry registry;
  registry.insert<quant_llm::QuantLLMDialect>();
  registerHostToLLVMExtensions(registry);
  registerParameterBufferization(registry);
  Executable::registerTranslations(registry);
  context = std::make_unique<MLIRContext>(registry);
  // What observers and parts of functions are made of; the module itself may
  // have none of it.
  context->loadDialect<func::FuncDialect, quant_llm::QuantLLMDialect,
                       tensor::TensorDialect>();
  handler = std::make_unique<ScopedDiagnosticHandler>(
      context.get(), [this](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() == DiagnosticSeverity::Error &&
            reason.empty())
          reason = diagnostic.str();
        return success();
      });
}

InFlightDiagnostic ModelCopy::fail(const Twine &what) {
  return emitError(location)
         << "can't run the model for calibration: " << what.str()
         << (reason.empty() ? "" : ": ") << reason
         << "; collect statistics on another route of the same model and give "
            "stats=FILE";
}

InFlightDiagnostic ModelCopy::errorAt(Operation *op) {
  auto place = op->getLoc()->findInstanceOf<FileLineColLoc>();
  if (!place)
    return emitError(location);
  return emitError(FileLineColLoc::get(location.getContext(),
                                       place.getFilename().getValue(),
                                       place.getLine(), place.getColumn()));
}

LogicalResult ModelCopy::run(ModuleOp target, StringRef what,
                             llvm::function_ref<void(OpPassManager &)> add) {
  PassManager manager(context.get());
  add(manager);
  if (failed(manager.run(target)))
    return fail(what);
  return success();
}

FailureOr<std::unique_ptr<ModelCopy>> ModelCopy::create(ModuleOp original) {
  if (failed(checkRunnable(original)))
    return failure();
  std::unique_ptr<ModelCopy> copy(new ModelCopy(original));
  copy->module = copyModule(original, copy->getContext());
  if (!copy->module)
    return copy->fail("it can't be copied");
  // Attributes of the original's own way.
  ModuleOp module = copy->getModule();
  module->removeAttr(quant_llm::QuantLLMDialect::kCalibrationAttr);
  module->removeAttr(quant_llm::QuantLLMDialect::kEvaluateAttr);
  restoreFloat(module);
  if (failed(copy->run(module, "simplifying it failed", [](OpPassManager &pm) {
        pm.addPass(createCanonicalizerPass());
        pm.addPass(createCSEPass());
      })))
    return failure();
  return copy;
}
