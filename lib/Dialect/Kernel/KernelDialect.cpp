//===- KernelDialect.cpp - The kernel dialect -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/Kernel/Kernel.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace qk::kernel;

#include "qk/Dialect/Kernel/KernelDialect.cpp.inc"

void QKKernelDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "qk/Dialect/Kernel/KernelOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// UnpackOp
//===----------------------------------------------------------------------===//

int64_t UnpackOp::planesOf(int64_t bits) {
  return bits == 3 ? 3 : (bits == 2 || bits == 4 || bits == 8);
}

int64_t UnpackOp::fieldsOf(int64_t bits) {
  switch (bits) {
  case 2:
    return 4;
  case 3:
    return 8;
  case 4:
    return 2;
  case 8:
    return 1;
  default:
    return 0;
  }
}

void UnpackOp::build(OpBuilder &builder, OperationState &state, int64_t bits,
                     ValueRange planes, bool inPlace) {
  SmallVector<Type> types(fieldsOf(bits), planes.front().getType());
  build(builder, state, types, builder.getI64IntegerAttr(bits), planes,
        inPlace ? builder.getUnitAttr() : UnitAttr());
}

// unpack `in_place`? bits planes attr-dict `:` type `->` count
ParseResult UnpackOp::parse(OpAsmParser &parser, OperationState &result) {
  int64_t bits, count;
  SmallVector<OpAsmParser::UnresolvedOperand> planes;
  VectorType type;
  SMLoc countLocation;
  Builder &builder = parser.getBuilder();
  auto &properties = result.getOrAddProperties<Properties>();
  if (succeeded(parser.parseOptionalKeyword("in_place")))
    properties.in_place = builder.getUnitAttr();
  if (parser.parseInteger(bits) || parser.parseOperandList(planes) ||
      parser.parseOptionalAttrDict(result.attributes) ||
      parser.parseColonType(type) || parser.parseArrow() ||
      parser.getCurrentLocation(&countLocation) || parser.parseInteger(count) ||
      parser.resolveOperands(planes, type, result.operands))
    return failure();
  if (count < 0 || count > 64)
    return parser.emitError(countLocation, "expected at most 64 fields, got ")
           << count;
  properties.bits = builder.getI64IntegerAttr(bits);
  result.addTypes(SmallVector<Type>(count, type));
  return success();
}

void UnpackOp::print(OpAsmPrinter &printer) {
  if (getInPlace())
    printer << " in_place";
  printer << ' ' << getBits() << ' ' << getPlanes();
  printer.printOptionalAttrDict((*this)->getAttrs(), {"bits", "in_place"});
  printer << " : "
          << (getPlanes().empty() ? Type(NoneType::get(getContext()))
                                  : getPlanes().front().getType())
          << " -> " << getFields().size();
}

LogicalResult UnpackOp::verify() {
  int64_t bits = getBits();
  // unpack_c1
  if (planesOf(bits) == 0)
    return emitOpError("expected 2, 3, 4 or 8 bits, got ") << bits;
  // unpack_c2
  if (static_cast<int64_t>(getPlanes().size()) != planesOf(bits))
    return emitOpError("expected ") << planesOf(bits) << " planes for " << bits
                                    << " bits, got " << getPlanes().size();
  // unpack_c3
  if (static_cast<int64_t>(getFields().size()) != fieldsOf(bits))
    return emitOpError("expected ") << fieldsOf(bits) << " fields for " << bits
                                    << " bits, got " << getFields().size();
  for (Value field : getFields())
    if (field.getType() != getPlanes().front().getType())
      return emitOpError("expected fields of type ")
             << getPlanes().front().getType() << ", got " << field.getType();
  // unpack_c4
  if (getInPlace() && bits != 2 && bits != 4)
    return emitOpError("in_place needs 2 or 4 bits, got ") << bits;
  return success();
}

//===----------------------------------------------------------------------===//
// DotOp
//===----------------------------------------------------------------------===//

LogicalResult DotOp::verify() {
  // dot_c1
  int64_t lanes = cast<VectorType>(getAcc().getType()).getNumElements();
  int64_t bytes = cast<VectorType>(getLhs().getType()).getNumElements();
  if (bytes != 4 * lanes)
    return emitOpError("expected ")
           << 4 * lanes << " bytes for " << lanes << " lanes, got " << bytes;
  return success();
}

//===----------------------------------------------------------------------===//
// DotBlocksOp
//===----------------------------------------------------------------------===//

LogicalResult DotBlocksOp::verify() {
  // dot_blocks_c1
  int64_t lanes = cast<VectorType>(getAcc().getType()).getNumElements();
  int64_t bytes = cast<VectorType>(getLhs().getType()).getNumElements();
  if (lanes % 4 != 0)
    return emitOpError("expected blocks of 4 lanes, got ") << lanes << " lanes";
  if (bytes != 4 * lanes)
    return emitOpError("expected ")
           << 4 * lanes << " bytes for " << lanes << " lanes, got " << bytes;
  return success();
}

//===----------------------------------------------------------------------===//
// DotWideOp
//===----------------------------------------------------------------------===//

LogicalResult DotWideOp::verify() {
  int64_t lanes = cast<VectorType>(getAcc().getType()).getNumElements();
  // dot_wide_c1
  int64_t bytes = cast<VectorType>(getCodes().getType()).getNumElements();
  if (bytes != 4 * lanes)
    return emitOpError("expected ")
           << 4 * lanes << " bytes for " << lanes << " lanes, got " << bytes;
  // dot_wide_c2
  int64_t even = cast<VectorType>(getEven().getType()).getNumElements();
  if (even != 2 * lanes)
    return emitOpError("expected ") << 2 * lanes << " even elements for "
                                    << lanes << " lanes, got " << even;
  return success();
}

//===----------------------------------------------------------------------===//
// DotPairsOp, AddPairsOp
//===----------------------------------------------------------------------===//

LogicalResult DotPairsOp::verify() {
  // dot_pairs_c1
  int64_t lanes = cast<VectorType>(getAcc().getType()).getNumElements();
  int64_t bytes = cast<VectorType>(getLhs().getType()).getNumElements();
  if (bytes != 2 * lanes)
    return emitOpError("expected ")
           << 2 * lanes << " bytes for " << lanes << " lanes, got " << bytes;
  return success();
}

LogicalResult AddPairsOp::verify() {
  // add_pairs_c1
  int64_t lanes = cast<VectorType>(getAcc().getType()).getNumElements();
  int64_t pairs = cast<VectorType>(getPairs().getType()).getNumElements();
  if (pairs != 2 * lanes)
    return emitOpError("expected ") << 2 * lanes << " lanes of pairs for "
                                    << lanes << " lanes, got " << pairs;
  return success();
}

#define GET_OP_CLASSES
#include "qk/Dialect/Kernel/KernelOps.cpp.inc"
