//===- Evaluate.cpp - Computes the constant part of recipes ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/Transforms/Evaluate.h"

#include "Evaluation/EffectiveWeight.h"
#include "Evaluation/Journal.h"
#include "Evaluation/RecipeEvaluator.h"
#include "Evaluation/Report.h"
#include "Evaluation/ResultWriter.h"
#include "Evaluation/Tasks.h"
#include "Evaluation/Warnings.h"
#include "Recipe.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Dialect/QuantLLM/Transforms/TimeLeft.h"
#include "qk/Numerics/OutputError.h"
#include "qk/Numerics/RoundToNearest.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Iterators.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/raw_ostream.h"

#include <atomic>
#include <chrono>

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

bool qk::quant_llm::hasRecipe(ModuleOp module) {
  return !collectTasks(module).empty();
}

uint64_t LayerStatistics::makeId() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

EvaluateOptions EvaluateOptions::fromModule(ModuleOp module) {
  EvaluateOptions options;
  auto settings =
      module->getAttrOfType<DictionaryAttr>(QuantLLMDialect::kEvaluateAttr);
  if (!settings)
    return options;
  if (auto fallback = settings.getAs<StringAttr>("fallback"))
    options.fallbackToRtn = fallback == "rtn";
  options.strict = settings.contains("strict");
  if (auto path = settings.getAs<StringAttr>("output_weights"))
    options.outputWeights = path.str();
  if (auto path = settings.getAs<StringAttr>("report"))
    options.report = path.str();
  options.resume = settings.contains("resume");
  return options;
}

namespace {

/// What a task's result is called.
StringRef nameOf(const Task &task) {
  return task.isRounding() ? task.layer : task.name;
}

/// Elements of what it gives, which its time goes by.
double sizeOf(const Task &task) {
  auto type = cast<RankedTensorType>(task.op->getResult(0).getType());
  return static_cast<double>(type.getNumElements());
}

/// One evaluate run.
class Evaluation {
public:
  Evaluation(ModuleOp module, StatisticsSource *source,
             const EvaluateOptions &options)
      : module(module), source(source), options(options) {}

  LogicalResult run();

private:
  LogicalResult checkStatistics();
  LogicalResult readJournal();
  LogicalResult finish(size_t index, TaskRecord &record, ResultWriter &writer);
  FailureOr<TaskRecord> evaluate(const Task &task, RecipeEvaluator &evaluator);
  FailureOr<TaskRecord> evaluateTensor(const Task &task,
                                       RecipeEvaluator &evaluator);
  void findLastUses();
  void releaseAfter(size_t index);
  void showProgress(const Task &task, size_t index) const;
  void eraseDeadRecipe();

  ModuleOp module;
  StatisticsSource *source;
  const EvaluateOptions &options;
  std::vector<Task> tasks;
  std::vector<ReportEntry> report;
  /// By task: the layers whose statistics no later one asks for. A recipe
  /// may name other layers than its own (those that read the same input).
  std::vector<SmallVector<std::string>> lastUses;
  bool identityHessian = false;
  /// Since the first task that is to be done began; how much of all to do is
  /// done, by elements.
  ElapsedTime elapsed;
  double weightDone = 0, weightToDo = 1;
  /// Only with `resume`.
  std::optional<Journal> journal;
  /// How many tasks an earlier run has done.
  size_t done = 0;
};

} // namespace

/// Which layers have statistics: none at all is a warning (the user tries the
/// pipeline on a bare model), some missing an error.
LogicalResult Evaluation::checkStatistics() {
  llvm::SetVector<StringRef> needed;
  for (const Task &task : tasks)
    collectStatisticLayers(task.op, needed);
  if (source) {
    // Some need none; their error is still worth showing.
    for (const Task &task : tasks)
      if (task.isRounding())
        needed.insert(task.layer);
    std::vector<std::string> layers;
    for (StringRef layer : needed)
      layers.push_back(layer.str());
    return source->prepare(module, layers);
  }
  if (needed.empty())
    return success();
  std::string message =
      "no statistics for any of " + std::to_string(needed.size()) +
      " layers that need them; give --calibrate=\"inputs=FILE.safetensors\" or "
      "--calibrate=\"stats=FILE.safetensors\"";
  if (options.strict)
    return emitError(module.getLoc()) << message;
  emitWarning(module.getLoc())
      << message
      << "; going on with identity Hessians, which makes "
         "compensated rounding no better than the nearest";
  identityHessian = true;
  return success();
}

