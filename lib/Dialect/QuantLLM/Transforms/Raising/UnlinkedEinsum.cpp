//===- UnlinkedEinsum.cpp - Products as einsum writes them ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "UnlinkedForm.h"
#include "UnlinkedOps.h"
#include "UnlinkedViews.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace qk::quant_llm;

LinearFinding
qk::quant_llm::findUnlinkedEinsum(StringRef equation,
                                  UnlinkedContraction contraction) {
  std::string compact = equation.str();
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
    return LinearFinding::rejected("can't read its equation \"" + equation +
                                   "\"");
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
  // What a product gives as others write it: batches, x's rest, the weight's.
  for (int64_t i : llvm::reverse(contraction.lhsBatch))
    expected.insert(expected.begin(), a[i]);
  for (char label : b)
    if (a.find(label) == std::string::npos)
      expected += label;
  std::string sorted[] = {expected, y};
  for (std::string &labels : sorted)
    llvm::sort(labels);
  if (sorted[0] != sorted[1]) {
    // It sums along a dimension, or takes a diagonal.
    if (!viewOfUnlinked(contraction.lhs).isConstant &&
        !viewOfUnlinked(contraction.rhs).isConstant)
      return LinearFinding::unrelated();
    return LinearFinding::rejected("the output of \"" + equation +
                                   "\" isn't that of a product");
  }
  if (expected != y)
    for (char label : y)
      contraction.resultOrder.push_back(int64_t(expected.find(label)));
  return findUnlinkedLinear(contraction);
}
