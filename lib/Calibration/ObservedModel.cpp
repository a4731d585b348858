//===- ObservedModel.cpp - A float model with observers -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ObservedModel.h"

#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/Parameters/Bufferization.h"
#include "qk/Conversion/Passes.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Execution/Executable.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
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
  if (auto rounding =
          op.getCodes().getDefiningOp<quant_llm::RoundToNearestOp>())
    return rounding.getWeight();
  if (auto rounding =
          op.getCodes().getDefiningOp<quant_llm::RoundCompensatedOp>())
    return rounding.getWeight();
  return {};
}

/// Replaces matmuls with recipes by the float layers they quantise.
static void restoreFloat(ModuleOp module) {
  SmallVector<quant_llm::MatmulOp> matmuls;
  module.walk([&](quant_llm::MatmulOp op) { matmuls.push_back(op); });
  for (quant_llm::MatmulOp op : matmuls) {
    Value weight = getFloatWeight(op);
    if (!weight)
      continue;
    OpBuilder builder(op);
    Value y = quant_llm::LinearOp::create(builder, op.getLoc(),
                                          op.getY().getType(), op.getX(),
                                          weight, op.getBias(), op.getLayer());
    op.getY().replaceAllUsesWith(y);
    op.erase();
  }
}

/// The private declaration of the runtime's observer for elements of `type`.
static func::FuncOp getObserver(ModuleOp module, Type type) {
  std::string name = type.isF16()    ? "qk_observe_f16"
                     : type.isBF16() ? "qk_observe_bf16"
                                     : "qk_observe_f32";
  if (auto function = module.lookupSymbol<func::FuncOp>(name))
    return function;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  auto tensor = UnrankedTensorType::get(type);
  auto function = func::FuncOp::create(
      builder, module.getLoc(), name,
      builder.getFunctionType({tensor, builder.getI64Type()}, {}));
  function.setPrivate();
  function.setArgAttr(0, "bufferization.access", builder.getStringAttr("read"));
  function->setAttr("llvm.emit_c_interface", builder.getUnitAttr());
  return function;
}

/// Calls the observer with `x` just before `user`.
static void insertObserver(ModuleOp module, Operation *user, Value x,
                           size_t site) {
  auto type = cast<RankedTensorType>(x.getType());
  func::FuncOp observer = getObserver(module, type.getElementType());
  OpBuilder builder(user);
  Location location = user->getLoc();
  Value unranked = tensor::CastOp::create(
      builder, location, UnrankedTensorType::get(type.getElementType()), x);
  Value number = arith::ConstantOp::create(
      builder, location, builder.getI64IntegerAttr(static_cast<int64_t>(site)));
  func::CallOp::create(builder, location, observer,
                       ValueRange{unranked, number});
}

/// Groups the layers by what they read and inserts one observer an input.
static LogicalResult insertObservers(ObservedModel &model, ModuleOp original,
                                     ArrayRef<std::string> layers) {
  // What each layer reads, and the first op that reads it.
  llvm::StringMap<SmallVector<Value>> inputs;
  llvm::MapVector<Value, Operation *> firstUser;
  model.module->walk([&](Operation *op) {
    Value x;
    StringRef layer;
    if (auto linear = dyn_cast<quant_llm::LinearOp>(op)) {
      x = linear.getX();
      layer = linear.getLayer();
    } else if (auto matmul = dyn_cast<quant_llm::MatmulOp>(op)) {
      x = matmul.getX();
      layer = matmul.getLayer();
    }
    if (!x || !isa<FloatType>(getElementTypeOrSelf(x.getType())))
      return;
    inputs[layer].push_back(x);
    firstUser.try_emplace(x, op);
  });

  std::map<std::vector<const void *>, size_t> groupOf;
  llvm::MapVector<Value, SmallVector<size_t>> groupsOfInput;
  for (const std::string &layer : layers) {
    auto found = inputs.find(layer);
    if (found == inputs.end())
      return emitError(original.getLoc())
             << "layer '" << layer << "' is not in the module";
    std::vector<const void *> key;
    for (Value x : found->second)
      key.push_back(x.getAsOpaquePointer());
    auto [known, inserted] = groupOf.try_emplace(key, model.groups.size());
    if (inserted) {
      ObservedModel::Group group;
      auto type = cast<RankedTensorType>(found->second.front().getType());
      group.k = type.getShape().back();
      model.groups.push_back(group);
      for (Value x : found->second)
        groupsOfInput[x].push_back(known->second);
    }
    model.groups[known->second].layers.push_back(layer);
  }
  for (auto &[x, groups] : groupsOfInput)
    for (size_t group : groups) {
      insertObserver(*model.module, firstUser[x], x, model.sites.size());
      model.sites.push_back(group);
    }
  return success();
}

FailureOr<ObservedModel>
qk::calibration::createObservedModel(ModuleOp original,
                                     ArrayRef<std::string> layers) {
  ObservedModel model;
  DialectRegistry registry;
  registry.insert<quant_llm::QuantLLMDialect>();
  registerHostToLLVMExtensions(registry);
  registerParameterBufferization(registry);
  Executable::registerTranslations(registry);
  model.context = std::make_unique<MLIRContext>(registry);
  // What the observers are made of; the module itself may have none of it.
  model.context
      ->loadDialect<arith::ArithDialect, func::FuncDialect,
                    quant_llm::QuantLLMDialect, tensor::TensorDialect>();
  // What goes wrong in the copy is told where the user sees it.
  std::string reason;
  ScopedDiagnosticHandler handler(
      model.context.get(), [&](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() == DiagnosticSeverity::Error &&
            reason.empty())
          reason = diagnostic.str();
        return success();
      });
  auto fail = [&](StringRef what) {
    return emitError(original.getLoc())
           << "can't run the model for calibration: " << what
           << (reason.empty() ? "" : ": ") << reason
           << "; collect statistics on another route of the same model and "
              "give stats=FILE";
  };
  model.module = copyModule(original, model.context.get());
  if (!model.module)
    return fail("it can't be copied");
  // Attributes of the original's own way.
  (*model.module)->removeAttr(quant_llm::QuantLLMDialect::kCalibrationAttr);
  (*model.module)->removeAttr(quant_llm::QuantLLMDialect::kEvaluateAttr);

  restoreFloat(*model.module);
  // Layers that read equal values then read the same one.
  PassManager clean(model.context.get());
  clean.addPass(createCanonicalizerPass());
  clean.addPass(createCSEPass());
  if (failed(clean.run(*model.module)))
    return fail("simplifying it failed");
  if (failed(insertObservers(model, original, layers)))
    return failure();

  PassManager lower(model.context.get());
  lower.addPass(createQuantLLMToReference());
  buildHostToLLVMPipeline(lower, HostToLLVMOptions());
  if (failed(lower.run(*model.module)))
    return fail("lowering it failed");
  return model;
}
