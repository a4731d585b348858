//===- SegmentPlan.cpp - Where a function is cut --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SegmentPlan.h"

#include "qk/Dialect/QuantLLM/Transforms/ResidualStream.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

#include <limits>

using namespace mlir;
using namespace qk;
using namespace qk::calibration;
using Group = SegmentPlan::Group;
using Step = SegmentPlan::Step;

/// A cut that keeps more than this many times what a neighbour keeps is left
/// out. A multi-layer perceptron keeps up to about 4 times (its inner vector
/// and the residual) what the cut before it keeps.
static constexpr double kTooMuch = 4;

namespace {

class Planner {
public:
  Planner(ModelCopy &copy, SegmentPlan &plan, double unknownSize)
      : copy(copy), plan(plan), unknownSize(unknownSize) {}

  LogicalResult findGroups(ArrayRef<std::string> layers,
                           const llvm::StringSet<> &rounded,
                           const StatisticUses &uses);
  void findStreams(const llvm::StringSet<> &residuals);
  void findNeeded();
  void chooseCuts();
  void makeSteps();
  void findEarly(const StatisticUses &uses);

private:
  /// A place where some groups' inputs have just been computed.
  struct Cut {
    int64_t position;
    std::vector<size_t> groups;
    SmallVector<Value> live;
    double bytes = 0;
    bool kept = true;
  };
  /// What layers read, with the ops that do.
  using Reads = llvm::StringMap<SmallVector<std::pair<Value, Operation *>>>;
  LogicalResult findFirst(ArrayRef<std::string> layers, const Reads &reads,
                          const llvm::StringSet<> &rounded,
                          const StatisticUses &uses);
  void findLive(Cut &cut) const;

  ModelCopy &copy;
  SegmentPlan &plan;
  double unknownSize;
  llvm::DenseSet<Operation *> needed;
  std::vector<Cut> cuts;
};

} // namespace

/// The same tensor, with all that is known of its shape.
static Value stripCasts(Value x) {
  while (auto cast = x.getDefiningOp<tensor::CastOp>())
    x = cast.getSource();
  return x;
}

LogicalResult Planner::findFirst(ArrayRef<std::string> layers,
                                 const Reads &reads,
                                 const llvm::StringSet<> &rounded,
                                 const StatisticUses &uses) {
  llvm::StringSet<> first;
  auto add = [&](const std::string &layer) {
    if (reads.contains(layer) && first.insert(layer).second)
      plan.first.push_back(layer);
  };
  Operation *second = nullptr;
  for (const std::string &layer : layers)
    for (auto [x, op] : reads.lookup(layer))
      if (x != reads.at(layer).front().first) {
        second = second ? second : op;
        add(layer);
      }
  // Nothing runs in parts before they are rounded: what their recipes need of
  // other layers is the float model's, too.
  for (size_t i = 0; i < plan.first.size(); ++i)
    for (const auto &[layer, statistic] : uses)
      if (layer == plan.first[i])
        add(statistic);
  if (!second || llvm::any_of(layers, [&](const std::string &layer) {
        return reads.contains(layer) && rounded.contains(layer) &&
               !first.contains(layer);
      }))
    return success();
  return copy.errorAt(second)
         << "can't calibrate block by block: each layer (the first is '"
         << plan.first.front()
         << "') reads several tensors, and would have to be rounded before the "
            "last of them is known; leave out sequential";
}

