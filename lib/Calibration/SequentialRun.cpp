//===- SequentialRun.cpp - Statistics of the quantised prefix -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SequentialRun.h"

#include "HeldOut.h"
#include "Profile.h"
#include "Rows.h"
#include "Stopwatch.h"

#include "qk/Dialect/QuantLLM/Transforms/TimeLeft.h"
#include "qk/Numerics/CrossMoment.h"
#include "qk/Runtime/Runtime.h"

#include "llvm/Support/Format.h"

#include <utility>

using namespace mlir;
using namespace qk;
using namespace qk::calibration;

//===----------------------------------------------------------------------===//
// Running segments
//===----------------------------------------------------------------------===//

LogicalResult SequentialRun::fail(llvm::Error error) {
  return emitError(copy->getLocation())
         << "calibration failed: " << llvm::toString(std::move(error));
}

void SequentialRun::showProgress(StringRef what, size_t sample) const {
  if (!options.progress)
    return;
  llvm::errs() << "\r\033[K" << what << ": step " << step.value_or(0) + 1 << "/"
               << plan->steps.size() << ", sample " << sample + 1 << "/"
               << samples->size()
               << quant_llm::describeTimeLeft(
                      watch.seconds(),
                      static_cast<double>(step.value_or(0)) /
                          static_cast<double>(plan->steps.size()));
  llvm::errs().flush();
}

const Tensor &SequentialRun::valueOf(Value value, size_t sample,
                                     bool exact) const {
  const SampleState &state = states[sample];
  if (exact)
    if (auto found = state.exact.find(value); found != state.exact.end())
      return found->second;
  return state.quantized.at(value);
}

llvm::Expected<std::vector<Tensor>> SequentialRun::bind(const Segment &segment,
                                                        bool exact) {
  std::vector<Tensor> fixed;
  for (const SegmentArgument &argument : segment.arguments) {
    llvm::Expected<Tensor> tensor = Tensor();
    if (argument.kind == SegmentArgument::Parameter)
      tensor =
          readParameter(argument.value.getDefiningOp<quant_llm::ParameterOp>());
    else if (argument.kind == SegmentArgument::Weight)
      tensor = readWeight(argument, exact);
    if (!tensor)
      return tensor.takeError();
    fixed.push_back(std::move(*tensor));
  }
  return fixed;
}

llvm::Expected<std::vector<Tensor>>
SequentialRun::run(const Segment &segment, const std::vector<Tensor> &fixed,
                   size_t sample, bool exact) {
  Timed timed(exact ? spent.exact : spent.quantized);
  std::vector<Tensor> arguments = fixed;
  std::vector<Tensor> inputs = tensorsOf((*samples)[sample]);
  for (auto [index, argument] : llvm::enumerate(segment.arguments)) {
    if (argument.kind == SegmentArgument::Input)
      arguments[index] =
          inputs[cast<BlockArgument>(argument.value).getArgNumber()];
    else if (argument.kind == SegmentArgument::Kept)
      arguments[index] = valueOf(argument.value, sample, exact);
  }
  auto results = segment.code->call(segment.code->entries().front(), arguments);
  if (!results)
    return storage::makeError("sample " + llvm::Twine(sample) + ": " +
                              llvm::toString(results.takeError()));
  return results;
}

/// Keeps a segment's results in place of what memory they came in.
LogicalResult SequentialRun::keep(size_t sample, const Segment &segment,
                                  ArrayRef<Tensor> results, bool exact) {
  SampleState &state = states[sample];
  for (auto [value, result] : llvm::zip_equal(segment.results, results)) {
    bool layers = plan->flow.dependsOnLayers(value);
    // The same in both models.
    if (exact && !layers)
      continue;
    bool shared = !layers && !plan->flow.dependsOnData(value);
    Tensor *known =
        shared ? &byShape[{value.getAsOpaquePointer(), state.shapes}] : nullptr;
    Tensor kept;
    if (known && known->data) {
      kept = *known;
    } else {
      llvm::Expected<Tensor> copied = buffers->copy(result);
      if (!copied)
        return fail(copied.takeError());
      kept = *copied;
      if (known)
        *known = kept;
    }
    (exact ? state.exact : state.quantized)[value] = std::move(kept);
  }
  return success();
}

