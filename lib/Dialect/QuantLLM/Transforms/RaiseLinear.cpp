//===- RaiseLinear.cpp - Finds the linear layers of a model ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Recipe.h"

#include "Raising/Constants.h"
#include "Raising/Embeddings.h"
#include "Raising/Functions.h"
#include "Raising/LayerNames.h"
#include "Raising/LeftInFloat.h"
#include "Raising/LinearForm.h"
#include "Raising/LookThrough.h"
#include "Raising/QuantizedForm.h"
#include "Raising/UnlinkedOps.h"
#include "Raising/UnlinkedViews.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Dialect/QuantLLM/Transforms/HostDialect.h"
#include "qk/Dialect/QuantLLM/Transforms/LayerFilter.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace qk::quant_llm {
#define GEN_PASS_DEF_RAISELINEARPASS
#include "qk/Dialect/QuantLLM/Transforms/Passes.h.inc"
} // namespace qk::quant_llm

namespace {

/// A layer found, with what decides whether it is raised.
struct Candidate {
  LinearMatch match;
  std::string layer;
  bool isHead = false;
  /// What it is, if that stays in float unless `only` names it.
  StringRef stays;
};

struct RaiseLinear
    : public qk::quant_llm::impl::RaiseLinearPassBase<RaiseLinear> {
  using RaiseLinearPassBase::RaiseLinearPassBase;

  void runOnOperation() override;
};

} // namespace

/// What checkpoints call the layer that makes logits: most of them lm_head,
/// GPT-NeoX embed_out, ChatGLM output_layer.
static bool isHeadName(StringRef layer) {
  StringRef last = layer.substr(layer.rfind('.') + 1);
  return last == "lm_head" || last == "embed_out" || last == "output_layer";
}

/// The recognisers, tried in order.
static LinearFinding findLinear(Operation *op) {
  for (auto form : {findLinalgLinear, findTosaLinear, findStableHLOLinear,
                    findTorchLinear, findOnnxLinear}) {
    LinearFinding finding = form(op);
    if (finding.match || !finding.reason.empty())
      return finding;
  }
  return LinearFinding::unrelated();
}

/// All layers of `module`; `reject` is told what only looks like one.
static std::vector<Candidate>
findCandidates(ModuleOp module,
               function_ref<void(Operation *, StringRef)> reject) {
  std::vector<Candidate> candidates;
  LayerNames names(module);
  Embeddings embeddings(module);
  for (const Function &function : findFunctions(module))
    function.body->walk([&](Operation *op) {
      LinearFinding finding = findLinear(op);
      if (!finding.match) {
        if (!finding.reason.empty())
          reject(op, finding.reason);
        return;
      }
      Candidate candidate;
      candidate.match = *finding.match;
      const LinearMatch &match = candidate.match;
      candidate.layer = names.get(match.weight, match.transposed,
                                  match.weightPart, function.name);
      candidate.isHead =
          (!match.weightPart &&
           embeddings.contains(match.weight, match.transposed)) ||
          isHeadName(candidate.layer);
      candidates.push_back(std::move(candidate));
    });

  SmallVector<NamedMatch> named;
  for (const Candidate &candidate : candidates)
    named.push_back({&candidate.match, candidate.layer});
  for (auto [candidate, kind] : llvm::zip(candidates, findLeftInFloat(named)))
    candidate.stays = candidate.isHead ? "head" : kind;
  return candidates;
}

/// Weights of raised layers, one value a function, constant, way to read it and
/// part of it.
using RaisedWeights =
    llvm::DenseMap<std::tuple<Block *, Attribute, unsigned, Attribute>, Value>;

/// The constant as a tensor of `shape`, with the same elements in memory.
static ConstantTensor reshapeConstant(ConstantTensor constant,
                                      ArrayRef<int64_t> shape) {
  constant.type = RankedTensorType::get(shape, constant.type.getElementType());
  if (auto dense = dyn_cast_or_null<DenseElementsAttr>(constant.value))
    constant.value = dense.reshape(constant.type);
  else if (auto resource =
               dyn_cast_or_null<DenseResourceElementsAttr>(constant.value))
    constant.value =
        DenseResourceElementsAttr::get(constant.type, resource.getRawHandle());
  return constant;
}

