//===- VerifyModel.cpp - Constraints of parameters, layers, statistics ----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Verifiers.h"

using namespace mlir;
using namespace qk::quant_llm;
using namespace qk::quant_llm::verifiers;

LogicalResult ParameterOp::verify() {
  // (C1)
  if (failed(checkStatic(*this, "the result", getResult())))
    return failure();
  // (C2)
  if (getName().empty())
    return emitOpError("expected a parameter name, got an empty string");
  // (C3)
  if (std::optional<ElementsAttr> value = getValue())
    if (value->getShapedType() != getStorageType())
      return emitOpError() << "expected a value of type " << getStorageType()
                           << " (the storage type of " << getResult().getType()
                           << "), got " << value->getShapedType();
  // (C4)
  std::optional<PartAttr> part = getPart();
  if (!part)
    return success();
  auto type = cast<RankedTensorType>(getResult().getType());
  if (part->getNumElements() != type.getNumElements())
    return emitOpError() << "expected a part of " << type.getNumElements()
                         << " elements for " << type << ", got "
                         << part->getNumElements();
  if (getStorageType() != type)
    return emitOpError() << "expected a part of elements of whole bytes, got "
                         << type;
  if (getValue())
    return emitOpError("expected a part of a file's tensor, got a value");
  return success();
}

LogicalResult LinearOp::verify() {
  // (C1)
  if (failed(checkHasDimension(*this, "x", getX())))
    return failure();
  auto weight = tensorType(getWeight());
  // (C2)
  if (failed(checkSize(*this, "the last dimension of x", lastSize(getX()),
                       weight.getDimSize(1), "K of the weight")))
    return failure();
  // (C3)
  if (failed(checkPermutationAndBias(*this, Value(), getBias(),
                                     weight.getDimSize(0),
                                     weight.getDimSize(1))))
    return failure();
  // (C4)
  return checkStatic(*this, "the weight", getWeight());
}

LogicalResult ObserveOp::verify() {
  // (C1)
  if (failed(checkHasDimension(*this, "x", getX())))
    return failure();
  if (ShapedType::isDynamic(lastSize(getX())))
    return emitOpError() << "expected a static last dimension of x, got "
                         << getX().getType();
  // (C2)
  return checkLayer(*this, getLayer());
}

LogicalResult StatisticOp::verify() {
  auto type = tensorType(getResult());
  // (C1)
  if (failed(checkStatic(*this, "the statistic", getResult())))
    return failure();
  bool moment =
      getKind() == StatisticKind::Hessian || getKind() == StatisticKind::Cross;
  bool square = type.getRank() == 2 && type.getDimSize(0) == type.getDimSize(1);
  if (moment && !square)
    return emitOpError() << "expected a square "
                         << (getKind() == StatisticKind::Cross ? "cross moment"
                                                               : "Hessian")
                         << ", got " << type;
  if (getKind() == StatisticKind::Residual) {
    if (type.getRank() != 2)
      return emitOpError()
             << "expected a residual moment of two dimensions, got " << type;
  } else if (!moment && type.getRank() != 1)
    return emitOpError() << "expected " << stringifyStatisticKind(getKind())
                         << " to have one dimension, got " << type;
  // (C2)
  return checkLayer(*this, getLayer());
}

LogicalResult ScaleStatisticOp::verify() {
  auto type = tensorType(getStatistic());
  // (C1)
  if (getColumns() && type.getRank() != 2)
    return emitOpError()
           << "expected a statistic of two dimensions with columns, got "
           << type;
  if (!getColumns() && type.getRank() != 1 &&
      !(type.getRank() == 2 && fits(type.getDimSize(0), type.getDimSize(1))))
    return emitOpError()
           << "expected a statistic of one dimension or a square one, got "
           << type;
  // (C2)
  return checkSize(*this, "the number of factors", lastSize(getFactors()),
                   type.getShape().back(), "size of the statistic");
}
