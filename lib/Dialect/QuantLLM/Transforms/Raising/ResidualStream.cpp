//===- ResidualStream.cpp - What a layer's result is added to -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/Transforms/ResidualStream.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"

using namespace mlir;

/// Whether a structured op adds its two inputs, element by element.
static bool addsInputs(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      op.getNumParallelLoops() != op.getNumLoops() ||
      !llvm::all_of(op.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }))
    return false;
  Block *body = op.getBlock();
  auto add =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!add)
    return false;
  Value a = body->getArgument(0), b = body->getArgument(1);
  return (add.getLhs() == a && add.getRhs() == b) ||
         (add.getLhs() == b && add.getRhs() == a);
}

static bool keepsLast(Type from, Type to) {
  auto before = dyn_cast<RankedTensorType>(from);
  auto after = dyn_cast<RankedTensorType>(to);
  return before && after && before.getRank() > 0 && after.getRank() > 0 &&
         before.getShape().back() == after.getShape().back() &&
         !ShapedType::isDynamic(after.getShape().back());
}

Value qk::quant_llm::findResidual(Value y) {
  while (y.hasOneUse()) {
    Operation *user = *y.user_begin();
    if (isa<tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp,
            tensor::ReshapeOp, tosa::ReshapeOp>(user)) {
      if (user->getOperand(0) != y ||
          !keepsLast(y.getType(), user->getResult(0).getType()))
        return {};
      y = user->getResult(0);
      continue;
    }
    auto structured = dyn_cast<linalg::LinalgOp>(user);
    if (structured ? !addsInputs(structured)
                   : !isa<tosa::AddOp, arith::AddFOp>(user))
      return {};
    Value a = user->getOperand(0), b = user->getOperand(1);
    if (a.getType() != b.getType() || (a != y && b != y))
      return {};
    return a == y ? b : a;
  }
  return {};
}
