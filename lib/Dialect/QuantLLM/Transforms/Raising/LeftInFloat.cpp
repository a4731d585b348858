//===- LeftInFloat.cpp - Layers that are not worth a method ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LeftInFloat.h"

#include "Constants.h"
#include "LookThrough.h"
#include "Routers.h"
#include "UnlinkedOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Shape/IR/Shape.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace qk::quant_llm;

static constexpr StringLiteral kRouter = "router";
static constexpr StringLiteral kAdapter = "low-rank adapter";

/// No mixture has more experts; a vocabulary has.
static constexpr int64_t kMaxExperts = 512;

/// Output and input channels.
static std::pair<int64_t, int64_t> getSizes(const LinearMatch &match) {
  if (match.n)
    return {match.n, match.k};
  ArrayRef<int64_t> shape = getConstant(match.weight)->type.getShape();
  return match.transposed ? std::pair(shape[1], shape[0])
                          : std::pair(shape[0], shape[1]);
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

/// What checkpoints call such layers.
static StringRef findByName(StringRef layer, int64_t n, int64_t k) {
  SmallVector<StringRef> parts;
  layer.split(parts, '.');
  for (StringRef part : parts) {
    std::string lower = part.lower();
    StringRef name = lower;
    if (name == "lora_a" || name == "lora_b" || name == "lora_down" ||
        name == "lora_up")
      return kAdapter;
    if (name == "router")
      return kRouter;
  }
  // A gated unit's gate may be called `gate` too; that one widens.
  if ((parts.back() == "gate" || parts.back() == "shared_expert_gate") &&
      n < k && n <= kMaxExperts)
    return kRouter;
  return {};
}

static bool isFloatTensor(Value value) {
  RankedTensorType type = getTensorType(value);
  return type && isa<FloatType>(type.getElementType());
}

/// The operands of `op` that are computed float tensors; what it writes into
/// and scalars are none.
static SmallVector<Value> getTensorInputs(Operation *op) {
  SmallVector<Value> inputs;
  auto add = [&](Value value) {
    if (!isFloatTensor(value) || isConstant(value) || getUniformValue(value))
      return;
    if (value.getDefiningOp<linalg::FillOp>() || viewOfConstant(value))
      return;
    if (!llvm::is_contained(inputs, value))
      inputs.push_back(value);
  };
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    llvm::for_each(linalgOp.getDpsInputs(), add);
  else
    llvm::for_each(op->getOperands(), add);
  return inputs;
}

//===----------------------------------------------------------------------===//
// Routers
//===----------------------------------------------------------------------===//

static bool isSort(Operation *op) {
  StringRef name = getUnlinkedName(op);
  if (name == "stablehlo.custom_call") {
    auto target = op->getAttrOfType<StringAttr>("call_target_name");
    return target &&
           (target.getValue() == "mhlo.topk" || target.getValue() == "TopK");
  }
  return llvm::StringSwitch<bool>(name)
      .Cases({"torch.aten.topk", "torch.aten.sort", "torch.aten.argsort"}, true)
      .Cases({"tm_tensor.topk", "tm_tensor.sort", "stablehlo.sort",
              "chlo.top_k", "onnx.TopK"},
             true)
      .Default(false);
}

static bool isProduct(Operation *op) {
  if (getUnlinkedKind(op) == UnlinkedKind::Contraction)
    return true;
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  return isa<tosa::MatMulOp, tosa::Conv2DOp>(op) ||
         (linalgOp && linalg::isaContractionOpInterface(linalgOp) &&
          linalgOp.getNumReductionLoops() > 0);
}

/// The integer result of `op`, where that is the place of a row's largest
/// element: a reduction that keeps both, or an op that is called so.
static Value getArgMax(Operation *op) {
  auto isInteger = [](Value value) {
    RankedTensorType type = getTensorType(value);
    return type && type.getElementType().isIntOrIndex();
  };
  StringRef name = getUnlinkedName(op);
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  bool reduces = name == "stablehlo.reduce" || name == "torch.aten.max.dim" ||
                 (linalgOp && linalgOp.getNumReductionLoops() > 0);
  if (isa<tosa::ArgMaxOp>(op) || name == "torch.aten.argmax" ||
      name == "onnx.ArgMax")
    return op->getNumResults() == 1 ? op->getResult(0) : Value();
  if (!reduces || op->getNumResults() != 2 ||
      isInteger(op->getResult(0)) == isInteger(op->getResult(1)))
    return {};
  return op->getResult(isInteger(op->getResult(0)) ? 0 : 1);
}

/// Whether the numbers `places` choose among tensors: rows are looked up by
/// them, or what is made of them meets another float tensor. Those that the
/// model just returns, a classifier's, don't.
static bool choose(Value places) {
  constexpr size_t maxValues = 64;
  llvm::SetVector<Value> values;
  values.insert(places);
  for (size_t i = 0; i < values.size() && i < maxValues; ++i)
    for (Operation *user : values[i].getUsers()) {
      StringRef name = getUnlinkedName(user);
      bool looksUp =
          isa<tensor::ExtractOp, tensor::GatherOp, tosa::GatherOp>(user) ||
          name.contains_insensitive("gather") || name.contains("index") ||
          name.contains("dynamic_slice");
      if (looksUp || llvm::any_of(getTensorInputs(user), [&](Value input) {
            return !values.contains(input);
          }))
        return true;
      if (user->hasTrait<OpTrait::IsTerminator>())
        continue;
      for (Value next : user->getResults())
        values.insert(next);
    }
  return false;
}

/// Whether the scores `result` are sorted, or the largest chooses, before
/// anything is made of them by another product.
static bool areSorted(Value result) {
  constexpr size_t maxValues = 128;
  llvm::SetVector<Value> values;
  values.insert(result);
  for (size_t i = 0; i < values.size() && i < maxValues; ++i)
    for (Operation *user : values[i].getUsers()) {
      if (isSort(user))
        return true;
      if (Value places = getArgMax(user); places && choose(places))
        return true;
      if (isProduct(user))
        continue;
      if (user->hasTrait<OpTrait::IsTerminator>())
        user = user->getParentOp();
      for (Value next : user->getResults())
        values.insert(next);
    }
  return false;
}

//===----------------------------------------------------------------------===//
// Adapters
//===----------------------------------------------------------------------===//

/// Whether `op`, of one computed input, makes another function of it than a
/// multiple: an activation.
static bool isActivation(Operation *op) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return llvm::any_of(linalgOp.getBlock()->without_terminator(),
                        [](Operation &nested) {
                          return !isa<arith::ExtFOp, arith::TruncFOp,
                                      arith::MulFOp, arith::DivFOp>(nested);
                        });
  if (isa<tosa::TanhOp, tosa::SigmoidOp, tosa::ClampOp, tosa::ErfOp,
          tosa::ExpOp>(op))
    return true;
  if (op->isRegistered())
    return op->hasTrait<OpTrait::Elementwise>() &&
           !isa<arith::ExtFOp, arith::TruncFOp, arith::MulFOp, arith::DivFOp>(
               op);
  StringRef name = getUnlinkedName(op);
  std::string last = name.substr(name.rfind('.') + 1).lower();
  return llvm::is_contained({"relu", "gelu", "silu", "tanh", "sigmoid",
                             "logistic", "exponential", "exp", "erf", "elu",
                             "leaky_relu", "leakyrelu", "hardtanh", "hardswish",
                             "softplus", "mish"},
                            StringRef(last));
}

