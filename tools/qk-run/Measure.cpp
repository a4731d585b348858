//===- Measure.cpp - How fast and how well a program predicts -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Measure.h"
#include "Results.h"
#include "qk/Execution/Loss.h"
#include "qk/Runtime/Runtime.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <cmath>
#include <ctime>
#include <tuple>

using namespace qk;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
using storage::makeError;

static double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// CPU seconds of all threads: what other programs do doesn't count.
static double cpuNow() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         1e-9 * static_cast<double>(time.tv_nsec);
}

/// Each group's time with its kinds, longest first, and what is left: sizes,
/// checks, calls.
static void printSteps(std::vector<ProfileStep> steps, double forward) {
  llvm::sort(steps, [](const ProfileStep &a, const ProfileStep &b) {
    return std::tie(b.seconds, a.kind) < std::tie(a.seconds, b.kind);
  });
  double rest = forward;
  auto line = [&](int indent, StringRef what, double seconds) {
    llvm::outs() << llvm::format("%*s%9.3f ms %5.1f%%  ", indent, "",
                                 seconds * 1e3, seconds / forward * 100)
                 << what;
  };
  for (auto [group, title] :
       {std::pair(ProfileStep::Quantized, "quantised kernels"),
        {ProfileStep::Quantizer, "quantising activations"},
        {ProfileStep::Contraction, "products in float"},
        {ProfileStep::Loop, "other operations"},
        {ProfileStep::Memory, "memory"}}) {
    double total = 0;
    for (const ProfileStep &step : steps)
      if (step.group == group)
        total += step.seconds;
    rest -= total;
    if (total == 0)
      continue;
    line(0, title, total);
    llvm::outs() << "\n";
    for (const ProfileStep &step : steps)
      if (step.group == group && step.calls) {
        line(2, step.kind, step.seconds);
        llvm::outs() << " (" << step.calls << " calls)\n";
      }
  }
  line(0, "overhead", rest);
  llvm::outs() << "\n";
}

/// The best of several forwards, after one to warm up, its contractions and
/// steps.
Error qk::runProfile(Program &program, const std::vector<Tensor> &inputs) {
  if (auto warm = program.executable->call(*program.entry, inputs); !warm)
    return warm.takeError();
  double best = INFINITY, leastCPU = INFINITY, contractions = 0, flops = 0;
  int64_t calls = 0;
  std::vector<ProfileStep> steps;
  // At least five, and a second's worth: other programs disturb.
  double end = now() + 1;
  for (int run = 0; run < 5 || now() < end; ++run) {
    qk_profile_start();
    program.executable->clearProfile();
    double begin = now(), cpuBegin = cpuNow();
    auto results = program.executable->call(*program.entry, inputs);
    double seconds = now() - begin;
    leastCPU = std::min(leastCPU, cpuNow() - cpuBegin);
    if (!results)
      return results.takeError();
    if (seconds < best) {
      best = seconds;
      qk_profile_read(QK_PROFILE_CONTRACTION, &calls, &contractions, &flops);
      steps.clear();
      for (const auto &step : program.executable->profile())
        steps.push_back(*step);
    }
  }
  llvm::outs() << llvm::format("forward: %.3f ms (CPU %.3f ms)\n", best * 1e3,
                               leastCPU * 1e3)
               << llvm::format("contractions: %.3f ms in %lld calls",
                               contractions * 1e3, (long long)calls);
  if (contractions > 0)
    llvm::outs() << llvm::format(
        ", %.1f GFLOP/s; a forward takes %.2fx the time of its contractions",
        flops / contractions * 1e-9, best / contractions);
  llvm::outs() << "\n";
  printSteps(std::move(steps), best);
  return Error::success();
}

/// Sequence number `index` of written logits, which are to be like `own`. A
/// file with one sequence may leave out their number.
static Expected<Tensor> sliceLogits(const Tensor &all, int64_t index,
                                    const Tensor &own) {
  std::vector<int64_t> shape(own.shape.begin(), own.shape.end());
  int64_t count = 1;
  if (all.shape.size() == shape.size() + 1) {
    count = all.shape.front();
    shape.insert(shape.begin(), count);
  }
  if (all.type != own.type || !llvm::equal(all.shape, shape) || index >= count)
    return makeError("reference: expected logits like " + own.describe() +
                     " of at least " + Twine(index + 1) + " sequences, got " +
                     all.describe());
  Tensor slice = all;
  slice.shape = own.shape;
  slice.data = all.data + index * static_cast<int64_t>(own.bytes().size());
  return slice;
}