void Evaluation::findLastUses() {
  lastUses.resize(tasks.size());
  llvm::StringSet<> later;
  for (size_t i = tasks.size(); i-- > 0;) {
    llvm::SetVector<StringRef> layers;
    collectStatisticLayers(tasks[i].op, layers);
    // For the report.
    if (tasks[i].isRounding())
      layers.insert(tasks[i].layer);
    for (StringRef layer : layers)
      if (later.insert(layer).second)
        lastUses[i].push_back(layer.str());
  }
}

void Evaluation::releaseAfter(size_t index) {
  if (source)
    for (const std::string &layer : lastUses[index])
      source->release(layer);
}

void Evaluation::showProgress(const Task &task, size_t index) const {
  if (!options.progress)
    return;
  llvm::errs() << "\r\033[K[" << index + 1 << "/" << tasks.size() << "] "
               << task.layer
               << describeTimeLeft(elapsed.seconds(), weightDone / weightToDo);
  llvm::errs().flush();
}

static std::string describe(SchemeAttr scheme) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << stringifyCodeType(scheme.getCodeType()) << " group "
         << scheme.getGroup() << " scale " << scheme.getScaleType();
  return text;
}

FailureOr<TaskRecord> Evaluation::evaluateTensor(const Task &task,
                                                 RecipeEvaluator &evaluator) {
  FailureOr<std::vector<float>> elements =
      evaluator.compute(task.op->getResult(0), task.layer);
  if (failed(elements))
    return failure();
  TaskRecord record;
  record.elements = std::move(*elements);
  return record;
}

FailureOr<TaskRecord> Evaluation::evaluate(const Task &rounding,
                                           RecipeEvaluator &evaluator) {
  auto start = std::chrono::steady_clock::now();
  FailureOr<RoundedWeight> rounded =
      evaluator.round(rounding.op, rounding.layer);
  if (failed(rounded))
    return failure();

  warnOfUnderflows(rounding, rounded->weight);

  TaskRecord record;
  ReportEntry &entry = record.report;
  entry.n = rounded->weight.n;
  entry.k = rounded->weight.k;
  ArrayRef<float> heldOut;
  entry.method = rounded->method;
  entry.error = rounded->error;
  entry.damping = rounded->damping;
  entry.deadColumns = rounded->deadColumns;
  entry.fellBack = rounded->fellBack;
  if (source) {
    FailureOr<const LayerStatistics *> statistics = source->get(rounding.layer);
    if (failed(statistics))
      return failure();
    if (*statistics) {
      entry.tokens = (*statistics)->tokens;
      heldOut = (*statistics)->heldOut;
      if (rounded->method == "gptq")
        warnOfFewTokens(rounding, (*statistics)->tokens, entry.k);
    }
  }
  bool wanted = source && source->wantsRounded(rounding.layer);
  if (wanted || !heldOut.empty()) {
    FailureOr<std::vector<float>> effective = computeEffectiveWeight(
        rounding.op, rounding.layer, rounded->weight, evaluator);
    if (failed(effective))
      return failure();
    record.effective = std::move(*effective);
  }
  if (!heldOut.empty()) {
    Value weight = rounding.op->getOperand(0);
    while (!isParameterView(weight))
      weight = weight.getDefiningOp()->getOperand(0);
    FailureOr<std::vector<float>> original =
        evaluator.compute(weight, rounding.layer);
    if (failed(original))
      return failure();
    entry.heldOutError =
        numerics::outputError(original->data(), record.effective.data(),
                              entry.n, entry.k, heldOut.data())
            .relative;
    if (!wanted)
      record.effective.clear();
  }
  entry.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  record.weight = std::move(rounded->weight);
  return record;
}

