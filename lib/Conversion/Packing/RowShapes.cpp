//===- RowShapes.cpp - Matmuls with one dimension of rows -------*- C++ -*-
//===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RowShapes.h"

using namespace mlir;

static RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

Value qk::toRows(OpBuilder &b, Location loc, Value value) {
  auto type = tensorType(value);
  int64_t rank = type.getRank();
  if (rank == 2)
    return value;
  if (rank == 1) {
    auto rows = type.clone({1, type.getDimSize(0)});
    return tensor::ExpandShapeOp::create(
        b, loc, rows, value, SmallVector<ReassociationIndices>{{0, 1}});
  }
  auto leading = llvm::to_vector<2>(llvm::seq<int64_t>(0, rank - 1));
  return tensor::CollapseShapeOp::create(
      b, loc, value, SmallVector<ReassociationIndices>{leading, {rank - 1}});
}

Value qk::fromRows(OpBuilder &b, Location loc, Value value, Value like) {
  auto type = tensorType(like);
  int64_t rank = type.getRank(), n = tensorType(value).getDimSize(1);
  if (rank == 2)
    return value;
  if (rank == 1)
    return tensor::CollapseShapeOp::create(
        b, loc, value, SmallVector<ReassociationIndices>{{0, 1}});
  SmallVector<OpFoldResult> sizes;
  SmallVector<int64_t> shape;
  for (int64_t i = 0; i < rank - 1; ++i) {
    sizes.push_back(tensor::getMixedSize(b, loc, like, i));
    shape.push_back(type.getDimSize(i));
  }
  sizes.push_back(b.getIndexAttr(n));
  shape.push_back(n);
  auto leading = llvm::to_vector<2>(llvm::seq<int64_t>(0, rank - 1));
  return tensor::ExpandShapeOp::create(
      b, loc, tensorType(value).clone(shape), value,
      SmallVector<ReassociationIndices>{leading, {rank - 1}}, sizes);
}
