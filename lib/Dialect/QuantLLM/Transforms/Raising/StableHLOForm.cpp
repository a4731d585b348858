//===- StableHLOForm.cpp - Linear layers written in StableHLO -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// `stablehlo.dot_general` with any dimension numbers, and `stablehlo.dot`.
/// Precision and algorithm say how to round, which a quantised layer decides
/// anew.
///
//===----------------------------------------------------------------------===//

#include "UnlinkedForm.h"
#include "UnlinkedOps.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace qk::quant_llm;

/// Takes `[1, 2]` off the front of `text`.
static std::optional<SmallVector<int64_t>> takeList(StringRef &text) {
  SmallVector<int64_t> list;
  if (!text.consume_front("["))
    return std::nullopt;
  while (!text.consume_front("]")) {
    uint64_t number;
    if (!list.empty() && !text.consume_front(", "))
      return std::nullopt;
    if (text.consumeInteger(10, number))
      return std::nullopt;
    list.push_back(number);
  }
  return list;
}

/// Reads `#stablehlo.dot<lhs_batching_dimensions = [0], …>`, where lists that
/// are empty are left out.
static bool readDimensions(Attribute attribute,
                           UnlinkedContraction &contraction) {
  auto opaque = dyn_cast_or_null<OpaqueAttr>(attribute);
  if (!opaque || opaque.getDialectNamespace() != "stablehlo")
    return false;
  StringRef text = opaque.getAttrData();
  if (!text.consume_front("dot<") || !text.consume_back(">"))
    return false;
  std::pair<StringRef, SmallVector<int64_t> *> lists[] = {
      {"lhs_batching_dimensions = ", &contraction.lhsBatch},
      {"rhs_batching_dimensions = ", &contraction.rhsBatch},
      {"lhs_contracting_dimensions = ", &contraction.lhsContracted},
      {"rhs_contracting_dimensions = ", &contraction.rhsContracted}};
  bool isFirst = true;
  for (auto [name, list] : lists) {
    StringRef rest = text;
    if (!isFirst && !rest.consume_front(", "))
      continue;
    if (!rest.consume_front(name))
      continue;
    std::optional<SmallVector<int64_t>> read = takeList(rest);
    if (!read)
      return false;
    *list = *read;
    text = rest;
    isFirst = false;
  }
  return text.empty() &&
         contraction.lhsBatch.size() == contraction.rhsBatch.size() &&
         contraction.lhsContracted.size() == contraction.rhsContracted.size();
}

bool qk::quant_llm::readDotDimensions(Operation *op,
                                      UnlinkedContraction &contraction) {
  contraction.op = op;
  contraction.lhs = op->getOperand(0);
  contraction.rhs = op->getOperand(1);
  if (getUnlinkedName(op) != "stablehlo.dot")
    return readDimensions(op->getAttr("dot_dimension_numbers"), contraction);
  RankedTensorType lhs = getTensorType(contraction.lhs);
  contraction.lhsContracted = {lhs ? lhs.getRank() - 1 : 0};
  contraction.rhsContracted = {0};
  return true;
}

LinearFinding qk::quant_llm::findStableHLOLinear(Operation *op) {
  StringRef name = getUnlinkedName(op);
  if (name == "stablehlo.convolution")
    return rejectUnlinkedConvolution(op);
  if (name != "stablehlo.dot_general" && name != "stablehlo.dot")
    return LinearFinding::unrelated();
  if (op->getNumOperands() != 2)
    return LinearFinding::rejected("expected two operands, got " +
                                   Twine(op->getNumOperands()));
  UnlinkedContraction contraction;
  if (!readDotDimensions(op, contraction)) {
    std::string text;
    llvm::raw_string_ostream(text) << op->getAttr("dot_dimension_numbers");
    return LinearFinding::rejected("can't read its dimension numbers, " + text);
  }
  return findUnlinkedLinear(contraction);
}