LogicalResult Planner::findGroups(ArrayRef<std::string> layers,
                                  const llvm::StringSet<> &rounded,
                                  const StatisticUses &uses) {
  // What each layer reads, or what the module itself observes instead.
  Reads reads, observed;
  walkLayers(plan.function, [&](Operation *op, StringRef layer, Value x) {
    reads[layer].emplace_back(stripCasts(x), op);
  });
  plan.function.walk([&](quant_llm::ObserveOp op) {
    observed[op.getLayer()].emplace_back(stripCasts(op.getX()), op);
  });
  for (auto &own : observed)
    if (auto read = reads.find(own.getKey()); read != reads.end())
      read->second = own.second;
  if (failed(findFirst(layers, reads, rounded, uses)))
    return failure();
  llvm::StringMap<int64_t> sizes;
  walkLayers(copy.getModule(), [&](Operation *, StringRef layer, Value x) {
    sizes[layer] = cast<RankedTensorType>(x.getType()).getShape().back();
  });

  llvm::MapVector<Value, Group> groups;
  std::vector<Group> unreached;
  for (const std::string &layer : layers) {
    if (llvm::is_contained(plan.first, layer))
      continue;
    if (!reads.contains(layer)) {
      if (!sizes.contains(layer))
        return emitError(copy.getLocation())
               << "layer '" << layer << "' is not in the module";
      Group group;
      group.layers = {layer};
      group.k = sizes[layer];
      unreached.push_back(group);
      continue;
    }
    auto [input, reader] = reads[layer].front();
    if (plan.flow.isCheap(input) ||
        input.getParentBlock() != &plan.function.getBody().front())
      return copy.errorAt(reader)
             << "can't calibrate block by block: what layer '" << layer
             << "' reads is not computed from the function's inputs directly "
                "in "
                "function '"
             << plan.function.getName() << "'; leave out sequential";
    Group &group = groups[input];
    group.input = input;
    group.k = cast<RankedTensorType>(input.getType()).getShape().back();
    group.layers.push_back(layer);
  }
  for (auto &[input, group] : groups)
    plan.groups.push_back(std::move(group));
  llvm::sort(plan.groups, [&](const Group &a, const Group &b) {
    return plan.flow.comesBefore(a.input, b.input);
  });
  llvm::append_range(plan.groups, unreached);
  for (auto [index, group] : llvm::enumerate(plan.groups)) {
    if (!group.input)
      continue;
    int64_t position = plan.flow.positionOf(group.input);
    if (cuts.empty() || cuts.back().position != position)
      cuts.push_back({position, {}, {}});
    cuts.back().groups.push_back(index);
  }
  return success();
}

/// Layers that read one tensor and are both added to something (parallel
/// blocks) would make up for it twice: neither does.
void Planner::findStreams(const llvm::StringSet<> &residuals) {
  llvm::StringMap<Group *> groupOf;
  for (Group &group : plan.groups)
    if (group.input)
      for (const std::string &layer : group.layers)
        groupOf[layer] = &group;
  llvm::DenseMap<Group *, unsigned> found;
  for (auto layer : plan.function.getOps<quant_llm::LinearOp>()) {
    auto known = groupOf.find(layer.getLayer());
    if (known == groupOf.end())
      continue;
    Value stream = quant_llm::findResidual(layer.getY());
    if (!stream)
      continue;
    Group &group = *known->second;
    if (++found[&group] > 1) {
      group.stream = {};
      continue;
    }
    // Of a stream that is reshaped after the layer, what there is before it.
    int64_t position = plan.flow.positionOf(group.input);
    while (!isa<BlockArgument>(stream) &&
           plan.flow.positionOf(stream) > position &&
           isa<tensor::CastOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(
               stream.getDefiningOp()))
      stream = stream.getDefiningOp()->getOperand(0);
    // Where no layer comes before, it has no error.
    if (!residuals.contains(layer.getLayer()) || isa<BlockArgument>(stream) ||
        plan.flow.positionOf(stream) > position ||
        !plan.flow.dependsOnLayers(stream))
      continue;
    group.stream = stream;
    group.channels =
        cast<RankedTensorType>(layer.getY().getType()).getShape().back();
  }
}

/// The ops that the groups' inputs depend on, and the assertions before the
/// last of these; cheap ones apart.
void Planner::findNeeded() {
  if (cuts.empty())
    return;
  SmallVector<Value> worklist;
  for (const Group &group : plan.groups)
    for (Value value : {group.input, group.stream})
      if (value)
        worklist.push_back(value);
  llvm::DenseSet<Value> checked;
  for (Operation *op : plan.flow.ops().take_front(cuts.back().position + 1))
    if (auto assertion = dyn_cast<cf::AssertOp>(op);
        assertion && checked.insert(assertion.getArg()).second) {
      needed.insert(op);
      worklist.push_back(assertion.getArg());
    }
  while (!worklist.empty()) {
    Value value = worklist.pop_back_val();
    Operation *op = value.getDefiningOp();
    if (!op || plan.flow.isCheap(value) || !needed.insert(op).second)
      continue;
    llvm::append_range(worklist, FunctionFlow::inputsOf(op));
  }
}

/// What is alive after the op at the cut.
void Planner::findLive(Cut &cut) const {
  llvm::SetVector<Value> live;
  auto consider = [&](Value value) {
    if (!isa<BlockArgument>(value) && !plan.flow.isCheap(value) &&
        plan.flow.positionOf(value) <= cut.position)
      live.insert(value);
  };
  for (size_t group : cut.groups)
    consider(plan.groups[group].input);
  // No op that is needed need read it: the last layer's.
  for (const Group &group : plan.groups)
    if (group.stream && plan.flow.positionOf(group.input) >= cut.position)
      consider(group.stream);
  for (Operation *op : plan.flow.ops().drop_front(cut.position + 1)) {
    if (!needed.contains(op))
      continue;
    for (Value value : FunctionFlow::inputsOf(op))
      consider(value);
  }
  cut.live = live.takeVector();
  llvm::sort(cut.live,
             [&](Value a, Value b) { return plan.flow.comesBefore(a, b); });
  for (Value value : cut.live)
    if (plan.flow.dependsOnData(value))
      cut.bytes += FunctionFlow::bytesOf(value, unknownSize);
}

