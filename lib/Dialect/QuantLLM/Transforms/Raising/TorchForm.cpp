//===- TorchForm.cpp - Linear layers written in torch ops -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "UnlinkedForm.h"
#include "UnlinkedOps.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace qk::quant_llm;

static bool isNone(Value value) {
  Operation *op = value.getDefiningOp();
  return op && getUnlinkedName(op) == "torch.constant.none";
}

/// `beta * bias + alpha * (a @ b)`.
static LinearFinding findAddmm(Operation *op, UnlinkedContraction contraction) {
  contraction.bias = op->getOperand(0);
  contraction.lhs = op->getOperand(1);
  contraction.rhs = op->getOperand(2);
  LinearFinding finding = findUnlinkedLinear(contraction);
  if (!finding.match)
    return finding;
  const char *names[] = {"beta", "alpha"};
  for (unsigned i = 0; i < 2; ++i)
    if (getUniformValue(op->getOperand(3 + i)) != 1.0)
      return LinearFinding::rejected(Twine(names[i]) + " isn't the constant 1");
  return finding;
}

/// `einsum("bsk,nk->bsn", [x, w])`.
static LinearFinding findEinsum(Operation *op,
                                UnlinkedContraction contraction) {
  Operation *text = op->getOperand(0).getDefiningOp();
  Operation *list = op->getOperand(1).getDefiningOp();
  auto equation = text ? text->getAttrOfType<StringAttr>("value") : nullptr;
  if (!equation || !list || getUnlinkedName(list) != "torch.prim.ListConstruct")
    return LinearFinding::rejected("can't read its equation or operands");
  if (list->getNumOperands() != 2)
    return LinearFinding::unrelated();
  contraction.lhs = list->getOperand(0);
  contraction.rhs = list->getOperand(1);
  return findUnlinkedEinsum(equation, contraction);
}

LinearFinding qk::quant_llm::findTorchLinear(Operation *op) {
  StringRef name = getUnlinkedName(op);
  if (name == "torch.aten.convolution" || name == "torch.aten.conv1d" ||
      name == "torch.aten.conv2d")
    return rejectUnlinkedConvolution(op);
  if (!name.starts_with("torch.aten.") ||
      getUnlinkedKind(op) != UnlinkedKind::Contraction)
    return LinearFinding::unrelated();
  unsigned operands =
      name == "torch.aten.addmm"                                   ? 5
      : name == "torch.aten.linear" || name == "torch.aten.einsum" ? 3
                                                                   : 2;
  if (op->getNumOperands() != operands)
    return LinearFinding::rejected("expected " + Twine(operands) +
                                   " operands, got " +
                                   Twine(op->getNumOperands()));
  UnlinkedContraction contraction;
  contraction.op = op;
  if (name == "torch.aten.einsum")
    return findEinsum(op, contraction);
  contraction.lhs = op->getOperand(0);
  contraction.rhs = op->getOperand(1);
  if (name == "torch.aten.addmm") {
    contraction.lhsContracted = {1};
    contraction.rhsContracted = {0};
    return findAddmm(op, contraction);
  }
  RankedTensorType lhs = getTensorType(contraction.lhs);
  RankedTensorType rhs = getTensorType(contraction.rhs);
  if (!lhs || !rhs || lhs.getRank() == 0 || rhs.getRank() == 0)
    // Which of the types can't be read is said where all are.
    return findUnlinkedLinear(contraction);
  contraction.lhsContracted = {lhs.getRank() - 1};
  if (name == "torch.aten.linear") {
    if (!isNone(op->getOperand(2)))
      contraction.bias = op->getOperand(2);
    contraction.rhsContracted = {rhs.getRank() - 1};
    return findUnlinkedLinear(contraction);
  }
  setMatmulDimensions(contraction, lhs.getRank(), rhs.getRank());
  return findUnlinkedLinear(contraction);
}
