//===- LowerObserve.cpp - quant_llm.observe to the runtime's observer -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/MapVector.h"

namespace qk {
#define GEN_PASS_DEF_LOWEROBSERVE
#include "qk/Conversion/HostToLLVM/Passes.h.inc"
} // namespace qk

using namespace mlir;
using qk::quant_llm::ObserveOp;

/// The runtime counts tokens on the thread that runs the model.
static LogicalResult checkSequential(ObserveOp op) {
  for (Operation *parent = op->getParentOp(); parent;
       parent = parent->getParentOp())
    if (isa<scf::ForallOp, scf::ParallelOp>(parent))
      return op.emitError("layer '")
             << op.getLayer() << "': can't observe in '" << parent->getName()
             << "', whose steps may run at the same time; expected it outside "
                "of parallel loops";
  return success();
}

/// The private declaration of the runtime's observer for elements of `type`.
static func::FuncOp getObserver(ModuleOp module, Type type) {
  StringRef name = type.isF16()    ? "qk_observe_f16"
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
  function.setArgAttr(
      0, bufferization::BufferizationDialect::kBufferAccessAttrName,
      builder.getStringAttr("read"));
  function->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(),
                    builder.getUnitAttr());
  return function;
}

namespace {
struct LowerObserve : qk::impl::LowerObserveBase<LowerObserve> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<ObserveOp> ops;
    module.walk([&](ObserveOp op) { ops.push_back(op); });
    if (ops.empty())
      return;
    llvm::MapVector<StringAttr, int64_t> sites;
    for (ObserveOp op : ops) {
      if (failed(checkSequential(op)))
        return signalPassFailure();
      auto [site, inserted] =
          sites.try_emplace(op.getLayerAttr(), sites.size());
      lower(module, op, site->second);
    }
    SmallVector<Attribute> layers;
    for (auto &[layer, site] : sites)
      layers.push_back(layer);
    module->setAttr(qk::observedLayersAttrName,
                    ArrayAttr::get(&getContext(), layers));
  }

private:
  static void lower(ModuleOp module, ObserveOp op, int64_t site) {
    Type element = getElementTypeOrSelf(op.getX().getType());
    func::FuncOp observer = getObserver(module, element);
    OpBuilder builder(op);
    Location loc = op.getLoc();
    Value x = tensor::CastOp::create(
        builder, loc, UnrankedTensorType::get(element), op.getX());
    Value number = arith::ConstantIntOp::create(builder, loc, site, 64);
    func::CallOp::create(builder, loc, observer, ValueRange{x, number});
    op.erase();
  }
};
} // namespace
