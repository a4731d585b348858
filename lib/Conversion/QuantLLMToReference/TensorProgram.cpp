//===- TensorProgram.cpp - Formulas as linalg on tensors ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace qk;
using utils::IteratorType;

RankedTensorType TensorProgram::typeOf(Value tensor) {
  return cast<RankedTensorType>(tensor.getType());
}

Type TensorProgram::elementOf(Value tensor) {
  return typeOf(tensor).getElementType();
}

TensorProgram::Sizes TensorProgram::sizesOf(Value tensor) {
  return tensor::getMixedSizes(*this, getLoc(), tensor);
}

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

static AffineMap mapOf(MLIRContext *context, int64_t rank,
                       ArrayRef<int64_t> dims) {
  SmallVector<AffineExpr> results;
  for (int64_t dim : dims)
    results.push_back(dim == TensorProgram::kOne
                          ? getAffineConstantExpr(0, context)
                          : getAffineDimExpr(dim, context));
  return AffineMap::get(rank, 0, results, context);
}

/// A generic over `rank` dimensions, of which the last `reduced` are reduced
/// into `out`.
static Value createGeneric(TensorProgram &program, int64_t rank,
                           int64_t reduced, ArrayRef<TensorProgram::Input> in,
                           Value out, TensorProgram::Body body) {
  SmallVector<AffineMap> maps;
  SmallVector<Value> tensors;
  for (const TensorProgram::Input &input : in) {
    maps.push_back(mapOf(program.getContext(), rank, input.dims));
    tensors.push_back(input.tensor);
  }
  maps.push_back(AffineMap::getMultiDimIdentityMap(rank, program.getContext())
                     .getMajorSubMap(rank - reduced));
  SmallVector<IteratorType> iterators(rank, IteratorType::parallel);
  std::fill(iterators.end() - reduced, iterators.end(),
            IteratorType::reduction);
  auto generic = linalg::GenericOp::create(
      program, out.getType(), tensors, out, maps, iterators,
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        ImplicitLocOpBuilder b(loc, builder);
        linalg::YieldOp::create(b, body(b, reduced ? args : args.drop_back()));
      });
  return generic.getResult(0);
}

Value TensorProgram::compute(ArrayRef<OpFoldResult> sizes, Type element,
                             ArrayRef<Input> inputs, Body body) {
  Value out = tensor::EmptyOp::create(*this, sizes, element);
  return createGeneric(*this, sizes.size(), 0, inputs, out, body);
}

Value TensorProgram::reduce(ArrayRef<OpFoldResult> sizes, int64_t reduced,
                            TypedAttr init, ArrayRef<Input> inputs, Body body) {
  Value empty =
      tensor::EmptyOp::create(*this, sizes.drop_back(reduced), init.getType());
  Value first = arith::ConstantOp::create(*this, init);
  Value out = linalg::FillOp::create(*this, first, empty).getResult(0);
  return createGeneric(*this, sizes.size(), reduced, inputs, out, body);
}

static SmallVector<int64_t> allDims(Value tensor) {
  return llvm::to_vector(
      llvm::seq<int64_t>(0, TensorProgram::typeOf(tensor).getRank()));
}

Value TensorProgram::toF32(Value tensor) {
  if (elementOf(tensor).isF32())
    return tensor;
  return compute(sizesOf(tensor), getF32Type(), {{tensor, allDims(tensor)}},
                 [](ImplicitLocOpBuilder &b, ValueRange args) {
                   return extendToF32(b, args[0]);
                 });
}

Value TensorProgram::fromF32(Value tensor, Type element) {
  if (element.isF32())
    return tensor;
  return compute(sizesOf(tensor), element, {{tensor, allDims(tensor)}},
                 [&](ImplicitLocOpBuilder &b, ValueRange args) {
                   return roundFromF32(b, args[0], element);
                 });
}

Value TensorProgram::matmul(Value a, Value b, bool transposed) {
  Value empty = tensor::EmptyOp::create(
      *this, Sizes{sizesOf(a)[0], sizesOf(b)[transposed ? 0 : 1]},
      getF32Type());
  Value out = linalg::FillOp::create(*this, constantF32(0), empty).getResult(0);
  if (!transposed)
    return linalg::MatmulOp::create(*this, out.getType(), ValueRange{a, b}, out)
        .getResult(0);
  return linalg::MatmulTransposeBOp::create(*this, getLoc(), out.getType(),
                                            ValueRange{a, b}, out)
      .getResult(0);
}

Value TensorProgram::addBias(Value sum, Value bias, Type element) {
  if (!bias)
    return fromF32(sum, element);
  return compute(sizesOf(sum), element, {{sum, {0, 1}}, {bias, {1}}},
                 [&](ImplicitLocOpBuilder &b, ValueRange args) {
                   Value added = arith::AddFOp::create(b, args[0],
                                                       extendToF32(b, args[1]));
                   return roundFromF32(b, added, element);
                 });
}

Value TensorProgram::constantF32(double value) {
  return arith::ConstantOp::create(*this, getF32FloatAttr(value));
}

