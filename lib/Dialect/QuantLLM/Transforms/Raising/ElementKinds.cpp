//===- ElementKinds.cpp - What the elements of a value are ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LookThrough.h"

#include "UnlinkedOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace qk::quant_llm;

/// Whether the attribute's elements all are `number`.
static bool isSplatOf(Attribute attribute, double number) {
  if (auto value = dyn_cast<FloatAttr>(attribute))
    return value.getValueAsDouble() == number;
  auto dense = dyn_cast<DenseFPElementsAttr>(attribute);
  return dense && dense.isSplat() &&
         dense.getSplatValue<APFloat>().convertToDouble() == number;
}

bool qk::quant_llm::isFilledWith(Value value, double number) {
  while (Operation *op = value.getDefiningOp()) {
    Attribute constant;
    if (matchPattern(op, m_Constant(&constant)))
      return isSplatOf(constant, number);
    if (auto fill = dyn_cast<linalg::FillOp>(op)) {
      value = fill.getInputs()[0];
      continue;
    }
    if (auto splat = dyn_cast<tensor::SplatOp>(op)) {
      value = splat.getInput();
      continue;
    }
    Value source = reshapedFrom(op);
    if (!source && isa<arith::ExtFOp, arith::TruncFOp>(op))
      source = op->getOperand(0);
    if (!source)
      if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
          linalgOp && copiesElements(linalgOp))
        source = linalgOp.getDpsInputOperand(0)->get();
    if (!source)
      return false;
    value = source;
  }
  return false;
}

bool qk::quant_llm::isConvertedFromIntegers(Value value) {
  auto isInteger = [](Type type) {
    return getElementTypeOrSelf(type).isIntOrIndex();
  };
  while (Operation *op = value.getDefiningOp()) {
    if (Value source = getPassedOn(op)) {
      if (RankedTensorType from = getTensorType(source);
          from && isInteger(from))
        return true;
      value = source;
      continue;
    }
    if (isa<tosa::CastOp, arith::SIToFPOp, arith::UIToFPOp>(op)) {
      if (isInteger(op->getOperand(0).getType()))
        return true;
      value = op->getOperand(0);
      continue;
    }
    if (Value source = reshapedFrom(op)) {
      value = source;
      continue;
    }
    // JAX's one_hot is a helper function.
    if (auto call = dyn_cast<func::CallOp>(op)) {
      auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
          call, call.getCalleeAttr());
      if (!callee || callee.isExternal() || !callee.getBody().hasOneBlock())
        return false;
      value = callee.getBody().front().getTerminator()->getOperand(
          cast<OpResult>(value).getResultNumber());
      continue;
    }
    if (isa<tosa::TransposeOp, tosa::TileOp>(op)) {
      value = op->getOperand(0);
      continue;
    }
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (!linalgOp || linalgOp.getNumParallelLoops() != linalgOp.getNumLoops())
      return false;
    if (copiesElements(linalgOp)) {
      value = linalgOp.getDpsInputOperand(0)->get();
      continue;
    }
    auto yield =
        dyn_cast<linalg::YieldOp>(linalgOp.getBlock()->getTerminator());
    return yield && yield.getNumOperands() == 1 &&
           isa_and_present<arith::SIToFPOp, arith::UIToFPOp>(
               skipFloatConversions(yield.getOperand(0)).getDefiningOp());
  }
  return false;
}
