//===- Tasks.cpp - What evaluate computes, in order -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tasks.h"

#include "../Recipe.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

bool qk::quant_llm::isRounding(Operation *op) {
  return isa<RoundToNearestOp, RoundCompensatedOp>(op);
}

/// The layers whose statistics a recipe names.
void qk::quant_llm::collectStatisticLayers(Operation *op,
                                           llvm::SetVector<StringRef> &layers) {
  if (auto statistic = dyn_cast<StatisticOp>(op))
    layers.insert(statistic.getLayer());
  for (Value operand : op->getOperands())
    if (Operation *producer = operand.getDefiningOp())
      collectStatisticLayers(producer, layers);
}

/// Whether a use is part of a recipe, rather than of the model.
bool qk::quant_llm::isInRecipe(OpOperand &use) {
  Operation *user = use.getOwner();
  return isRounding(user) ||
         (user->getNumResults() == 1 && isRecipeValue(user->getResult(0)));
}

/// What the tensor that `op` computes is called: as the parameter that it is
/// made from, or after the layer whose input it is for.
static std::string getTensorName(Operation *op) {
  Operation *root = op;
  while (root->getNumOperands() > 0 &&
         !isa<SmoothingFactorsOp, SearchSmoothingFactorsOp, SaliencyFactorsOp,
              GatherFactorsOp, ActivationScaleOp, ScaleStatisticOp>(root))
    root = root->getOperand(0).getDefiningOp();
  if (auto parameter = dyn_cast<ParameterOp>(root))
    return parameter.getName().str();
  llvm::SetVector<StringRef> layers;
  collectStatisticLayers(op, layers);
  std::string layer = layers.empty() ? "unnamed" : layers.front().str();
  return layer +
         (isa<ActivationScaleOp>(op) ? ".input_scale" : ".input_factors");
}

std::vector<Task> qk::quant_llm::collectTasks(ModuleOp module) {
  std::vector<Task> roundings, tensors;
  llvm::SmallPtrSet<Operation *, 32> seen;
  llvm::StringSet<> names;
  module.walk([&](Operation *op) {
    if (auto matmul = dyn_cast<MatmulOp>(op)) {
      Operation *codes = matmul.getCodes().getDefiningOp();
      if (codes && isRounding(codes) && seen.insert(codes).second)
        roundings.push_back({codes, matmul.getLayer().str(), ""});
      return;
    }
    // A constant of the model is no recipe by itself.
    if (op->getNumResults() != 1 || isa<StatisticOp>(op) ||
        isParameterView(op->getResult(0)) || !isRecipeValue(op->getResult(0)) ||
        llvm::all_of(op->getResult(0).getUses(), isInRecipe))
      return;
    std::string name = getTensorName(op), unique = name;
    for (int64_t i = 1; !names.insert(unique).second; ++i)
      unique = name + "_" + std::to_string(i);
    tensors.push_back({op, unique, unique});
  });
  // Each after the first rounding that needs the same statistics, so that these
  // can be dropped.
  std::vector<std::vector<Task>> after(roundings.size() + 1);
  for (Task &tensor : tensors) {
    llvm::SetVector<StringRef> layers;
    collectStatisticLayers(tensor.op, layers);
    size_t at = 0;
    for (; at < roundings.size(); ++at) {
      llvm::SetVector<StringRef> needed;
      collectStatisticLayers(roundings[at].op, needed);
      if (llvm::any_of(layers,
                       [&](StringRef layer) { return needed.contains(layer); }))
        break;
    }
    after[at].push_back(std::move(tensor));
  }
  std::vector<Task> tasks;
  for (size_t i = 0; i <= roundings.size(); ++i) {
    if (i < roundings.size())
      tasks.push_back(std::move(roundings[i]));
    llvm::append_range(tasks, after[i]);
  }
  return tasks;
}

void qk::quant_llm::sortTasks(std::vector<Task> &tasks,
                              ArrayRef<std::string> order) {
  if (order.empty())
    return;
  llvm::StringMap<size_t> rank;
  for (const std::string &layer : order)
    rank.try_emplace(layer, rank.size());
  std::vector<std::pair<size_t, size_t>> keys;
  for (auto [index, task] : llvm::enumerate(tasks)) {
    // A rounding's recipe may look ahead to layers after it.
    llvm::SetVector<StringRef> layers;
    if (task.isRounding())
      layers.insert(task.layer);
    else
      collectStatisticLayers(task.op, layers);
    size_t last = 0;
    for (StringRef layer : layers)
      if (auto found = rank.find(layer); found != rank.end())
        last = std::max(last, found->second);
    keys.emplace_back(last, index);
  }
  llvm::sort(keys);
  std::vector<Task> sorted;
  for (auto [last, index] : keys)
    sorted.push_back(std::move(tasks[index]));
  tasks = std::move(sorted);
}

size_t qk::quant_llm::countResumable(ArrayRef<Task> tasks, size_t done) {
  llvm::StringMap<size_t> taskOf;
  for (auto [index, task] : llvm::enumerate(tasks))
    if (task.isRounding())
      taskOf.try_emplace(task.layer, index);
  for (size_t i = 0; i < done; ++i) {
    llvm::SetVector<StringRef> layers;
    collectStatisticLayers(tasks[i].op, layers);
    for (StringRef layer : layers)
      if (auto found = taskOf.find(layer);
          found != taskOf.end() && found->second >= done)
        // That task needs what this one, or one before it, looked ahead to.
        return countResumable(tasks, i);
  }
  return done;
}
