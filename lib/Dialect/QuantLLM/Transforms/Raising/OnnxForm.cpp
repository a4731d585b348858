//===- OnnxForm.cpp - Linear layers written in ONNX ops -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// `onnx.MatMul` and `onnx.Gemm` as torch-mlir's importer writes them
/// (`torch.operator`) and as onnx-mlir does.
///
//===----------------------------------------------------------------------===//

#include "UnlinkedForm.h"
#include "UnlinkedOps.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace qk::quant_llm;

static bool isAbsent(Value value) {
  if (isa<NoneType>(value.getType()))
    return true;
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  StringRef name = getUnlinkedName(op);
  return name == "torch.constant.none" || name == "onnx.NoValue" ||
         name == "onnx.None";
}

static int64_t getInteger(Operation *op, StringRef name) {
  auto attr = dyn_cast_or_null<IntegerAttr>(getUnlinkedAttr(op, name));
  return attr ? attr.getValue().getSExtValue() : 0;
}

/// Whether a factor is 1, which is also what an absent one is.
static bool isOne(Operation *op, StringRef name) {
  Attribute attr = getUnlinkedAttr(op, name);
  auto number = dyn_cast_or_null<FloatAttr>(attr);
  return !attr || (number && number.getValueAsDouble() == 1.0);
}

static LinearFinding findGemm(Operation *op, UnlinkedContraction contraction) {
  bool transA = getInteger(op, "transA"), transB = getInteger(op, "transB");
  contraction.lhsContracted = {transA ? 0 : 1};
  contraction.rhsContracted = {transB ? 1 : 0};
  if (op->getNumOperands() == 3 && !isAbsent(op->getOperand(2)))
    contraction.bias = op->getOperand(2);
  LinearFinding finding = findUnlinkedLinear(contraction);
  if (!finding.match)
    return finding;
  if (!isOne(op, "alpha") || (contraction.bias && !isOne(op, "beta")))
    return LinearFinding::rejected(
        (isOne(op, "alpha") ? Twine("beta") : Twine("alpha")) + " isn't 1");
  return finding;
}

LinearFinding qk::quant_llm::findOnnxLinear(Operation *op) {
  StringRef name = getUnlinkedName(op);
  if (name == "onnx.Conv")
    return rejectUnlinkedConvolution(op);
  if (name == "onnx.Einsum") {
    auto equation =
        dyn_cast_or_null<StringAttr>(getUnlinkedAttr(op, "equation"));
    if (!equation || op->getNumOperands() != 2)
      return LinearFinding::unrelated();
    UnlinkedContraction contraction;
    contraction.op = op;
    contraction.lhs = op->getOperand(0);
    contraction.rhs = op->getOperand(1);
    return findUnlinkedEinsum(equation, contraction);
  }
  if (name != "onnx.MatMul" && name != "onnx.Gemm")
    return LinearFinding::unrelated();
  unsigned operands = op->getNumOperands();
  if (operands != 2 && !(name == "onnx.Gemm" && operands == 3))
    return LinearFinding::rejected("expected two operands, got " +
                                   Twine(operands));
  UnlinkedContraction contraction;
  contraction.op = op;
  contraction.lhs = op->getOperand(0);
  contraction.rhs = op->getOperand(1);
  if (name == "onnx.Gemm")
    return findGemm(op, contraction);
  RankedTensorType lhs = getTensorType(contraction.lhs);
  RankedTensorType rhs = getTensorType(contraction.rhs);
  if (lhs && rhs && lhs.getRank() && rhs.getRank())
    setMatmulDimensions(contraction, lhs.getRank(), rhs.getRank());
  return findUnlinkedLinear(contraction);
}