void Planner::chooseCuts() {
  for (Cut &cut : cuts) {
    findLive(cut);
    // At the arguments nothing is kept.
    cut.kept =
        cut.position < 0 || llvm::all_of(cut.live, FunctionFlow::canKeep);
  }
  for (size_t i = 0; i < cuts.size(); ++i) {
    double least = std::numeric_limits<double>::infinity();
    for (size_t neighbour : {i - 1, i + 1})
      if (neighbour < cuts.size() && cuts[neighbour].bytes > 0)
        least = std::min(least, cuts[neighbour].bytes);
    if (cuts[i].bytes > kTooMuch * least)
      cuts[i].kept = false;
  }
}

void Planner::makeSteps() {
  // From the arguments to the first cut.
  plan.steps.emplace_back();
  for (const Cut &cut : cuts) {
    if (cut.kept && cut.position >= 0) {
      Step &step = plan.steps.emplace_back();
      step.position = cut.position;
      step.live = cut.live;
    }
    for (size_t group : cut.groups) {
      plan.groups[group].step = plan.steps.size() - 1;
      plan.steps.back().groups.push_back(group);
    }
  }
  for (auto [index, group] : llvm::enumerate(plan.groups))
    if (!group.input)
      plan.steps.front().groups.push_back(index);
  for (auto [index, step] : llvm::enumerate(plan.steps)) {
    int64_t end = index + 1 < plan.steps.size()
                      ? plan.steps[index + 1].position
                      : (cuts.empty() ? -1 : cuts.back().position);
    for (int64_t i = step.position + 1; i <= end; ++i)
      if (Operation *op = plan.flow.ops()[i];
          isa<cf::AssertOp>(op) && needed.contains(op))
        step.assertions.push_back(op);
  }
}

void Planner::findEarly(const StatisticUses &uses) {
  llvm::StringMap<size_t> groupOf;
  for (auto [index, group] : llvm::enumerate(plan.groups))
    if (group.input)
      for (const std::string &layer : group.layers)
        groupOf[layer] = index;
  for (const auto &[layer, statistic] : uses) {
    auto from = groupOf.find(layer), to = groupOf.find(statistic);
    if (from == groupOf.end() || to == groupOf.end())
      continue;
    size_t step = plan.groups[from->second].step;
    std::vector<size_t> &early = plan.steps[step].early;
    if (plan.groups[to->second].step > step &&
        !llvm::is_contained(early, to->second))
      early.push_back(to->second);
  }
  for (Step &step : plan.steps)
    llvm::sort(step.early);
}

FailureOr<SegmentPlan> qk::calibration::planSegments(
    ModelCopy &copy, func::FuncOp function, ArrayRef<std::string> layers,
    const llvm::StringSet<> &rounded, const llvm::StringSet<> &residuals,
    const StatisticUses &uses, double unknownSize) {
  SegmentPlan plan;
  plan.function = function;
  FailureOr<FunctionFlow> flow = FunctionFlow::analyse(copy, function, rounded);
  if (failed(flow))
    return failure();
  plan.flow = std::move(*flow);
  Planner planner(copy, plan, unknownSize);
  if (failed(planner.findGroups(layers, rounded, uses)))
    return failure();
  planner.findStreams(residuals);
  planner.findNeeded();
  planner.chooseCuts();
  planner.makeSteps();
  planner.findEarly(uses);
  return plan;
}

void SegmentPlan::print(llvm::raw_ostream &stream) const {
  auto printGroups = [&](ArrayRef<size_t> numbers) {
    for (size_t group : numbers) {
      stream << " [";
      llvm::interleave(groups[group].layers, stream, ", ");
      stream << "]";
    }
  };
  if (!first.empty()) {
    stream << "calibration: before step 0, on the float model: [";
    llvm::interleaveComma(first, stream);
    stream << "]\n";
  }
  for (auto [index, step] : llvm::enumerate(steps)) {
    stream << "calibration: step " << index << ":";
    printGroups(step.groups);
    if (!step.early.empty()) {
      stream << " looking ahead to";
      printGroups(step.early);
    }
    stream << (step.groups.empty() ? " no layer; keeps" : "; keeps");
    for (Value value : step.live)
      stream << " " << value.getType();
    stream << (step.live.empty() ? " nothing\n" : "\n");
  }
}
