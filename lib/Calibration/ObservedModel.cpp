//===- ObservedModel.cpp - A float model with observers -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ObservedModel.h"

#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Conversion/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"

#include <map>

using namespace mlir;
using namespace qk;
using namespace qk::calibration;

/// Where a module says itself what is observed of a layer, the layer must be
/// able to read it.
LogicalResult qk::calibration::checkObservers(ModuleOp module) {
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
  ModuleOp module = model.copy->getModule();
  walkLayers(module, [&](Operation *op, StringRef layer, Value x) {
    inputs[layer].emplace_back(x, op);
  });
  SmallVector<quant_llm::ObserveOp> replaced;
  module.walk([&](quant_llm::ObserveOp op) {
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
      model.copy->getModule()->getAttrOfType<ArrayAttr>(observedLayersAttrName);
  if (!observed)
    return;
  for (auto layer : observed.getAsRange<StringAttr>())
    model.sites.push_back(groupOf.at(layer.getValue()));
}

FailureOr<ObservedModel>
qk::calibration::createObservedModel(ModuleOp original,
                                     ArrayRef<std::string> layers) {
  ObservedModel model;
  FailureOr<std::unique_ptr<ModelCopy>> copy = ModelCopy::create(original);
  if (failed(copy) || failed(checkObservers(original)))
    return failure();
  model.copy = std::move(*copy);
  if (failed(insertObservers(model, original, layers)))
    return failure();
  ModuleOp module = model.copy->getModule();
  dropResults(module);
  if (failed(
          model.copy->run(module, "lowering it failed", [](OpPassManager &pm) {
            pm.addPass(createQuantLLMToReference({/*plain=*/false}));
            buildHostToLLVMPipeline(pm, HostToLLVMOptions());
          })))
    return failure();
  readSites(model);
  return model;
}
