//===- Routers.cpp - Layers that weigh the results of others --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Routers.h"

#include "UnlinkedOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace qk::quant_llm;

//===----------------------------------------------------------------------===//
// What ops do
//===----------------------------------------------------------------------===//

/// Whether a product of computed values ends what may be followed.
static bool isContraction(Operation *op) {
  if (isa<tosa::MatMulOp, tosa::Conv2DOp>(op) ||
      getUnlinkedKind(op) == UnlinkedKind::Contraction)
    return true;
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  return linalgOp && linalgOp.getNumDpsInputs() == 2 &&
         linalgOp.getNumReductionLoops() != 0;
}

/// Whether `op` is one of these, or computes one of them in its body.
template <typename... Ops> static bool computes(Operation *op) {
  bool found = false;
  op->walk([&](Operation *inner) { found |= isa<Ops...>(inner); });
  return found;
}

static bool isSoftmax(Operation *op) {
  return llvm::StringSwitch<bool>(getUnlinkedName(op))
      .Cases({"torch.aten.softmax.int", "torch.aten._softmax", "onnx.Softmax"},
             true)
      .Default(false);
}

static bool isExponential(Operation *op) {
  return computes<math::ExpOp, tosa::ExpOp, tosa::SigmoidOp>(op) ||
         isSoftmax(op) ||
         llvm::StringSwitch<bool>(getUnlinkedName(op))
             .Cases({"stablehlo.exponential", "stablehlo.logistic"}, true)
             .Cases({"torch.aten.exp", "torch.aten.sigmoid"}, true)
             .Cases({"onnx.Exp", "onnx.Sigmoid"}, true)
             .Default(false);
}

/// Takes an exponential back: what softplus makes is a size, no share.
static bool isLogarithm(Operation *op) {
  return computes<math::LogOp, math::Log1pOp, tosa::LogOp>(op) ||
         llvm::StringSwitch<bool>(getUnlinkedName(op))
             .Cases({"stablehlo.log", "stablehlo.log_plus_one"}, true)
             .Cases({"torch.aten.log", "torch.aten.log1p", "onnx.Log"}, true)
             .Default(false);
}

static bool isReduction(Operation *op) {
  if (isa<tosa::ReduceSumOp, tosa::ReduceMaxOp, tosa::ArgMaxOp>(op))
    return true;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return linalgOp.getNumReductionLoops() != 0;
  return llvm::StringSwitch<bool>(getUnlinkedName(op))
      .Cases({"stablehlo.reduce", "torch.aten.sum.dim_IntList",
              "torch.aten.amax", "torch.aten.max.dim", "onnx.ReduceSum",
              "onnx.ReduceMax"},
             true)
      .Default(false);
}

/// Whether what `map` reads is the same along the last dimension of `result`.
static bool repeatsLast(AffineMap map, AffineMap result) {
  if (result.getNumResults() == 0)
    return false;
  auto last =
      dyn_cast<AffineDimExpr>(result.getResult(result.getNumResults() - 1));
  return last && !map.isFunctionOfDim(last.getPosition());
}

/// Whether all elements of a row of `value` are the same one of what its op
/// repeats.
static bool isRepeatedAlongRows(Value value) {
  Operation *op = value.getDefiningOp();
  RankedTensorType type = getTensorType(value);
  if (!op || !type || type.getRank() == 0)
    return false;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    SmallVector<AffineMap> maps = linalgOp.getIndexingMapsArray();
    return linalgOp.getNumDpsInputs() == 1 &&
           linalgOp.getNumReductionLoops() == 0 &&
           repeatsLast(maps.front(), maps.back());
  }
  if (op->getNumOperands() == 0)
    return false;
  RankedTensorType from = getTensorType(op->getOperand(0));
  if (!from || from.getRank() == 0 || type.getShape().back() == 1)
    return false;
  if (isa<tosa::TileOp>(op))
    return from.getShape().back() == 1;
  if (getUnlinkedKind(op) != UnlinkedKind::Broadcast)
    return false;
  if (Attribute given = getUnlinkedAttr(op, "broadcast_dimensions")) {
    std::optional<SmallVector<int64_t>> dims = getIntegers(given);
    return dims && !dims->empty() &&
           (dims->back() != type.getRank() - 1 || from.getShape().back() == 1);
  }
  return from.getShape().back() == 1;
}