/// Adds the loss of sequence number `index`, running the program and the
/// reference on it.
static Error addSequence(LossSums &sums, Program &program, Reference *other,
                         int64_t index, const std::vector<Tensor> &inputs,
                         llvm::ArrayRef<uint8_t> mask) {
  auto results = program.executable->call(*program.entry, inputs);
  if (!results)
    return results.takeError();
  if (results->size() != 1)
    return makeError("function '" + program.entry->name +
                     "': expected one result, logits, got " +
                     Twine(results->size()));
  std::optional<Tensor> logits;
  if (other && other->logits) {
    auto slice = sliceLogits(*other->logits, index, results->front());
    if (!slice)
      return slice.takeError();
    logits = *slice;
  } else if (other) {
    auto references =
        other->program->executable->call(*other->program->entry, inputs);
    if (!references)
      return makeError("reference: " + toString(references.takeError()));
    if (references->size() != 1)
      return makeError("reference: expected one result, got " +
                       Twine(references->size()));
    logits = references->front();
  }
  return addLoss(sums, results->front(), inputs.front(),
                 logits ? &*logits : nullptr, mask);
}

bool qk::holdsTokens(const Entry &entry) {
  return !entry.arguments.empty() &&
         (entry.arguments[0].type == storage::DataType::I64 ||
          entry.arguments[0].type == storage::DataType::I32);
}

static void printLoss(const LossSums &sums, bool withReference) {
  llvm::outs() << llvm::format("loss: %.5f\n", sums.meanLoss());
  if (withReference)
    llvm::outs() << llvm::format("kl: %.5g\n", sums.meanDivergence());
  llvm::outs() << "predictions: " << sums.predictions << "\n";
}

Error qk::runLoss(Program &program, Reference *other,
                  const execution::SampleFile &samples) {
  LossSums sums;
  for (size_t s = 0; s < samples.size(); ++s)
    if (Error error = addSequence(sums, program, other, s,
                                  tensorsOf(samples[s]), samples[s].mask))
      return makeError("sample " + Twine(s) + ": " +
                       toString(std::move(error)));
  if (!sums.predictions)
    return makeError("nothing to predict: every sample has fewer than two "
                     "tokens that count");
  printLoss(sums, other != nullptr);
  return Error::success();
}

/// One window's arguments: the tokens, and ones for every further integer
/// argument (attention masks).
static Expected<std::vector<Tensor>>
windowInputs(const Entry &entry, llvm::ArrayRef<int64_t> tokens) {
  std::vector<Tensor> inputs;
  for (const TensorSpec &spec : entry.arguments) {
    bool wide = spec.type == storage::DataType::I64;
    if (!wide && spec.type != storage::DataType::I32)
      return makeError("function '" + entry.name +
                       "': --perplexity needs integer arguments only (tokens "
                       "and masks), got " +
                       spec.describe());
    std::vector<int64_t> shape(spec.shape.size(), 1);
    if (!shape.empty())
      shape.back() = tokens.size();
    Tensor tensor = Tensor::allocate(spec.type, shape);
    for (int64_t i = 0; i < tensor.numElements(); ++i) {
      int64_t value = inputs.empty() ? tokens[i] : 1;
      if (wide)
        const_cast<int64_t *>(tensor.as<int64_t>().data())[i] = value;
      else
        const_cast<int32_t *>(tensor.as<int32_t>().data())[i] = value;
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

Error qk::runPerplexity(Program &program, Reference *other,
                        StringRef perplexity, int64_t window, int64_t windows) {
  Expected<Tensor> text = readNpy(perplexity);
  if (!text)
    return text.takeError();
  if (text->type != storage::DataType::I64 || text->shape.size() != 1)
    return makeError(Twine(perplexity) + ": expected tokens as I64[n], got " +
                     text->describe());
  if (window < 2 || windows < 1)
    return makeError("expected --window of at least 2 and --windows of at "
                     "least 1, got " +
                     Twine(window) + " and " + Twine(windows));
  int64_t available = text->shape[0] / window;
  if (available == 0)
    return makeError(Twine(perplexity) + ": expected at least one window of " +
                     Twine(window) + " tokens, got " + Twine(text->shape[0]));
  LossSums sums;
  for (int64_t w = 0, end = std::min(available, windows); w < end; ++w) {
    auto inputs = windowInputs(*program.entry,
                               text->as<int64_t>().slice(w * window, window));
    if (!inputs)
      return inputs.takeError();
    if (Error error = addSequence(sums, program, other, w, *inputs, {}))
      return makeError("window " + Twine(w) + ": " +
                       toString(std::move(error)));
  }
  llvm::outs() << llvm::format("perplexity: %.4f\n", std::exp(sums.meanLoss()));
  printLoss(sums, other != nullptr);
  return Error::success();
}