/// What has become of a task, now or in an earlier run, goes to where it is
/// needed.
LogicalResult Evaluation::finish(size_t index, TaskRecord &record,
                                 ResultWriter &writer) {
  const Task &task = tasks[index];
  if (!task.isRounding())
    return writer.writeTensor(task.op->getResult(0), task.name, record.elements,
                              isInRecipe);
  ReportEntry &entry = record.report;
  SchemeAttr scheme;
  if (auto op = dyn_cast<RoundToNearestOp>(task.op)) {
    scheme = op.getScheme();
    entry.symmetric = op.getSymmetric();
  } else {
    auto gptq = cast<RoundCompensatedOp>(task.op);
    scheme = gptq.getScheme();
    entry.symmetric = gptq.getSymmetric();
  }
  record.weight.scheme = scheme.getScheme();
  entry.layer = task.layer;
  entry.n = record.weight.n;
  entry.k = record.weight.k;
  entry.scheme = describe(scheme);
  if (identityHessian)
    for (Operation *user : task.op->getUsers())
      user->setAttr("quant_llm.uncalibrated",
                    UnitAttr::get(module.getContext()));
  // A source that has nothing more to give need not follow.
  if (source && source->wantsRounded(task.layer) && done < tasks.size()) {
    if (record.effective.empty())
      record.effective = numerics::dequantize(record.weight);
    if (failed(source->setRounded(task.layer, record.effective)))
      return failure();
  }
  report.push_back(std::move(entry));
  return writer.write(task.op, task.layer, record.weight);
}

/// Opens the journal and finds how far an earlier run has come.
LogicalResult Evaluation::readJournal() {
  if (options.outputWeights.empty())
    return emitError(module.getLoc())
           << "expected output-weights=FILE.safetensors with resume, got none: "
              "what is done is kept beside that file";
  FailureOr<Journal> opened = Journal::open(module, options.outputWeights);
  if (failed(opened))
    return failure();
  journal = std::move(*opened);
  return success();
}

/// What only the recipe used: statistics, factors, the float weights, and what
/// binding made of a file's tensor to get them.
void Evaluation::eraseDeadRecipe() {
  module.walk<WalkOrder::PostOrder, ReverseIterator>([&](Operation *op) {
    if (isa_and_present<QuantLLMDialect>(op->getDialect()) ||
        isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, arith::ExtFOp,
            arith::TruncFOp>(op))
      if (isOpTriviallyDead(op))
        op->erase();
  });
}

LogicalResult Evaluation::run() {
  tasks = collectTasks(module);
  if (tasks.empty())
    return success();
  // Before anything that takes time.
  remarkTails(tasks);
  if (failed(checkStatistics()))
    return failure();
  if (source)
    sortTasks(tasks, source->order());
  // The recipes are still whole.
  if (options.resume && failed(readJournal()))
    return failure();
  ResultWriter writer(module, options.outputWeights);
  for (const Task &task : tasks)
    if (failed(task.isRounding()
                   ? writer.declare(task.op, task.layer)
                   : writer.declareTensor(task.op->getResult(0), task.name)))
      return failure();
  findLastUses();
  RecipeEvaluator evaluator(source, options, identityHessian);
  while (journal && done < tasks.size() && journal->has(done))
    ++done;
  // A source that quantises as it goes has other statistics later.
  if (source && !source->order().empty())
    done = countResumable(tasks, done);
  elapsed = {};
  weightToDo = 0;
  for (const Task &task : ArrayRef(tasks).drop_front(done))
    weightToDo += sizeOf(task);
  for (auto [index, task] : llvm::enumerate(tasks)) {
    showProgress(task, index);
    FailureOr<TaskRecord> record =
        index < done        ? journal->read(index, nameOf(task))
        : task.isRounding() ? evaluate(task, evaluator)
                            : evaluateTensor(task, evaluator);
    if (failed(record))
      return failure();
    if (journal && index >= done &&
        failed(journal->write(index, nameOf(task), *record)))
      return failure();
    if (index >= done)
      weightDone += sizeOf(task);
    if (failed(finish(index, *record, writer)))
      return failure();
    releaseAfter(index);
  }
  if (options.progress)
    llvm::errs() << "\r\033[K";
  if (failed(writer.commit()))
    return failure();
  if (!options.report.empty() &&
      failed(writeReport(module, options.report, report)))
    return failure();
  if (journal)
    journal->remove();
  eraseDeadRecipe();
  // Done; a second evaluate has nothing to do.
  module->removeAttr(QuantLLMDialect::kEvaluateAttr);
  return success();
}

LogicalResult qk::quant_llm::evaluateRecipes(ModuleOp module,
                                             StatisticsSource *source,
                                             const EvaluateOptions &options) {
  return Evaluation(module, source, options).run();
}