/// The value that `value` is but for its layout, type and a factor: behind ops
/// of one computed input.
static Value getSource(Value value) {
  for (int depth = 0; depth < 16; ++depth) {
    Operation *op = value.getDefiningOp();
    if (!op || isProduct(op) || isActivation(op))
      break;
    if (auto assuming = dyn_cast<shape::AssumingOp>(op)) {
      Operation *yield = assuming.getDoRegion().front().getTerminator();
      value = yield->getOperand(cast<OpResult>(value).getResultNumber());
      continue;
    }
    SmallVector<Value> inputs = getTensorInputs(op);
    if (op->getNumResults() != 1 || op->getNumRegions() > 1 ||
        inputs.size() != 1)
      break;
    value = inputs.front();
  }
  return value;
}

/// The operands of an elementwise sum of two computed tensors.
static std::optional<std::pair<Value, Value>> getAddends(Operation *op) {
  bool adds = isa<arith::AddFOp, linalg::AddOp, tosa::AddOp>(op) ||
              getUnlinkedKind(op) == UnlinkedKind::Add;
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    adds = generic.getNumReductionLoops() == 0 &&
           llvm::any_of(generic.getRegion().front(), [](Operation &nested) {
             return isa<arith::AddFOp>(nested);
           });
  SmallVector<Value> inputs = getTensorInputs(op);
  if (!adds || inputs.size() != 2)
    return std::nullopt;
  return std::pair(inputs[0], inputs[1]);
}