/// The constant `value`, or a part of it, as a parameter of `shape`: itself
/// where it is one of this function, else made at the start of the function,
/// since some other op may load the same constant before this one does.
static FailureOr<Value> getParameter(Value value, PartAttr part,
                                     ArrayRef<int64_t> shape, Block *entry,
                                     StringRef literalName) {
  ConstantTensor constant = *getConstant(value);
  if (part) {
    constant.type =
        RankedTensorType::get(shape, constant.type.getElementType());
    constant.part = part;
    OpBuilder builder = OpBuilder::atBlockBegin(entry);
    return createParameter(builder, value.getLoc(), constant, literalName);
  }
  bool isShaped = constant.type.getShape() == shape;
  if (auto parameter = value.getDefiningOp<ParameterOp>();
      isShaped && parameter &&
      entry->getParent()->isAncestor(parameter->getParentRegion()))
    return value;
  OpBuilder builder = OpBuilder::atBlockBegin(entry);
  return createParameter(builder, value.getLoc(),
                         isShaped ? constant : reshapeConstant(constant, shape),
                         literalName);
}

/// The weight as a parameter of shape [N,K]; made once a weight, so that uses
/// of one weight use one value.
static FailureOr<Value> getWeight(const Candidate &candidate,
                                  RaisedWeights &weights) {
  const LinearMatch &match = candidate.match;
  Block *entry = &findParentFunction(match.contraction)->entry();
  Value &weight = weights[{entry, getConstantKey(match.weight),
                           match.transposed, match.weightPart}];
  if (weight)
    return weight;
  SmallVector<int64_t> shape(getConstant(match.weight)->type.getShape());
  if (match.n != 0)
    shape = match.transposed ? SmallVector<int64_t>{match.k, match.n}
                             : SmallVector<int64_t>{match.n, match.k};
  FailureOr<Value> parameter =
      getParameter(match.weight, match.weightPart, shape, entry,
                   candidate.layer + ".weight");
  if (failed(parameter))
    return failure();
  weight = *parameter;
  if (match.transposed) {
    OpBuilder builder(weight.getContext());
    builder.setInsertionPointAfterValue(weight);
    weight = createTranspose(builder, weight.getLoc(), weight);
  }
  return weight;
}

/// The bias as a value of shape [N], or null.
static FailureOr<Value> getBias(const Candidate &candidate) {
  const LinearMatch &match = candidate.match;
  if (!match.bias)
    return Value();
  // A constant that the function has already serves as it is.
  auto type = dyn_cast<RankedTensorType>(match.bias.getType());
  Operation *function = findParentFunction(match.contraction)->op;
  if (type && type.getRank() == 1 && !match.biasPart &&
      function->isProperAncestor(match.bias.getDefiningOp()))
    return match.bias;
  int64_t n = match.biasPart ? match.biasPart.getNumElements()
                             : getConstant(match.bias)->type.getNumElements();
  return getParameter(match.bias, match.biasPart, {n},
                      &function->getRegion(0).front(),
                      candidate.layer + ".bias");
}

/// Puts a `quant_llm.linear` in place of the matched ops.
static LogicalResult raise(const Candidate &candidate, RaisedWeights &weights) {
  const LinearMatch &match = candidate.match;
  Operation *last = match.result.getDefiningOp();
  FailureOr<Value> weight = getWeight(candidate, weights);
  FailureOr<Value> bias = getBias(candidate);
  if (failed(weight) || failed(bias))
    return failure();
  Operation *before = match.before ? match.before : last;
  if (*bias)
    if (Operation *constant = bias->getDefiningOp();
        constant && !DominanceInfo().properlyDominates(constant, before))
      constant->moveBefore(before);
  OpBuilder builder(before);
  Location location = match.contraction->getLoc();
  Value x = match.makeX ? match.makeX(builder) : match.x;
  Type type = match.yType ? Type(match.yType) : match.result.getType();
  Value y = LinearOp::create(builder, location, type, x, *weight, *bias,
                             candidate.layer);
  if (match.makeResult)
    y = match.makeResult(builder, y);
  Value(match.result).replaceAllUsesWith(y);
  eraseUnused(last);
  return success();
}

