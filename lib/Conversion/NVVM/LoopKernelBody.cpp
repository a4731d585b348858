//===- LoopKernelBody.cpp - What a loop's kernel computes -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceCalls.h"
#include "LoopKernelBuilder.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace qk::nvvm {

Value LoopKernelBuilder::address(Value memref, ValueRange indices) {
  const View &view = views[memref];
  Value element = view.offset;
  for (auto [i, stride] : llvm::zip_equal(indices, view.strides))
    element =
        arith::AddIOp::create(b, element, arith::MulIOp::create(b, i, stride));
  Type type = cast<MemRefType>(memref.getType()).getElementType();
  Value bytes = arith::IndexCastOp::create(
      b, b.getI64Type(),
      arith::MulIOp::create(b, element, index(elementBytes(type))));
  Value pointer = loop.kernel.getBody().getArgument(view.buffer);
  return LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

/// i1 and narrower integers take a byte, index eight of them.
static Type storedType(Type type) {
  if (type.isIndex())
    return IntegerType::get(type.getContext(), 64);
  if (type.isInteger() && type.getIntOrFloatBitWidth() < 8)
    return IntegerType::get(type.getContext(), 8);
  return type;
}

Value LoopKernelBuilder::load(Value memref, ValueRange indices) {
  Type type = cast<MemRefType>(memref.getType()).getElementType();
  Value value = LLVM::LoadOp::create(
      b, storedType(type), address(memref, indices), elementBytes(type));
  if (type.isIndex())
    return arith::IndexCastOp::create(b, type, value);
  if (value.getType() != type)
    return arith::TruncIOp::create(b, type, value);
  return value;
}

SmallVector<Value> LoopKernelBuilder::indicesOf(OpOperand &operand) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  return llvm::map_to_vector(map.getResults(), [&](AffineExpr expr) {
    return affine::expandAffineExpr(b, op.getLoc(), expr, ivs, {});
  });
}

void LoopKernelBuilder::store(ArrayRef<Value> results) {
  for (auto [init, result] :
       llvm::zip_equal(op.getDpsInitsMutable(), results)) {
    Type type = result.getType(), stored = storedType(type);
    Value value = result;
    if (type.isIndex())
      value = arith::IndexCastOp::create(b, stored, value);
    else if (type != stored)
      value = arith::ExtUIOp::create(b, stored, value);
    LLVM::StoreOp::create(b, value, address(init.get(), indicesOf(init)),
                          elementBytes(type));
  }
}

SmallVector<Value>
LoopKernelBuilder::emitReductions(unsigned next, SmallVector<Value> carried) {
  while (next < kinds.size() && kinds[next] != utils::IteratorType::reduction)
    ++next;
  if (next == kinds.size())
    return emitBody(carried);
  Value extent = std::holds_alternative<int64_t>(extents[next])
                     ? index(std::get<int64_t>(extents[next]))
                     : readScalar(std::get<unsigned>(extents[next]));
  auto each = scf::ForOp::create(b, index(0), extent, index(1), carried);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(each.getBody());
  ivs[next] = each.getInductionVar();
  SmallVector<Value> results =
      emitReductions(next + 1, SmallVector<Value>(each.getRegionIterArgs()));
  scf::YieldOp::create(b, results);
  return each.getResults();
}

/// One iteration of all loops; takes and gives the values of the results.
SmallVector<Value> LoopKernelBuilder::emitBody(ArrayRef<Value> carried) {
  IRMapping mapping = captures;
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (!op.payloadUsesValueFromOperand(input))
      continue;
    Value value = isa<MemRefType>(input->get().getType())
                      ? load(input->get(), indicesOf(*input))
                      : mapping.lookup(input->get());
    mapping.map(op.getMatchingBlockArgument(input), value);
  }
  for (auto [init, value] : llvm::zip_equal(op.getDpsInitsMutable(), carried))
    if (value)
      mapping.map(op.getMatchingBlockArgument(&init), value);
  return emitFrom(op.getBlock()->begin(), mapping);
}

/// What indices are computed by where a loop was fused with a reshape.
static bool isIndexMap(Operation *op) {
  return isa<affine::AffineApplyOp, affine::AffineMinOp, affine::AffineMaxOp>(
      op);
}