Value qk::extendToF32(ImplicitLocOpBuilder &b, Value value) {
  if (value.getType().isF32())
    return value;
  return arith::ExtFOp::create(b, b.getF32Type(), value);
}

Value qk::roundFromF32(ImplicitLocOpBuilder &b, Value value, Type type) {
  if (type.isF32())
    return value;
  return arith::TruncFOp::create(b, type, value);
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

Value TensorProgram::flatten(Value tensor) {
  RankedTensorType type = typeOf(tensor);
  int64_t rank = type.getRank();
  if (rank == 2)
    return tensor;
  if (rank == 1)
    return tensor::ExpandShapeOp::create(
        *this,
        RankedTensorType::get({1, type.getDimSize(0)}, elementOf(tensor)),
        tensor, ArrayRef<ReassociationIndices>{{0, 1}},
        Sizes{getIndexAttr(1), sizesOf(tensor)[0]});
  // All leading dimensions are 1: a slice, because collapsing them where the
  // strides are dynamic crashes --expand-strided-metadata of MLIR 22.1.
  if (llvm::all_of(type.getShape().drop_back(),
                   [](int64_t size) { return size == 1; })) {
    Sizes offsets(rank, getIndexAttr(0)), strides(rank, getIndexAttr(1));
    return tensor::ExtractSliceOp::create(
        *this,
        RankedTensorType::get({1, type.getShape().back()}, elementOf(tensor)),
        tensor, offsets, sizesOf(tensor), strides);
  }
  ReassociationIndices leading =
      llvm::to_vector<2>(llvm::seq<int64_t>(0, rank - 1));
  return tensor::CollapseShapeOp::create(
      *this, tensor, ArrayRef<ReassociationIndices>{leading, {rank - 1}});
}

Value TensorProgram::unflatten(Value tensor, Value like) {
  RankedTensorType type = typeOf(tensor);
  int64_t rank = typeOf(like).getRank();
  if (rank == 2)
    return tensor;
  if (rank == 1)
    return tensor::CollapseShapeOp::create(
        *this, tensor, ArrayRef<ReassociationIndices>{{0, 1}});
  Sizes sizes = sizesOf(like);
  sizes.back() = sizesOf(tensor)[1];
  SmallVector<int64_t> shape(typeOf(like).getShape());
  shape.back() = type.getDimSize(1);
  // --expand-strided-metadata of MLIR 22.1 crashes on an expand_shape into two
  // dynamic dimensions.
  if (llvm::count_if(ArrayRef(shape).drop_back(), ShapedType::isDynamic) > 1) {
    SmallVector<Value> values =
        getValueOrCreateConstantIndexOp(*this, getLoc(), sizes);
    return tensor::ReshapeOp::create(
        *this, RankedTensorType::get(shape, elementOf(tensor)), tensor,
        tensor::FromElementsOp::create(*this, values));
  }
  ReassociationIndices leading =
      llvm::to_vector<2>(llvm::seq<int64_t>(0, rank - 1));
  return tensor::ExpandShapeOp::create(
      *this, RankedTensorType::get(shape, elementOf(tensor)), tensor,
      ArrayRef<ReassociationIndices>{leading, {rank - 1}}, sizes);
}

Value TensorProgram::splitGroups(Value tensor, int64_t g) {
  int64_t k = typeOf(tensor).getDimSize(1), groups = (k + g - 1) / g;
  Type element = elementOf(tensor);
  if (groups * g != k) {
    Value zero = arith::ConstantOp::create(*this, getZeroAttr(element));
    auto padded = RankedTensorType::get(
        {typeOf(tensor).getDimSize(0), groups * g}, element);
    tensor = tensor::PadOp::create(
        *this, padded, tensor, Sizes{getIndexAttr(0), getIndexAttr(0)},
        Sizes{getIndexAttr(0), getIndexAttr(groups * g - k)}, zero);
  }
  auto type =
      RankedTensorType::get({typeOf(tensor).getDimSize(0), groups, g}, element);
  return tensor::ExpandShapeOp::create(
      *this, type, tensor, ArrayRef<ReassociationIndices>{{0}, {1, 2}},
      Sizes{sizesOf(tensor)[0], getIndexAttr(groups), getIndexAttr(g)});
}

Value TensorProgram::joinGroups(Value tensor, int64_t k) {
  Value joined = tensor::CollapseShapeOp::create(
      *this, tensor, ArrayRef<ReassociationIndices>{{0}, {1, 2}});
  if (typeOf(joined).getDimSize(1) == k)
    return joined;
  return tensor::ExtractSliceOp::create(
      *this, joined, Sizes{getIndexAttr(0), getIndexAttr(0)},
      Sizes{sizesOf(joined)[0], getIndexAttr(k)},
      Sizes{getIndexAttr(1), getIndexAttr(1)});
}

Value TensorProgram::castTo(Value tensor, Type type) {
  if (tensor.getType() == type)
    return tensor;
  return tensor::CastOp::create(*this, type, tensor);
}