/// From the cut of this step to that of the next: the layers between have been
/// rounded.
LogicalResult SequentialRun::advance() {
  const SegmentPlan::Step &from = plan->steps[*step];
  const SegmentPlan::Step &to = plan->steps[*step + 1];
  for (auto &entry : rounding)
    weights[entry.getKey()] = std::move(entry.getValue());
  rounding.clear();
  for (size_t group : from.groups)
    for (const std::string &layer : plan->groups[group].layers)
      if (rounded.contains(layer) && plan->groups[group].input &&
          !weights.contains(layer))
        return emitError(copy->getLocation())
               << "layer '" << layer
               << "' was not rounded before the layers after it; expected the "
                  "order that calibration gave (a mistake in qk)";
  llvm::SmallDenseSet<Value> before(from.live.begin(), from.live.end());
  SmallVector<Value> computed;
  bool differs = false;
  for (Value value : to.live)
    if (!before.contains(value)) {
      computed.push_back(value);
      differs |= plan->flow.dependsOnLayers(value);
    }
  FailureOr<Segment> segment =
      compiler->compile(from.live, computed, from.assertions);
  if (failed(segment))
    return failure();
  llvm::SmallDenseSet<Value> after(to.live.begin(), to.live.end());
  bool both = differs && !crossed.empty();
  for (bool exact : {false, true}) {
    if (exact && !both)
      break;
    auto fixed = bind(*segment, exact);
    if (!fixed)
      return fail(fixed.takeError());
    for (size_t i = 0; i < samples->size(); ++i) {
      showProgress(exact ? "running the float model" : "running the model", i);
      auto results = run(*segment, *fixed, i, exact);
      if (!results)
        return fail(results.takeError());
      if (failed(keep(i, *segment, *results, exact)))
        return failure();
      // What is not needed any more, as soon as it isn't.
      if (both && !exact)
        continue;
      for (Value value : from.live)
        if (!after.contains(value)) {
          states[i].quantized.erase(value);
          states[i].exact.erase(value);
        }
    }
  }
  for (auto entry = byShape.begin(); entry != byShape.end();)
    if (!after.contains(Value::getFromOpaquePointer(entry->first.first)))
      entry = byShape.erase(entry);
    else
      ++entry;
  // A layer may read what was kept long before.
  llvm::StringSet<> later;
  for (Operation *op : plan->flow.ops().drop_front(to.position + 1))
    if (auto layer = dyn_cast<quant_llm::LinearOp>(op))
      later.insert(layer.getLayer());
  for (const std::string &layer : inOrder)
    if (!later.contains(layer))
      weights.erase(layer);
  parameters.clear();
  return success();
}

//===----------------------------------------------------------------------===//
// Statistics
//===----------------------------------------------------------------------===//

/// Feeds one group's statistics.
class SequentialRun::Collector {
public:
  Collector(SequentialRun &run, size_t group, bool cross)
      : run(run), group(run.plan->groups[group]), statistics(this->group.k),
        heldOut(this->group.k, heldOutOptions()) {
    if (cross)
      moment.emplace(this->group.k);
  }

  /// `f`: what the float model's layers read; only looked at for a cross
  /// moment.
  llvm::Error add(size_t sample, const Tensor &x, const Tensor &f) {
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
      auto &target = sample >= run.firstHeldOut ? heldOut : statistics;
      if (auto status = target.add(rows.data(), tokens, counts); !status)
        return fail(status.error().message);
    }
    if (moment && sample < run.firstHeldOut) {
      Timed timed(run.spent.cross);
      moment->add(fRows.read(f).data(), rows.data(), tokens, counts);
    }
    return llvm::Error::success();
  }

  SequentialRun &run;
  const SegmentPlan::Group &group;
  numerics::StatisticsAccumulator statistics, heldOut;
  std::optional<numerics::CrossMomentAccumulator> moment;

private:
  FloatRows xRows, fRows;
};

void SequentialRun::finish(size_t group, Collector &collector) {
  Entry &entry = *entries[group];
  {
    Timed timed(spent.statistics);
    entry.data = collector.statistics.finish();
    entry.heldOut = takeHeldOut(collector.heldOut);
  }
  spent.tokens = std::max(spent.tokens, entry.data.tokens);
  entry.view.k = entry.data.k;
  entry.view.tokens = entry.data.tokens;
  entry.view.hessian = entry.data.hessian;
  entry.view.heldOut = entry.heldOut;
  entry.view.absmax = entry.data.absmax;
  entry.view.absmean = entry.data.absmean;
}

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

