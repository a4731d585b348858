//===- QuantLLMOps.cpp - Builders, types and assembly of ops --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace qk::quant_llm;

//===----------------------------------------------------------------------===//
// Numbers in the assembly, without their type
//===----------------------------------------------------------------------===//

static ParseResult parseInteger(OpAsmParser &parser, IntegerAttr &value) {
  int64_t number;
  if (parser.parseInteger(number))
    return failure();
  value = parser.getBuilder().getI64IntegerAttr(number);
  return success();
}

static void printInteger(OpAsmPrinter &printer, Operation *,
                         IntegerAttr value) {
  printer << value.getInt();
}

static ParseResult parseDouble(OpAsmParser &parser, FloatAttr &value) {
  double number;
  if (parser.parseFloat(number))
    return failure();
  value = parser.getBuilder().getF64FloatAttr(number);
  return success();
}

static void printDouble(OpAsmPrinter &printer, Operation *, FloatAttr value) {
  printer.printAttributeWithoutType(value);
}

#define GET_OP_CLASSES
#include "qk/Dialect/QuantLLM/IR/QuantLLMOps.cpp.inc"

void QuantLLMDialect::registerOps() {
  addOperations<
#define GET_OP_LIST
#include "qk/Dialect/QuantLLM/IR/QuantLLMOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

RankedTensorType ParameterOp::getStorageType(RankedTensorType type) {
  auto element = dyn_cast<IntegerType>(type.getElementType());
  if (!element || element.getWidth() >= 8 || type.getRank() == 0)
    return type;
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = (shape.back() * element.getWidth() + 7) / 8;
  return RankedTensorType::get(shape, IntegerType::get(type.getContext(), 8));
}

LogicalResult TransposeOp::inferReturnTypes(MLIRContext *,
                                            std::optional<Location> location,
                                            ValueRange operands, DictionaryAttr,
                                            OpaqueProperties, RegionRange,
                                            SmallVectorImpl<Type> &inferred) {
  auto type = dyn_cast<RankedTensorType>(operands[0].getType());
  if (!type || type.getRank() != 2)
    return emitOptionalError(location, "expected a weight of two dimensions");
  inferred.push_back(RankedTensorType::get(
      {type.getDimSize(1), type.getDimSize(0)}, type.getElementType()));
  return success();
}

LogicalResult LinearOp::inferReturnTypes(MLIRContext *,
                                         std::optional<Location> location,
                                         ValueRange operands, DictionaryAttr,
                                         OpaqueProperties, RegionRange,
                                         SmallVectorImpl<Type> &inferred) {
  auto x = dyn_cast<RankedTensorType>(operands[0].getType());
  auto weight = dyn_cast<RankedTensorType>(operands[1].getType());
  if (!x || !weight || x.getRank() == 0 || weight.getRank() != 2)
    return emitOptionalError(
        location, "expected x of at least one dimension and a weight of two");
  SmallVector<int64_t> shape(x.getShape());
  shape.back() = weight.getDimSize(0);
  inferred.push_back(RankedTensorType::get(shape, x.getElementType()));
  return success();
}

LogicalResult SmoothingFactorsOp::inferReturnTypes(
    MLIRContext *, std::optional<Location>, ValueRange operands, DictionaryAttr,
    OpaqueProperties, RegionRange, SmallVectorImpl<Type> &inferred) {
  inferred.push_back(operands[0].getType());
  return success();
}

LogicalResult SearchSmoothingFactorsOp::inferReturnTypes(
    MLIRContext *, std::optional<Location>, ValueRange operands, DictionaryAttr,
    OpaqueProperties, RegionRange, SmallVectorImpl<Type> &inferred) {
  inferred.push_back(operands[0].getType());
  return success();
}

LogicalResult SaliencyFactorsOp::inferReturnTypes(
    MLIRContext *, std::optional<Location>, ValueRange operands, DictionaryAttr,
    OpaqueProperties, RegionRange, SmallVectorImpl<Type> &inferred) {
  inferred.push_back(operands[0].getType());
  return success();
}

/// Types of codes, scales and (for `zeroPoints`) zero points of `weight`.
static void quantizedTypes(Value weight, SchemeAttr scheme, bool zeroPoints,
                           SmallVectorImpl<Type> &types) {
  auto type = cast<RankedTensorType>(weight.getType());
  int64_t n = type.getDimSize(0);
  int64_t groups = scheme.getScheme().groups(type.getDimSize(1));
  types.push_back(type.clone(scheme.getStorageType()));
  types.push_back(RankedTensorType::get({n, groups}, scheme.getScaleType()));
  if (zeroPoints)
    types.push_back(
        RankedTensorType::get({n, groups}, scheme.getZeroPointType()));
}

//===----------------------------------------------------------------------===//
// Builders
//===----------------------------------------------------------------------===//

void RoundToNearestOp::build(OpBuilder &builder, OperationState &state,
                             Value weight, SchemeAttr scheme, bool symmetric,
                             ScaleSearch scaleSearch, bool perTensor) {
  SmallVector<Type> types;
  quantizedTypes(weight, scheme, !symmetric, types);
  build(builder, state, types[0], types[1], symmetric ? Type() : types[2],
        weight, scheme, symmetric, perTensor, scaleSearch);
}

void RoundCompensatedOp::build(OpBuilder &builder, OperationState &state,
                               Value weight, Value hessian, SchemeAttr scheme,
                               bool symmetric, bool staticGroups, Order order,
                               ScaleSearch scaleSearch, double damping,
                               int64_t block, int64_t sweeps,
                               int64_t rescales) {
  SmallVector<Type> types;
  quantizedTypes(weight, scheme, !symmetric, types);
  int64_t k = cast<RankedTensorType>(weight.getType()).getDimSize(1);
  Type permutation;
  if (order == Order::Activation && !staticGroups)
    permutation = RankedTensorType::get({k}, builder.getI32Type());
  build(builder, state, types[0], types[1], symmetric ? Type() : types[2],
        permutation, weight, hessian, scheme, symmetric, staticGroups, order,
        scaleSearch, llvm::APFloat(damping), block, sweeps, rescales);
}

void QuantizeOp::build(OpBuilder &builder, OperationState &state, Value x,
                       ActivationSchemeAttr scheme) {
  auto type = cast<RankedTensorType>(x.getType());
  SmallVector<int64_t> shape(type.getShape());
  if (scheme.getGranularity() == Granularity::PerTensor)
    llvm::fill(shape, 1);
  else
    shape.back() = scheme.getGroups(shape.back());
  build(builder, state,
        TypeRange{type.clone(builder.getIntegerType(scheme.getBits())),
                  RankedTensorType::get(shape, builder.getF32Type())},
        x, /*static_scale=*/Value(), /*factors=*/Value(), scheme);
}
