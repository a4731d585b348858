//===- SequentialRun.cpp - The model, run segment by segment --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SequentialRun.h"

#include "Profile.h"
#include "Stopwatch.h"

#include "qk/Dialect/QuantLLM/Transforms/TimeLeft.h"
#include "qk/Runtime/Runtime.h"

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
  // What was looked at early is out of date.
  for (size_t group : from.early)
    entries[group]->clear();
  std::vector<std::string> before = plan->first;
  for (size_t group : from.groups)
    if (plan->groups[group].input)
      llvm::append_range(before, plan->groups[group].layers);
  for (const std::string &layer : before)
    if (rounded.contains(layer) && !finished.contains(layer))
      return emitError(copy->getLocation())
             << "layer '" << layer
             << "' was not rounded before the layers after it; expected the "
                "order that calibration gave (a mistake in qk)";
  llvm::SmallDenseSet<Value> known(from.live.begin(), from.live.end());
  SmallVector<Value> computed;
  bool differs = false;
  for (Value value : to.live)
    if (!known.contains(value)) {
      computed.push_back(value);
      differs |= plan->flow.dependsOnLayers(value);
    }
  FailureOr<Segment> segment =
      compiler->compile(from.live, computed, from.assertions);
  if (failed(segment))
    return failure();
  llvm::SmallDenseSet<Value> after(to.live.begin(), to.live.end());
  bool both = differs && !(crossed.empty() && residuals.empty());
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