/// As arithmetic: kernels are not lowered by the affine dialect's passes.
Value LoopKernelBuilder::expandIndexMap(Operation *map, ValueRange operands) {
  auto expand = [&](auto typed) {
    return *affine::expandAffineMap(b, map->getLoc(), typed.getAffineMap(),
                                    operands);
  };
  if (auto apply = dyn_cast<affine::AffineApplyOp>(map))
    return expand(apply).front();
  bool isMin = isa<affine::AffineMinOp>(map);
  SmallVector<Value, 8> values = isMin ? expand(cast<affine::AffineMinOp>(map))
                                       : expand(cast<affine::AffineMaxOp>(map));
  Value result = values.front();
  for (Value next : ArrayRef<Value>(values).drop_front())
    result = isMin ? Value(arith::MinSIOp::create(b, result, next))
                   : Value(arith::MaxSIOp::create(b, result, next));
  return result;
}

SmallVector<Value> LoopKernelBuilder::emitFrom(Block::iterator it,
                                               IRMapping &mapping) {
  for (; !it->hasTrait<OpTrait::IsTerminator>(); ++it) {
    if (auto position = dyn_cast<linalg::IndexOp>(*it)) {
      mapping.map(position.getResult(), ivs[position.getDim()]);
      continue;
    }
    if (auto read = dyn_cast<memref::LoadOp>(*it)) {
      SmallVector<Value> indices =
          llvm::map_to_vector(read.getIndices(), [&](Value index) {
            return mapping.lookup(index);
          });
      mapping.map(read.getResult(), load(read.getMemRef(), indices));
      continue;
    }
    if (isIndexMap(&*it)) {
      SmallVector<Value> operands =
          llvm::map_to_vector(it->getOperands(), [&](Value value) {
            return mapping.lookup(value);
          });
      mapping.map(it->getResult(0), expandIndexMap(&*it, operands));
      continue;
    }
    if (auto assertion = dyn_cast<cf::AssertOp>(*it))
      return emitAssertion(assertion, std::next(it), mapping);
    rewriteNested(b.clone(*it, mapping));
  }
  return llvm::map_to_vector(it->getOperands(), [&](Value yielded) {
    return mapping.lookup(yielded);
  });
}

/// Where the condition fails, the rest is not done: it would read what the
/// condition guards.
SmallVector<Value> LoopKernelBuilder::emitAssertion(cf::AssertOp assertion,
                                                    Block::iterator rest,
                                                    IRMapping &mapping) {
  DeviceAssertion self{assertion.getMsg().str(), assertion.getLoc()};
  auto *known = llvm::find(assertions, self);
  if (known == assertions.end()) {
    assertions.push_back(self);
    known = std::prev(assertions.end());
  }
  int64_t number = std::distance(assertions.begin(), known) + 1;
  TypeRange types = op.getBlock()->getTerminator()->getOperandTypes();
  auto branch = scf::IfOp::create(b, types, mapping.lookup(assertion.getArg()),
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, emitFrom(rest, mapping));
  b.setInsertionPointToStart(branch.elseBlock());
  LLVM::StoreOp::create(b, arith::ConstantIntOp::create(b, number, 32),
                        loop.kernel.getBody().getArgument(*errorCell), 4);
  SmallVector<Value> zeros = llvm::map_to_vector(types, [&](Type type) {
    return Value(
        arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(type))));
  });
  scf::YieldOp::create(b, zeros);
  return branch.getResults();
}

/// Indices and loads in the regions of a copied operation.
void LoopKernelBuilder::rewriteNested(Operation *copy) {
  SmallVector<Operation *> nested;
  copy->walk([&](Operation *inner) {
    if (isa<linalg::IndexOp, memref::LoadOp>(inner) || isIndexMap(inner))
      nested.push_back(inner);
  });
  for (Operation *inner : nested) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(inner);
    Value value;
    if (auto position = dyn_cast<linalg::IndexOp>(inner)) {
      value = ivs[position.getDim()];
    } else if (isIndexMap(inner)) {
      value = expandIndexMap(inner, inner->getOperands());
    } else {
      auto read = cast<memref::LoadOp>(inner);
      value = load(read.getMemRef(), read.getIndices());
    }
    inner->getResult(0).replaceAllUsesWith(value);
    inner->erase();
  }
}

} // namespace qk::nvvm
