//===- RaiseLinear.cpp - Finds the linear layers of a model ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Recipe.h"

#include "Raising/LayerNames.h"
#include "Raising/LinearForm.h"
#include "Raising/LookThrough.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Dialect/QuantLLM/Transforms/LayerFilter.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/DenseMap.h"

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
};

struct RaiseLinear
    : public qk::quant_llm::impl::RaiseLinearPassBase<RaiseLinear> {
  using RaiseLinearPassBase::RaiseLinearPassBase;

  void runOnOperation() override;

private:
  std::vector<Candidate> findCandidates();
};

} // namespace

/// Whether a row of `weight` is looked up by index anywhere: an embedding.
static bool isGathered(Value weight) {
  return llvm::any_of(weight.getUsers(), [](Operation *user) {
    return isa<tensor::ExtractOp, tensor::GatherOp>(user);
  });
}

/// The recognisers, tried in order.
static LinearFinding findLinear(Operation *op) {
  for (auto form : {findLinalgLinear}) {
    LinearFinding finding = form(op);
    if (finding.match || !finding.reason.empty())
      return finding;
  }
  return LinearFinding::unrelated();
}

std::vector<Candidate> RaiseLinear::findCandidates() {
  std::vector<Candidate> candidates;
  LayerNames names;
  getOperation().walk([&](FunctionOpInterface function) {
    function.walk([&](Operation *op) {
      LinearFinding finding = findLinear(op);
      if (!finding.match) {
        if (!finding.reason.empty())
          op->emitRemark() << "not a linear layer: " << finding.reason;
        return;
      }
      Candidate candidate;
      candidate.match = *finding.match;
      Value weight = candidate.match.weight;
      candidate.layer = names.get(weight, function.getName());
      candidate.isHead = isGathered(weight) || candidate.layer == "lm_head" ||
                         StringRef(candidate.layer).ends_with(".lm_head");
      candidates.push_back(std::move(candidate));
    });
  });
  return candidates;
}

/// The weight as a parameter of shape [N,K]; made once a weight, beside the
/// constant, so that uses of one weight use one value.
static Value getWeight(const Candidate &candidate,
                       llvm::DenseMap<Value, Value> &weights) {
  Value &weight = weights[candidate.match.weight];
  if (weight)
    return weight;
  weight = candidate.match.weight;
  OpBuilder builder(weight.getContext());
  builder.setInsertionPointAfterValue(weight);
  ElementsAttr literal;
  if (matchPattern(weight, m_Constant(&literal)))
    weight = ParameterOp::create(builder, weight.getLoc(), weight.getType(), "",
                                 candidate.layer + ".weight", literal);
  if (candidate.match.transposed)
    weight = TransposeOp::create(builder, weight.getLoc(), weight);
  return weight;
}

/// Puts a `quant_llm.linear` in place of the matched ops.
static void raise(const Candidate &candidate,
                  llvm::DenseMap<Value, Value> &weights) {
  const LinearMatch &match = candidate.match;
  Operation *last = match.result.getDefiningOp();
  Value weight = getWeight(candidate, weights);
  OpBuilder builder(last);
  Location location = match.contraction->getLoc();
  Value y = LinearOp::create(builder, location, match.result.getType(), match.x,
                             weight, match.bias, candidate.layer);
  Value(match.result).replaceAllUsesWith(y);
  eraseIfDead(last);
}

void RaiseLinear::runOnOperation() {
  ModuleOp module = getOperation();
  if (failed(bindParameters(module, "")))
    return signalPassFailure();
  FailureOr<LayerFilter> filter =
      LayerFilter::create(skip, only, module.getLoc());
  if (failed(filter))
    return signalPassFailure();

  std::vector<Candidate> candidates = findCandidates();
  std::vector<std::string> layers;
  std::vector<const Candidate *> selected;
  for (const Candidate &candidate : candidates) {
    layers.push_back(candidate.layer);
    if (filter->selects(candidate.layer, candidate.isHead))
      selected.push_back(&candidate);
    else if (candidate.isHead)
      candidate.match.contraction->emitRemark()
          << "head '" << candidate.layer
          << "' stays in float; only= with its name raises it";
  }
  // Layers raised before count as matched.
  module.walk([&](LinearOp op) {
    layers.push_back(op.getLayer().str());
    filter->selects(op.getLayer(), /*isHead=*/false);
  });
  if (failed(filter->checkAllMatched(layers, module.getLoc())))
    return signalPassFailure();
  // Backwards: a layer's input may be the result of one before it, which must
  // still be there.
  llvm::DenseMap<Value, Value> weights;
  for (const Candidate *candidate : llvm::reverse(selected))
    raise(*candidate, weights);
}
