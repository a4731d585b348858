//===- Evaluate.cpp - Computes the constant part of recipes ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/Transforms/Evaluate.h"

#include "Evaluation/EffectiveWeight.h"
#include "Evaluation/RecipeEvaluator.h"
#include "Evaluation/Report.h"
#include "Evaluation/ResultWriter.h"
#include "Evaluation/Tasks.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

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
  return options;
}

namespace {

/// One evaluate run.
class Evaluation {
public:
  Evaluation(ModuleOp module, StatisticsSource *source,
             const EvaluateOptions &options)
      : module(module), source(source), options(options) {}

  LogicalResult run();

private:
  LogicalResult checkStatistics();
  LogicalResult evaluate(const Task &task, RecipeEvaluator &evaluator,
                         ResultWriter &writer);
  LogicalResult evaluateTensor(const Task &task, RecipeEvaluator &evaluator,
                               ResultWriter &writer);
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
               << task.layer;
  llvm::errs().flush();
}

static std::string describe(SchemeAttr scheme) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << stringifyCodeType(scheme.getCodeType()) << " group "
         << scheme.getGroup() << " scale " << scheme.getScaleType();
  return text;
}

LogicalResult Evaluation::evaluateTensor(const Task &task,
                                         RecipeEvaluator &evaluator,
                                         ResultWriter &writer) {
  Value value = task.op->getResult(0);
  FailureOr<std::vector<float>> elements = evaluator.compute(value, task.layer);
  if (failed(elements))
    return failure();
  return writer.writeTensor(value, task.name, *elements, isInRecipe);
}

/// Scales that f16 had to make larger than they are, in a weight whose others
/// are not so much larger that their weights don't matter.
static int64_t countUnderflows(const numerics::QuantizedWeight &weight) {
  if (weight.scheme.scaleType != numerics::ScaleType::F16)
    return 0;
  constexpr float smallest = 0x1p-24f, irrelevant = 1e4f * smallest;
  int64_t count = 0;
  for (float scale : weight.scales) {
    // A group of zeros has 1.
    if (scale > irrelevant && scale != 1.0f)
      return 0;
    count += scale == smallest;
  }
  return count;
}

LogicalResult Evaluation::evaluate(const Task &rounding,
                                   RecipeEvaluator &evaluator,
                                   ResultWriter &writer) {
  auto start = std::chrono::steady_clock::now();
  FailureOr<RoundedWeight> rounded =
      evaluator.round(rounding.op, rounding.layer);
  if (failed(rounded))
    return failure();

  if (int64_t underflows = countUnderflows(rounded->weight))
    rounding.op->emitWarning()
        << "layer '" << rounding.layer << "': " << underflows << " of "
        << rounded->weight.scales.size()
        << " scales are too small for f16, which loses weights; "
           "scale-type=bf16 or f32 keeps them";

  ReportEntry entry;
  entry.layer = rounding.layer;
  entry.n = rounded->weight.n;
  entry.k = rounded->weight.k;
  if (auto op = dyn_cast<RoundToNearestOp>(rounding.op)) {
    entry.scheme = describe(op.getScheme());
    entry.symmetric = op.getSymmetric();
  } else {
    auto gptq = cast<RoundCompensatedOp>(rounding.op);
    entry.scheme = describe(gptq.getScheme());
    entry.symmetric = gptq.getSymmetric();
  }
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
      if (rounded->method == "gptq" && (*statistics)->tokens < entry.k)
        rounding.op->emitWarning()
            << "layer '" << rounding.layer << "' saw " << *entry.tokens
            << " tokens, fewer than its " << entry.k
            << " input channels: the Hessian is rank-deficient and the result "
               "rests on damping; calibrate with more samples";
    }
  }
  if (identityHessian)
    for (Operation *user : rounding.op->getUsers())
      user->setAttr("quant_llm.uncalibrated",
                    UnitAttr::get(module.getContext()));
  if (source && source->wantsRounded(rounding.layer)) {
    FailureOr<std::vector<float>> effective = computeEffectiveWeight(
        rounding.op, rounding.layer, rounded->weight, evaluator);
    if (failed(effective) ||
        failed(source->setRounded(rounding.layer, *effective)))
      return failure();
  }
  if (failed(writer.write(rounding.op, rounding.layer, rounded->weight)))
    return failure();
  entry.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  report.push_back(std::move(entry));
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
  if (failed(checkStatistics()))
    return failure();
  if (source)
    sortTasks(tasks, source->order());
  ResultWriter writer(module, options.outputWeights);
  for (const Task &task : tasks)
    if (failed(task.isRounding()
                   ? writer.declare(task.op, task.layer)
                   : writer.declareTensor(task.op->getResult(0), task.name)))
      return failure();
  findLastUses();
  RecipeEvaluator evaluator(source, options, identityHessian);
  for (auto [index, task] : llvm::enumerate(tasks)) {
    showProgress(task, index);
    if (failed(task.isRounding() ? evaluate(task, evaluator, writer)
                                 : evaluateTensor(task, evaluator, writer)))
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
