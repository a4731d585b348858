//===- ObservedModel.cpp - A float model with observers -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ObservedModel.h"

#include "Runnable.h"

#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/Parameters/Bufferization.h"
#include "qk/Conversion/Passes.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Execution/Executable.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/STLExtras.h"
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

/// Calls `visit` with each float layer's op, its name and what it reads.
static void walkLayers(
    ModuleOp module,
    llvm::function_ref<void(Operation *, StringRef layer, Value x)> visit) {
  module.walk([&](Operation *op) {
    if (auto linear = dyn_cast<quant_llm::LinearOp>(op))
      visit(op, linear.getLayer(), linear.getX());
    else if (auto matmul = dyn_cast<quant_llm::MatmulOp>(op);
             matmul &&
             isa<FloatType>(getElementTypeOrSelf(matmul.getX().getType())))
      visit(op, matmul.getLayer(), matmul.getX());
  });
}

/// Where a module says itself what is observed of a layer, the layer must be
/// able to read it.
static LogicalResult checkObservers(ModuleOp module) {
  llvm::StringMap<int64_t> inputSize;
  walkLayers(module, [&](Operation *, StringRef layer, Value x) {
    inputSize[layer] = cast<RankedTensorType>(x.getType()).getShape().back();
  });
  WalkResult result = module.walk([&](quant_llm::ObserveOp op) -> WalkResult {
    auto found = inputSize.find(op.getLayer());
    auto type = cast<RankedTensorType>(op.getX().getType());
    if (found == inputSize.end() || found->second == type.getShape().back())
      return WalkResult::advance();
    return op.emitError("layer '")
           << op.getLayer() << "': expected a tensor with a last dimension of "
           << found->second << " to observe, got " << type;
  });
  return failure(result.wasInterrupted());
}

/// Groups the layers by what they read, or by what the module observes for
/// them, and has one observer for each of a group's tensors.
static LogicalResult insertObservers(ObservedModel &model, ModuleOp original,
                                     ArrayRef<std::string> layers) {
  /// A tensor, and the op before which it is observed.
  using Inputs = SmallVector<std::pair<Value, Operation *>>;
  llvm::StringMap<Inputs> inputs, observed;
  walkLayers(*model.module, [&](Operation *op, StringRef layer, Value x) {
    inputs[layer].emplace_back(x, op);
  });
  SmallVector<quant_llm::ObserveOp> replaced;
  model.module->walk([&](quant_llm::ObserveOp op) {
    observed[op.getLayer()].emplace_back(op.getX(), op);
    replaced.push_back(op);
  });

  std::map<std::vector<const void *>, size_t> groupOf;
  for (const std::string &layer : layers) {
    auto found = inputs.find(layer);
    if (found == inputs.end())
      return emitError(original.getLoc())
             << "layer '" << layer << "' is not in the module";
    auto own = observed.find(layer);
    const Inputs &read = own == observed.end() ? found->second : own->second;
    std::vector<const void *> key;
    for (auto [x, op] : read)
      key.push_back(x.getAsOpaquePointer());
    auto [known, inserted] = groupOf.try_emplace(key, model.groups.size());
    if (inserted) {
      ObservedModel::Group group;
      auto type = cast<RankedTensorType>(read.front().first.getType());
      group.k = type.getShape().back();
      model.groups.push_back(group);
      for (auto [x, op] : read) {
        OpBuilder builder(op);
        quant_llm::ObserveOp::create(builder, op->getLoc(), x, layer);
      }
    }
    model.groups[known->second].layers.push_back(layer);
  }
  for (quant_llm::ObserveOp op : replaced)
    op.erase();
  return success();
}

/// Makes entry points return nothing. What follows the last observed layer is
/// dead then: the head with its logits is a sixth of a small model's time, and
/// its largest buffer.
static void dropResults(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal() || function.isPrivate() ||
        !SymbolTable::symbolKnownUseEmpty(function, module))
      continue;
    function.walk([](func::ReturnOp op) { op.getOperandsMutable().clear(); });
    BitVector all(function.getNumResults(), true);
    (void)function.eraseResults(all);
  }
}

/// Finds the group of each site that the lowered module reports.
static void readSites(ObservedModel &model) {
  llvm::StringMap<size_t> groupOf;
  for (auto [index, group] : llvm::enumerate(model.groups))
    groupOf[group.layers.front()] = index;
  auto observed =
      (*model.module)->getAttrOfType<ArrayAttr>(observedLayersAttrName);
  if (!observed)
    return;
  for (auto layer : observed.getAsRange<StringAttr>())
    model.sites.push_back(groupOf.at(layer.getValue()));
}

FailureOr<ObservedModel>
qk::calibration::createObservedModel(ModuleOp original,
                                     ArrayRef<std::string> layers) {
  if (failed(checkRunnable(original)) || failed(checkObservers(original)))
    return failure();
  ObservedModel model;
  DialectRegistry registry;
  registry.insert<quant_llm::QuantLLMDialect>();
  registerHostToLLVMExtensions(registry);
  registerParameterBufferization(registry);
  Executable::registerTranslations(registry);
  model.context = std::make_unique<MLIRContext>(registry);
  // What the observers are; the module itself may have none of it.
  model.context->loadDialect<quant_llm::QuantLLMDialect>();
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
  dropResults(*model.module);

  PassManager lower(model.context.get());
  lower.addPass(createQuantLLMToReference({/*plain=*/false}));
  buildHostToLLVMPipeline(lower, HostToLLVMOptions());
  if (failed(lower.run(*model.module)))
    return fail("lowering it failed");
  readSites(model);
  return model;
}
