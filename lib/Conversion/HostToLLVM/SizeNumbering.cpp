//===- SizeNumbering.cpp - Which sizes are equal --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SizeNumbering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

using namespace mlir;
using namespace qk;

unsigned SizeNumbering::fresh() {
  parents.push_back(parents.size());
  return parents.back();
}

unsigned SizeNumbering::find(unsigned number) {
  while (parents[number] != number)
    number = parents[number] = parents[parents[number]];
  return number;
}

unsigned SizeNumbering::constant(int64_t value) {
  auto [it, isNew] = constants.try_emplace(value);
  if (isNew)
    it->second = fresh();
  return it->second;
}

void SizeNumbering::set(Value tensor, int64_t dim, unsigned number) {
  dims[{tensor, dim}] = number;
}

unsigned SizeNumbering::of(Value tensor, int64_t dim) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return constant(type.getDimSize(dim));
  auto [it, isNew] = dims.try_emplace({tensor, dim});
  if (isNew) {
    it->second = fresh();
    firsts[it->second] = {tensor, dim};
  }
  return it->second;
}

unsigned SizeNumbering::of(OpFoldResult size) {
  if (std::optional<int64_t> value = getConstantIntValue(size))
    return constant(*value);
  auto [it, isNew] = indices.try_emplace(cast<Value>(size));
  if (isNew)
    it->second = fresh();
  return it->second;
}

void SizeNumbering::visit(Operation *op) {
  if (op->getNumResults() == 1 && op->getResult(0).getType().isIntOrIndex())
    visitIndex(op);
  for (Value result : op->getResults())
    if (auto type = dyn_cast<RankedTensorType>(result.getType());
        type && !type.hasStaticShape())
      visitTensor(op, result);
}

void SizeNumbering::visitIndex(Operation *op) {
  Value result = op->getResult(0);
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> position = dim.getConstantIndex();
    if (auto type = dyn_cast<RankedTensorType>(dim.getSource().getType());
        type && position && *position >= 0 && *position < type.getRank())
      indices[result] = of(dim.getSource(), *position);
    return;
  }
  // Sizes fit any integer that modules keep them in.
  if (auto cast = dyn_cast<arith::IndexCastOp>(op)) {
    indices[result] = of(OpFoldResult(cast.getIn()));
    return;
  }
  if (op->getNumRegions() != 0 || !isPure(op) || op->getNumOperands() == 0)
    return;
  std::vector<unsigned> operands;
  for (Value operand : op->getOperands()) {
    if (!operand.getType().isIntOrIndex())
      return;
    operands.push_back(find(of(OpFoldResult(operand))));
  }
  Computation computation{op->getName().getAsOpaquePointer(),
                          op->getAttrDictionary().getAsOpaquePointer(),
                          result.getType().getAsOpaquePointer(),
                          std::move(operands)};
  auto [it, isNew] = computations.try_emplace(std::move(computation));
  if (isNew)
    it->second = of(OpFoldResult(result));
  else
    indices[result] = it->second;
}

void SizeNumbering::copySizes(Value result, Value from, int64_t count) {
  for (int64_t dim = 0; dim < count; ++dim)
    set(result, dim, of(from, dim));
}

void SizeNumbering::visitTensor(Operation *op, Value result) {
  auto type = cast<RankedTensorType>(result.getType());
  auto setAll = [&](ArrayRef<OpFoldResult> sizes) {
    for (auto [dim, size] : llvm::enumerate(sizes))
      set(result, dim, of(size));
  };
  if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
    setAll(empty.getMixedSizes());
  } else if (auto generate = dyn_cast<tensor::GenerateOp>(op)) {
    auto extent = generate.getDynamicExtents().begin();
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        set(result, dim, of(OpFoldResult(*extent++)));
  } else if (auto convert = dyn_cast<tensor::CastOp>(op)) {
    if (isa<RankedTensorType>(convert.getSource().getType()))
      copySizes(result, convert.getSource(), type.getRank());
  } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    setAll(expand.getMixedOutputShape());
  } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    ArrayRef<int64_t> source = collapse.getSrcType().getShape();
    for (auto [dim, group] :
         llvm::enumerate(collapse.getReassociationIndices())) {
      SmallVector<int64_t> wide = llvm::filter_to_vector(
          group, [&](int64_t inner) { return source[inner] != 1; });
      if (wide.size() == 1)
        set(result, dim, of(collapse.getSrc(), wide.front()));
    }
  } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    SmallVector<OpFoldResult> kept;
    for (auto [dim, size] : llvm::enumerate(slice.getMixedSizes()))
      if (!dropped[dim])
        kept.push_back(size);
    setAll(kept);
  } else if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
    copySizes(result, insert.getDest(), type.getRank());
  } else if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (dim != static_cast<int64_t>(concat.getDim()))
        set(result, dim, of(concat.getInputs().front(), dim));
  } else if (auto destination = dyn_cast<DestinationStyleOpInterface>(op)) {
    Value init = destination.getTiedOpOperand(cast<OpResult>(result))->get();
    copySizes(result, init, type.getRank());
  } else if (isa<quant_llm::LinearOp, quant_llm::MatmulOp,
                 quant_llm::PackedMatmulOp, quant_llm::QuantizeOp>(op)) {
    // A row for each of the first operand's.
    auto rows = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    if (rows && rows.getRank() == type.getRank())
      copySizes(result, op->getOperand(0), type.getRank() - 1);
  }
}
