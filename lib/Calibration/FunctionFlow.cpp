//===- FunctionFlow.cpp - What depends on what in a function --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FunctionFlow.h"

#include "qk/Conversion/HostToLLVM/StorageTypes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace qk;
using namespace qk::calibration;

bool qk::calibration::isParameterView(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<quant_llm::ParameterOp>(op))
      return true;
    if (!isa<quant_llm::TransposeOp, tensor::CollapseShapeOp,
             tensor::ExpandShapeOp, arith::ExtFOp, arith::TruncFOp>(op))
      return false;
    value = op->getOperand(0);
  }
  return false;
}

bool qk::calibration::hasOnlyAssertions(Operation *op) {
  WalkResult result = op->walk([](Operation *nested) {
    if (isa<cf::AssertOp, quant_llm::ObserveOp>(nested) ||
        nested->hasTrait<OpTrait::HasRecursiveMemoryEffects>() ||
        nested->hasTrait<OpTrait::IsTerminator>())
      return WalkResult::advance();
    auto effects = dyn_cast<MemoryEffectOpInterface>(nested);
    return effects && effects.hasNoEffect() ? WalkResult::advance()
                                            : WalkResult::interrupt();
  });
  return !result.wasInterrupted();
}

SmallVector<Value> FunctionFlow::inputsOf(Operation *op) {
  llvm::SetVector<Value> inputs(op->operand_begin(), op->operand_end());
  if (op->getNumRegions())
    getUsedValuesDefinedAbove(op->getRegions(), inputs);
  return inputs.takeVector();
}

int64_t FunctionFlow::positionOf(Value value) const {
  Operation *op = value.getDefiningOp();
  return op ? position.at(op) : -1;
}

bool FunctionFlow::comesBefore(Value a, Value b) const {
  auto numberOf = [](Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument ? argument.getArgNumber()
                    : cast<OpResult>(value).getResultNumber();
  };
  return std::pair(positionOf(a), numberOf(a)) <
         std::pair(positionOf(b), numberOf(b));
}

bool FunctionFlow::canKeep(Value value) {
  Type type = value.getType();
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    return !tensor.getEncoding() &&
           storageTypeOf(tensor.getElementType()).has_value();
  return type.isIntOrIndexOrFloat() && storageTypeOf(type).has_value();
}

double FunctionFlow::bytesOf(Value value, double unknown) {
  double bytes = 8;
  if (auto tensor = dyn_cast<RankedTensorType>(value.getType())) {
    Type element = tensor.getElementType();
    bytes = element.isIntOrFloat()
                ? std::max(element.getIntOrFloatBitWidth() / 8.0, 1.0)
                : 8;
    for (int64_t size : tensor.getShape())
      bytes *=
          ShapedType::isDynamic(size) ? unknown : static_cast<double>(size);
  }
  return bytes;
}

bool FunctionFlow::isCheapOp(Operation *op, ArrayRef<Value> inputs) const {
  auto isArgument = [](Value value) { return isa<BlockArgument>(value); };
  // The shape of an argument is known as long as its data.
  if (auto dim = dyn_cast<tensor::DimOp>(op);
      dim && isArgument(dim.getSource()))
    return isCheap(dim.getIndex());
  if (!llvm::all_of(inputs, [&](Value value) { return isCheap(value); }))
    return false;
  if (op->hasTrait<OpTrait::ConstantLike>() ||
      isa<tensor::EmptyOp, linalg::FillOp, tensor::FromElementsOp>(op) ||
      (op->getNumResults() == 1 && isParameterView(op->getResult(0))))
    return true;
  return op->getNumRegions() == 0 && isMemoryEffectFree(op) &&
         llvm::all_of(op->getResultTypes(),
                      [](Type type) { return type.isIntOrIndexOrFloat(); });
}

FailureOr<FunctionFlow>
FunctionFlow::analyse(ModelCopy &copy, func::FuncOp function,
                      const llvm::StringSet<> &rounded) {
  auto fail = [&](Operation *op) {
    return copy.errorAt(op) << "can't calibrate block by block: ";
  };
  if (!function.getBody().hasOneBlock())
    return fail(function) << "function '" << function.getName() << "' has "
                          << function.getBody().getBlocks().size()
                          << " blocks, expected 1; leave out sequential";
  FunctionFlow flow;
  for (Operation &op : function.getBody().front().without_terminator()) {
    flow.position[&op] = static_cast<int64_t>(flow.allOps.size());
    flow.allOps.push_back(&op);
    if (!hasOnlyAssertions(&op))
      return fail(&op) << "'" << op.getName()
                       << "' may do more than compute its results, and the "
                          "model is run in parts; leave out sequential";
    bool isLayer = false;
    LogicalResult nested = success();
    walkLayers(&op, [&](Operation *layer, StringRef name, Value) {
      if (!rounded.contains(name))
        return;
      isLayer = true;
      if (layer != &op && succeeded(nested))
        nested = fail(layer)
                 << "layer '" << name << "' is inside '" << op.getName()
                 << "', expected it directly in function '"
                 << function.getName() << "'; leave out sequential";
    });
    if (failed(nested))
      return failure();
    SmallVector<Value> inputs = inputsOf(&op);
    bool cheap = flow.isCheapOp(&op, inputs);
    bool shapeOnly = isa<tensor::DimOp>(op) && cheap;
    bool data = !shapeOnly && llvm::any_of(inputs, [&](Value value) {
      return isa<BlockArgument>(value) || flow.dependsOnData(value);
    });
    bool layers = isLayer || llvm::any_of(inputs, [&](Value value) {
                    return flow.dependsOnLayers(value);
                  });
    for (Value result : op.getResults()) {
      if (cheap)
        flow.cheap.insert(result);
      if (data)
        flow.data.insert(result);
      if (layers)
        flow.layers.insert(result);
    }
  }
  return flow;
}
