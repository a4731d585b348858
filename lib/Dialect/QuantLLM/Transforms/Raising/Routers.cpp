//===- Routers.cpp - Layers that weigh the results of others --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Routers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace qk::quant_llm;

/// Whether a product of computed values ends what may be followed.
static bool isContraction(Operation *op) {
  if (isa<tosa::MatMulOp, tosa::Conv2DOp>(op))
    return true;
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  return linalgOp && linalgOp.getNumDpsInputs() == 2 &&
         linalgOp.getNumReductionLoops() != 0;
}

static bool hasExponential(Operation *op) {
  bool found = isa<tosa::ExpOp, tosa::SigmoidOp, math::ExpOp>(op);
  op->walk([&](math::ExpOp) { found = true; });
  return found;
}

/// The other operand of `op` where it multiplies whole rows (all elements of
/// the last dimension alike) of that by `value`, or adds rows up with `value`
/// as weights.
static Value rowsWeighedBy(Operation *op, Value value) {
  if (auto product = dyn_cast<tosa::MulOp>(op)) {
    Value other = product.getOperand(product.getOperand(0) == value ? 1 : 0);
    auto own = dyn_cast<RankedTensorType>(value.getType());
    auto result = dyn_cast<RankedTensorType>(product.getType());
    return own && result && own.getRank() == result.getRank() &&
                   own.getRank() > 0 && own.getShape().back() == 1 &&
                   result.getShape().back() != 1
               ? other
               : Value();
  }
  if (auto product = dyn_cast<tosa::MatMulOp>(op))
    return product.getA() == value ? product.getB() : Value();
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumDpsInputs() != 2 || op->getNumResults() != 1)
    return {};
  unsigned own = op->getOperand(0) == value ? 0 : 1;
  if (op->getOperand(own) != value)
    return {};
  bool multiplies = false;
  for (Operation &inner : linalgOp.getBlock()->without_terminator())
    multiplies |= isa<arith::MulFOp>(inner);
  SmallVector<AffineMap> maps = linalgOp.getIndexingMapsArray();
  AffineMap result = maps.back();
  if (!multiplies || result.getNumResults() == 0)
    return {};
  auto last =
      dyn_cast<AffineDimExpr>(result.getResult(result.getNumResults() - 1));
  bool perRow = last && !maps[own].isFunctionOfDim(last.getPosition()) &&
                maps[1 - own].isFunctionOfDim(last.getPosition());
  return perRow ? op->getOperand(1 - own) : Value();
}

RowWeights::RowWeights(ArrayRef<NamedMatch> layers) : layers(layers) {
  for (const NamedMatch &layer : layers) {
    results.insert(layer.match->result);
    contractions.insert(layer.match->contraction);
  }
}

bool RowWeights::dependsOnLayer(Value value,
                                const llvm::SetVector<Value> &without) const {
  llvm::SetVector<Value> values;
  values.insert(value);
  bool found = false;
  for (unsigned next = 0; next < values.size() && next < 4096; ++next) {
    if (without.contains(values[next]))
      return false;
    if (results.contains(values[next])) {
      found = true;
      continue;
    }
    Operation *op = values[next].getDefiningOp();
    if (!op)
      continue;
    values.insert_range(op->getOperands());
    // StableHLO's concatenations read their parts inside the body.
    getUsedValuesDefinedAbove(op->getRegions(), values);
  }
  return found;
}

bool RowWeights::areOf(unsigned index) const {
  llvm::SetVector<Value> reached;
  reached.insert(layers[index].match->result);
  bool exponential = false;
  SmallVector<std::pair<Operation *, Value>> uses;
  for (unsigned next = 0; next < reached.size() && next < 4096; ++next)
    for (Operation *user : reached[next].getUsers()) {
      Value value = reached[next];
      user = value.getParentBlock()->findAncestorOpInBlock(*user);
      if (!user)
        continue;
      uses.push_back({user, reached[next]});
      if (contractions.contains(user) || isContraction(user))
        continue;
      exponential |= hasExponential(user);
      for (Value result : user->getResults())
        reached.insert(result);
    }
  if (!exponential)
    return false;
  for (auto [user, value] : uses) {
    // Its own result doesn't count: a softmax is divided by its own sum.
    if (value == layers[index].match->result || contractions.contains(user))
      continue;
    Value rows = rowsWeighedBy(user, value);
    if (rows && !reached.contains(rows) && dependsOnLayer(rows, reached))
      return true;
  }
  return false;
}