/// The other operand of `op`, an elementwise product as TOSA, torch and ONNX
/// broadcast its operands, where `value` has one element for each row of it.
static Value rowsMultipliedBy(Operation *op, Value value) {
  bool isProduct = isa<arith::MulFOp, linalg::MulOp, tosa::MulOp>(op) ||
                   getUnlinkedKind(op) == UnlinkedKind::Multiply;
  if (!isProduct || op->getNumOperands() < 2)
    return {};
  unsigned own = op->getOperand(0) == value ? 0 : 1;
  RankedTensorType type = getTensorType(value);
  RankedTensorType result = getTensorType(op->getResult(0));
  if (op->getOperand(own) != value || !type || !result || type.getRank() == 0 ||
      result.getRank() == 0)
    return {};
  bool repeats = type.getShape().back() == 1 && result.getShape().back() != 1;
  return repeats || isRepeatedAlongRows(value) ? op->getOperand(1 - own)
                                               : Value();
}

/// The other operand of `op` where it multiplies whole rows (all elements of
/// the last dimension alike) of that by `value`, or adds rows up with `value`
/// as weights.
static Value rowsWeighedBy(Operation *op, Value value) {
  if (Value rows = rowsMultipliedBy(op, value))
    return rows;
  if (auto product = dyn_cast<tosa::MatMulOp>(op))
    return product.getA() == value ? product.getB() : Value();
  if (getUnlinkedKind(op) == UnlinkedKind::Contraction)
    return op->getNumOperands() >= 2 && op->getOperand(0) == value
               ? op->getOperand(1)
               : Value();
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumDpsInputs() != 2 || op->getNumResults() != 1)
    return {};
  unsigned own = op->getOperand(0) == value ? 0 : 1;
  if (op->getOperand(own) != value || !computes<arith::MulFOp>(op))
    return {};
  SmallVector<AffineMap> maps = linalgOp.getIndexingMapsArray();
  return repeatsLast(maps[own], maps.back()) &&
                 !repeatsLast(maps[1 - own], maps.back())
             ? op->getOperand(1 - own)
             : Value();
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

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

llvm::SetVector<Value> RowWeights::valuesOf(
    Value result, SmallVectorImpl<std::pair<Operation *, Value>> &uses) const {
  llvm::SetVector<Value> reached;
  reached.insert(result);
  for (unsigned next = 0; next < reached.size() && next < 4096; ++next)
    for (Operation *user : reached[next].getUsers()) {
      Value value = reached[next];
      user = value.getParentBlock()->findAncestorOpInBlock(*user);
      if (!user)
        continue;
      uses.push_back({user, value});
      if (!contractions.contains(user) && !isContraction(user))
        reached.insert_range(user->getResults());
    }
  return reached;
}

llvm::DenseMap<Value, RowWeights::Share>
RowWeights::sharesOf(Value result,
                     const llvm::SetVector<Value> &reached) const {
  llvm::DenseSet<Value> scores(reached.begin(), reached.end());
  llvm::DenseMap<Value, bool> isOfOthers;
  auto mixes = [&](Value operand) {
    if (scores.contains(operand))
      return false;
    if (reached.contains(operand))
      return true;
    auto [known, isNew] = isOfOthers.try_emplace(operand);
    if (isNew)
      known->second = dependsOnLayer(operand, {});
    return known->second;
  };
  // Both until nothing changes: an operand may be reached after its user.
  for (bool changed = true; changed;) {
    changed = false;
    for (Value value : reached)
      if (value != result && scores.contains(value) &&
          llvm::any_of(value.getDefiningOp()->getOperands(), mixes))
        changed |= scores.erase(value);
  }
  llvm::DenseMap<Value, Share> shares;
  for (bool changed = true; changed;) {
    changed = false;
    for (Value value : reached) {
      if (value == result || !scores.contains(value))
        continue;
      Operation *op = value.getDefiningOp();
      Share share = isSoftmax(op)       ? Share::OfAll
                    : isExponential(op) ? Share::Single
                                        : Share::None;
      for (Value operand : op->getOperands())
        share = std::max(share, shares.lookup(operand));
      if (share == Share::Single && isReduction(op))
        share = Share::OfAll;
      if (isLogarithm(op))
        share = Share::None;
      changed |= std::exchange(shares[value], share) != share;
    }
  }
  return shares;
}

bool RowWeights::areOf(unsigned index, int64_t n) const {
  Value result = layers[index].match->result;
  SmallVector<std::pair<Operation *, Value>> uses;
  llvm::SetVector<Value> reached = valuesOf(result, uses);
  if (llvm::none_of(reached, [&](Value value) {
        return value != result && isExponential(value.getDefiningOp());
      }))
    return false;
  llvm::DenseMap<Value, Share> shares = sharesOf(result, reached);
  Share least = n == 1 ? Share::Single : Share::OfAll;
  for (auto [user, value] : uses) {
    if (shares.lookup(value) < least || contractions.contains(user))
      continue;
    // Its own result doesn't count: a softmax is divided by its own sum.
    Value rows = rowsWeighedBy(user, value);
    if (rows && !reached.contains(rows) && dependsOnLayer(rows, reached))
      return true;
  }
  return false;
}
