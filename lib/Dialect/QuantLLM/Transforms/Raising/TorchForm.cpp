//===- TorchForm.cpp - Linear layers written in torch ops -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "UnlinkedForm.h"
#include "UnlinkedOps.h"
#include "UnlinkedViews.h"

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

/// `einsum("bsk,nk->bsn", [x, w])`: dimensions by letter.
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
  std::string compact = equation.getValue().str();
  llvm::erase(compact, ' ');
  auto [inputs, output] = StringRef(compact).split("->");
  auto [lhs, rhs] = inputs.split(',');
  // An ellipsis stands for dimensions of x that the output has too.
  RankedTensorType x = getTensorType(contraction.lhs);
  size_t ellipsis = x ? x.getRank() + 3 - lhs.size() : 0;
  std::string dots = std::string("0123456789").substr(0, ellipsis);
  auto expand = [&](StringRef labels) {
    auto [before, after] = labels.split("...");
    return labels.contains("...") ? (before + dots + after).str()
                                  : labels.str();
  };
  std::string a = expand(lhs), b = rhs.str(), y = expand(output);
  if (!x || y.empty() || a.size() != static_cast<size_t>(x.getRank()))
    return LinearFinding::rejected("can't read its equation \"" +
                                   equation.getValue() + "\"");
  std::string expected;
  for (auto [i, label] : llvm::enumerate(a)) {
    size_t j = b.find(label);
    bool inOutput = StringRef(y).contains(label);
    if (j == std::string::npos) {
      expected += label;
    } else if (inOutput) {
      contraction.lhsBatch.push_back(i);
      contraction.rhsBatch.push_back(j);
    } else {
      contraction.lhsContracted.push_back(i);
      contraction.rhsContracted.push_back(j);
    }
  }
  // Only in this order of the output is it a product as others write it.
  for (int64_t i : llvm::reverse(contraction.lhsBatch))
    expected.insert(expected.begin(), a[i]);
  for (char label : b)
    if (a.find(label) == std::string::npos)
      expected += label;
  if (expected == y)
    return findUnlinkedLinear(contraction);
  if (!viewOfUnlinked(contraction.lhs).isConstant &&
      !viewOfUnlinked(contraction.rhs).isConstant)
    return LinearFinding::unrelated();
  return LinearFinding::rejected("the output of \"" + equation.getValue() +
                                 "\" is transposed");
}

LinearFinding qk::quant_llm::findTorchLinear(Operation *op) {
  StringRef name = getUnlinkedName(op);
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