/// The statistics of the layers of this step.
LogicalResult SequentialRun::collect() {
  const SegmentPlan::Step &now = plan->steps[*step];
  auto isCrossed = [&](size_t group) {
    return llvm::any_of(plan->groups[group].layers, [&](StringRef layer) {
      return crossed.contains(layer);
    });
  };
  auto complete = [&](size_t group, Collector &collector) -> LogicalResult {
    finish(group, collector);
    if (!collector.moment)
      return success();
    Timed timed(spent.cross);
    auto moment = collector.moment->finish();
    collector.moment.reset();
    if (!moment)
      return fail(storage::makeError("layer '" +
                                     plan->groups[group].layers.front() +
                                     "': " + moment.error().message));
    entries[group]->cross = std::move(*moment);
    entries[group]->view.cross = entries[group]->cross;
    return success();
  };
  // What is kept at the cut needs no run.
  std::vector<size_t> computed;
  llvm::SmallDenseSet<Value> live(now.live.begin(), now.live.end());
  for (size_t group : now.groups) {
    // Rounded in the run that is resumed.
    if (entries[group]->users == 0)
      continue;
    Value input = plan->groups[group].input;
    auto argument = dyn_cast_or_null<BlockArgument>(input);
    if (input && !argument && !live.contains(input)) {
      computed.push_back(group);
      continue;
    }
    Collector collector(*this, group, input && isCrossed(group));
    for (size_t i = 0; input && i < samples->size(); ++i) {
      showProgress("taking statistics", i);
      Tensor x = argument ? tensorsOf((*samples)[i])[argument.getArgNumber()]
                          : valueOf(input, i, /*exact=*/false);
      if (llvm::Error error = collector.add(
              i, x, argument ? x : valueOf(input, i, /*exact=*/true)))
        return fail(std::move(error));
    }
    if (failed(complete(group, collector)))
      return failure();
  }
  if (computed.empty())
    return success();
  // The others: a run in which this step's layers are not rounded yet.
  SmallVector<Value> inputs;
  std::vector<Collector> collectors;
  // A layer that follows others of this step sees the errors that those will
  // make up for when they are rounded. Were it to make up for them as well, the
  // errors would come back with the other sign, larger from block to block: its
  // float input is taken to be what it sees.
  SmallVector<bool> compared;
  bool cross = false;
  for (size_t group : computed) {
    inputs.push_back(plan->groups[group].input);
    collectors.emplace_back(*this, group, isCrossed(group));
    compared.push_back(isCrossed(group) &&
                       !followsLayersOf(*plan, now, inputs.back()));
    cross |= compared.back();
  }
  FailureOr<Segment> segment =
      compiler->compile(now.live, inputs, now.assertions);
  if (failed(segment))
    return failure();
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
    if (cross && !states[i].exact.empty()) {
      auto results = run(*segment, *fixedExact, i, /*exact=*/true);
      if (!results)
        return fail(results.takeError());
      exact = std::move(*results);
    }
    for (size_t c = 0; c < collectors.size(); ++c)
      if (llvm::Error error = collectors[c].add(
              i, (*quantized)[c], compared[c] ? exact[c] : (*quantized)[c]))
        return fail(std::move(error));
  }
  for (size_t c = 0; c < collectors.size(); ++c)
    if (failed(complete(computed[c], collectors[c])))
      return failure();
  parameters.clear();
  return success();
}

FailureOr<const quant_llm::LayerStatistics *>
SequentialRun::get(StringRef layer) {
  auto found = byLayer.find(layer);
  if (found == byLayer.end())
    return nullptr;
  if (!found->second)
    return emitError(copy->getLocation())
           << "the statistics of layer '" << layer
           << "' were released; expected nothing to ask for them after that "
              "(a mistake in qk)";
  size_t wanted = 0;
  for (auto [index, entry] : llvm::enumerate(entries))
    if (entry.get() == found->second)
      wanted = plan->groups[index].step;
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

LogicalResult
SequentialRun::measured(llvm::function_ref<LogicalResult()> body) {
  Stopwatch stopwatch;
  int64_t calls;
  double contractions, work;
  qk_profile_start();
  if (failed(body()))
    return failure();
  qk_profile_read(QK_PROFILE_CONTRACTION, &calls, &contractions, &work);
  countForward();
  spent.contractions += contractions;
  spent.own += stopwatch.seconds();
  if (options.progress)
    llvm::errs() << "\r\033[K";
  return success();
}

LogicalResult SequentialRun::reach(size_t wanted) {
  while (!step || *step < wanted) {
    LogicalResult reached = measured([&]() -> LogicalResult {
      bool needed = step && !collected &&
                    llvm::any_of(plan->steps[*step].groups, [&](size_t group) {
                      return entries[group]->users > 0;
                    });
      if (needed && failed(collect()))
        return failure();
      if (step && failed(advance()))
        return failure();
      return success();
    });
    if (failed(reached))
      return failure();
    step = step ? *step + 1 : 0;
    collected = false;
  }
  return success();
}

void SequentialRun::release(StringRef layer) {
  auto found = byLayer.find(layer);
  if (found == byLayer.end() || !found->second)
    return;
  Entry *entry = std::exchange(found->second, nullptr);
  if (--entry->users == 0) {
    entry->data = numerics::Statistics();
    entry->cross = std::vector<float>();
    entry->heldOut = std::vector<float>();
  }
}