/// Marks both layers of each adapter.
static void findAdapters(ArrayRef<NamedMatch> layers,
                         SmallVectorImpl<StringRef> &kinds) {
  llvm::DenseMap<Value, size_t> byResult;
  for (auto [i, layer] : llvm::enumerate(layers))
    byResult[layer.match->result] = i;
  // A layer's result may be reshaped, or narrowed where its match ends before.
  auto getLayer = [&](Value value) -> std::optional<size_t> {
    for (int depth = 0; depth < 16; ++depth) {
      auto found = byResult.find(value);
      if (found != byResult.end())
        return found->second;
      Operation *op = value.getDefiningOp();
      if (!op || isActivation(op))
        return std::nullopt;
      Value source = getSource(value);
      if (!source || source == value)
        return std::nullopt;
      // One step at a time: the result of a layer is behind one of them.
      SmallVector<Value> inputs = getTensorInputs(op);
      value = inputs.size() == 1 ? inputs.front() : source;
    }
    return std::nullopt;
  };
  llvm::SetVector<Operation *> sums;
  if (!layers.empty())
    for (const NamedMatch &layer : layers) {
      // Where the result of an upper layer goes.
      llvm::SetVector<Value> values;
      values.insert(layer.match->result);
      for (size_t i = 0; i < values.size() && i < 16; ++i)
        for (Operation *user : values[i].getUsers()) {
          if (getAddends(user))
            sums.insert(user);
          else if (!isProduct(user) && !isActivation(user) &&
                   user->getNumResults() == 1)
            values.insert(user->getResult(0));
        }
    }
  for (Operation *sum : sums) {
    auto [a, b] = *getAddends(sum);
    std::optional<size_t> first = getLayer(a), second = getLayer(b);
    if (!first || !second)
      continue;
    for (auto [base, up] :
         {std::pair(*first, *second), std::pair(*second, *first)}) {
      std::optional<size_t> down = getLayer(layers[up].match->x);
      if (!down || down == up || layers[up].match->bias ||
          layers[*down].match->bias)
        continue;
      auto [n, rank] = getSizes(*layers[up].match);
      auto [downN, k] = getSizes(*layers[*down].match);
      if (downN != rank || rank >= n || rank >= k ||
          getSource(layers[*down].match->x) != getSource(layers[base].match->x))
        continue;
      kinds[*down] = kinds[up] = kAdapter;
    }
  }
}

SmallVector<StringRef>
qk::quant_llm::findLeftInFloat(ArrayRef<NamedMatch> layers) {
  SmallVector<StringRef> kinds;
  RowWeights weights(layers);
  for (auto [index, layer] : llvm::enumerate(layers)) {
    auto [n, k] = getSizes(*layer.match);
    StringRef kind = findByName(layer.layer, n, k);
    if (kind.empty() && n <= kMaxExperts &&
        (areSorted(layer.match->result) || weights.areOf(index, n)))
      kind = kRouter;
    kinds.push_back(kind);
  }
  findAdapters(layers, kinds);
  return kinds;
}
