//===- SequentialStatistics.cpp - What a step's layers are fed ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SequentialRun.h"

#include "HeldOut.h"
#include "Rows.h"

#include "qk/Numerics/CrossMoment.h"

#include <utility>

using namespace mlir;
using namespace qk;
using namespace qk::calibration;

/// Whether `value` is computed, since the step's cut, from what layers of this
/// step give.
static bool followsLayersOf(const SegmentPlan &plan,
                            const SegmentPlan::Step &step, Value value) {
  llvm::StringSet<> layers;
  for (size_t group : step.groups)
    for (const std::string &layer : plan.groups[group].layers)
      layers.insert(layer);
  llvm::SmallDenseSet<Value> seen(step.live.begin(), step.live.end());
  SmallVector<Value> pending;
  auto visit = [&](Value each) {
    if (seen.insert(each).second)
      pending.push_back(each);
  };
  visit(value);
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val().getDefiningOp();
    if (!op)
      continue;
    if (auto layer = dyn_cast<quant_llm::LinearOp>(op))
      if (layers.contains(layer.getLayer()))
        return true;
    // What the op's regions read from outside counts too.
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        visit(operand);
    });
  }
  return false;
}

/// Feeds one group's statistics.
class SequentialRun::Collector {
public:
  /// `early`: for the recipes of layers before it, which are not rounded yet;
  /// no more than a run of the float model has then.
  Collector(SequentialRun &run, size_t number, bool early = false)
      : number(number), run(run), group(run.plan->groups[number]), early(early),
        statistics(group.k), heldOut(group.k, heldOutOptions()) {
    bool crossed = llvm::any_of(group.layers, [&](StringRef layer) {
      return run.crossed.contains(layer);
    });
    if (early || !group.input || !(crossed || group.stream))
      return;
    if (crossed)
      moment.emplace(group.k, group.k);
    // A layer that follows others of this step sees the errors that those will
    // make up for when they are rounded. Were it to make up for them as well,
    // the errors would come back with the other sign, larger from block to
    // block: its float input is taken to be what it sees.
    comparing =
        !followsLayersOf(*run.plan, run.plan->steps[*run.step], group.input);
    // Where a cut was left out, it may not be known.
    if (comparing && isKept(group.stream))
      residual.emplace(group.channels, group.k);
  }

  /// Whether what the float model's layers read is looked at.
  bool isComparing() const { return comparing; }

  /// `x`, `exact`: what the layers read in the quantised and in the float
  /// model.
  llvm::Error add(size_t sample, const Tensor &x, const Tensor &exact) {
    bool apart = sample >= run.firstHeldOut;
    if (early && apart)
      return llvm::Error::success();
    const std::vector<uint8_t> &mask = (*run.samples)[sample].mask;
    int64_t tokens = group.k ? x.numElements() / group.k : 0;
    auto fail = [&](const std::string &message) {
      return storage::makeError("layer '" + group.layers.front() +
                                "', sample " + llvm::Twine(sample) + ": " +
                                message);
    };
    if (!mask.empty() && static_cast<int64_t>(mask.size()) != tokens)
      return fail("expected a mask of " + std::to_string(tokens) +
                  " tokens, got " + std::to_string(mask.size()));
    const uint8_t *counts = mask.empty() ? nullptr : mask.data();
    ArrayRef<float> rows = xRows.read(x);
    {
      Timed timed(run.spent.statistics);
      auto &target = apart ? heldOut : statistics;
      if (auto status = target.add(rows.data(), tokens, counts); !status)
        return fail(status.error().message);
    }
    if (apart)
      return llvm::Error::success();
    Timed timed(run.spent.cross);
    if (moment)
      moment->add(comparing ? exactRows.read(exact).data() : rows.data(),
                  rows.data(), tokens, counts);
    if (residual)
      addResidual(sample, rows, tokens, counts);
    return llvm::Error::success();
  }

  /// Moves the statistics to where layers get them from.
  LogicalResult finish() {
    Entry &entry = *run.entries[number];
    entry.clear();
    {
      Timed timed(run.spent.statistics);
      entry.data = statistics.finish();
      entry.heldOut = takeHeldOut(heldOut);
    }
    if (moment) {
      Timed timed(run.spent.cross);
      auto cross = moment->finish();
      if (!cross)
        return run.fail(storage::makeError("layer '" + group.layers.front() +
                                           "': " + cross.error().message));
      moment.reset();
      entry.cross = std::move(*cross);
    }
    if (residual) {
      Timed timed(run.spent.cross);
      auto moment = residual->finish();
      if (!moment)
        return run.fail(storage::makeError(
            "layer '" + group.layers.front() +
            "', residual stream: " + moment.error().message));
      residual.reset();
      entry.residual = std::move(*moment);
    }
    run.spent.tokens = std::max(run.spent.tokens, entry.data.tokens);
    entry.view.k = entry.data.k;
    entry.view.tokens = entry.data.tokens;
    entry.view.hessian = entry.data.hessian;
    entry.view.absmax = entry.data.absmax;
    entry.view.absmean = entry.data.absmean;
    entry.view.cross = entry.cross;
    entry.view.residual = entry.residual;
    entry.view.heldOut = entry.heldOut;
    return success();
  }

  const size_t number;

private:
  bool isKept(Value value) const {
    return value && !run.states.empty() &&
           run.states.front().quantized.contains(value);
  }

  void addResidual(size_t sample, ArrayRef<float> rows, int64_t tokens,
                   const uint8_t *counts) {
    ArrayRef<float> exact =
        exactStream.read(run.valueOf(group.stream, sample, true));
    ArrayRef<float> now =
        streamRows.read(run.valueOf(group.stream, sample, false));
    std::vector<float> difference(exact.size());
    for (size_t i = 0; i < exact.size(); ++i)
      difference[i] = exact[i] - now[i];
    residual->add(difference.data(), rows.data(), tokens, counts);
  }