LogicalResult qk::quant_llm::raiseLinears(
    ModuleOp module,
    function_ref<bool(const LinearMatch &, StringRef)> select) {
  std::vector<Candidate> candidates =
      findCandidates(module, [](Operation *, StringRef) {});
  RaisedWeights weights;
  for (const Candidate &candidate : llvm::reverse(candidates))
    if (select(candidate.match, candidate.layer) &&
        failed(raise(candidate, weights)))
      return failure();
  return success();
}

/// One remark where functions that don't call each other use one weight, at the
/// first such layer: what is known of it in one is not known in the other.
static void remarkCopies(ArrayRef<const Candidate *> layers) {
  llvm::DenseMap<std::tuple<Attribute, unsigned, Attribute>, StringRef> known;
  const Candidate *first = nullptr;
  StringRef original;
  llvm::DenseSet<StringRef> copies;
  for (const Candidate *layer : layers) {
    const LinearMatch &match = layer->match;
    // Equal literals may be so by chance.
    if (getConstant(match.weight)->name.empty())
      continue;
    auto [name, inserted] =
        known.try_emplace({getConstantKey(match.weight), match.transposed,
                           Attribute(match.weightPart)},
                          layer->layer);
    if (inserted || name->second == layer->layer ||
        !copies.insert(layer->layer).second || first)
      continue;
    first = layer;
    original = name->second;
  }
  if (first)
    first->match.contraction->emitRemark()
        << "layer '" << first->layer << "' has the weight of layer '"
        << original
        << "' in another function, and is quantised and stored by itself "
           "(layers like it: "
        << copies.size()
        << "); to have one of both, export one function, of dynamic sizes, or "
           "let both call one";
}

void RaiseLinear::runOnOperation() {
  ModuleOp module = getOperation();
  if (failed(bindParameters(module, {})))
    return signalPassFailure();
  FailureOr<LayerFilter> filter =
      LayerFilter::create(skip, only, module.getLoc());
  if (failed(filter))
    return signalPassFailure();

  specialiseCalls(module);
  std::vector<Candidate> candidates =
      findCandidates(module, [](Operation *op, StringRef reason) {
        op->emitRemark() << "not a linear layer: " << reason;
      });
  std::vector<std::string> layers;
  std::vector<const Candidate *> selected;
  for (const Candidate &candidate : candidates) {
    layers.push_back(candidate.layer);
    if (filter->selects(candidate.layer, !candidate.stays.empty()))
      selected.push_back(&candidate);
    else if (!candidate.stays.empty())
      candidate.match.contraction->emitRemark()
          << candidate.stays << " '" << candidate.layer
          << "' stays in float; only= with its name raises it";
  }
  remarkCopies(selected);
  // Layers raised before count as matched.
  module.walk([&](LinearOp op) {
    layers.push_back(op.getLayer().str());
    filter->selects(op.getLayer(), /*isHead=*/false);
  });
  if (failed(filter->checkAllMatched(layers, module.getLoc())))
    return signalPassFailure();
  // Backwards: a layer's input may be the result of one before it, which must
  // still be there.
  RaisedWeights weights;
  for (const Candidate *candidate : llvm::reverse(selected)) {
    // Of a module that is nothing but layers no such op may be left to see.
    if (getUnlinkedName(candidate->match.contraction).starts_with("stablehlo."))
      module->setAttr(kHostDialectAttr,
                      StringAttr::get(&getContext(), "stablehlo"));
    if (failed(raise(*candidate, weights)))
      return signalPassFailure();
  }
}