  SequentialRun &run;
  const SegmentPlan::Group &group;
  bool early, comparing = false;
  numerics::StatisticsAccumulator statistics, heldOut;
  std::optional<numerics::CrossMomentAccumulator> moment, residual;
  FloatRows xRows, exactRows, exactStream, streamRows;
};

/// Of a group whose input is kept at the cut.
LogicalResult SequentialRun::collectKept(size_t group) {
  Collector collector(*this, group);
  Value input = plan->groups[group].input;
  auto argument = dyn_cast_or_null<BlockArgument>(input);
  for (size_t i = 0; input && i < samples->size(); ++i) {
    showProgress("taking statistics", i);
    Tensor x = argument ? tensorsOf((*samples)[i])[argument.getArgNumber()]
                        : valueOf(input, i, /*exact=*/false);
    if (llvm::Error error = collector.add(
            i, x, argument ? x : valueOf(input, i, /*exact=*/true)))
      return fail(std::move(error));
  }
  return collector.finish();
}

/// Of groups whose inputs are computed after the cut: in a run in which this
/// step's layers are not rounded yet.
LogicalResult
SequentialRun::collectComputed(std::vector<Collector> &collectors) {
  const SegmentPlan::Step &now = plan->steps[*step];
  SmallVector<Value> inputs;
  for (const Collector &collector : collectors)
    inputs.push_back(plan->groups[collector.number].input);
  FailureOr<Segment> segment =
      compiler->compile(now.live, inputs, now.assertions);
  if (failed(segment))
    return failure();
  bool comparing = llvm::any_of(collectors, [](const Collector &collector) {
    return collector.isComparing();
  });
  auto fixed = bind(*segment, /*exact=*/false);
  if (!fixed)
    return fail(fixed.takeError());
  auto fixedExact = bind(*segment, /*exact=*/true);
  if (!fixedExact)
    return fail(fixedExact.takeError());
  for (size_t i = 0; i < samples->size(); ++i) {
    showProgress("taking statistics", i);
    auto quantized = run(*segment, *fixed, i, /*exact=*/false);
    if (!quantized)
      return fail(quantized.takeError());
    std::vector<Tensor> exact = *quantized;
    if (comparing && !states[i].exact.empty()) {
      auto results = run(*segment, *fixedExact, i, /*exact=*/true);
      if (!results)
        return fail(results.takeError());
      exact = std::move(*results);
    }
    for (auto [collector, x, f] :
         llvm::zip_equal(collectors, *quantized, exact))
      if (llvm::Error error = collector.add(i, x, f))
        return fail(std::move(error));
  }
  for (Collector &collector : collectors)
    if (failed(collector.finish()))
      return failure();
  parameters.clear();
  return success();
}

/// The statistics of the layers of this step, and of those after it that it
/// looks ahead to.
LogicalResult SequentialRun::collect() {
  const SegmentPlan::Step &now = plan->steps[*step];
  llvm::SmallDenseSet<Value> live(now.live.begin(), now.live.end());
  std::vector<Collector> computed;
  for (size_t group : now.groups) {
    // Rounded in the run that is resumed.
    if (entries[group]->users == 0)
      continue;
    Value input = plan->groups[group].input;
    if (input && !isa<BlockArgument>(input) && !live.contains(input))
      computed.emplace_back(*this, group);
    else if (failed(collectKept(group)))
      return failure();
  }
  for (size_t group : now.early)
    if (entries[group]->users > 0)
      computed.emplace_back(*this, group, /*early=*/true);
  return computed.empty() ? success() : collectComputed(computed);
}

/// The step of the first layer that is still to be rounded.
size_t SequentialRun::stepToRound() const {
  for (const SegmentPlan::Group &group : plan->groups)
    if (group.input)
      for (const std::string &layer : group.layers)
        if (rounded.contains(layer) && !finished.contains(layer))
          return group.step;
  return plan->steps.size();
}

FailureOr<const quant_llm::LayerStatistics *>
SequentialRun::get(StringRef layer) {
  if (llvm::is_contained(plan->first, layer)) {
    FailureOr<const quant_llm::LayerStatistics *> known = floatRun->get(layer);
    if (failed(known) || !*known)
      return known;
    quant_llm::LayerStatistics &view = floatViews[layer];
    view = **known;
    // No layer is rounded before it: both models feed it the same.
    if (crossed.contains(layer))
      view.cross = view.hessian;
    return &view;
  }
  auto found = byLayer.find(layer);
  if (found == byLayer.end())
    return nullptr;
  if (!found->second)
    return emitError(copy->getLocation())
           << "the statistics of layer '" << layer
           << "' were released; expected nothing to ask for them after that "
              "(a mistake in qk)";
  size_t group = 0;
  while (entries[group].get() != found->second)
    ++group;
  size_t wanted = plan->groups[group].step;
  // Asked for by the recipe of a layer before it.
  if (size_t now = stepToRound();
      now < wanted && llvm::is_contained(plan->steps[now].early, group))
    wanted = now;
  if (failed(reach(wanted)))
    return failure();
  // A step before this one was collected on the way: this layer was not
  // released.
  if (*step == wanted && !collected && failed(measured([&] {
        collected = true;
        return collect();
      })))
    return failure();
  return &found->second->view;
}

void SequentialRun::release(StringRef layer) {
  if (llvm::is_contained(plan->first, layer))
    return floatRun->release(layer);
  auto found = byLayer.find(layer);
  if (found == byLayer.end() || !found->second)
    return;
  Entry *entry = std::exchange(found->second, nullptr);
  if (--entry->users == 0)
    entry->clear();
}
