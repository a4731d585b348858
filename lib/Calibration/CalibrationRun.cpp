//===- CalibrationRun.cpp - Statistics by running the model ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Calibration/CalibrationRun.h"

#include "HeldOut.h"
#include "ObservedModel.h"
#include "Profile.h"
#include "Stopwatch.h"

#include "qk/Dialect/QuantLLM/Transforms/TimeLeft.h"
#include "qk/Execution/Executable.h"
#include "qk/Execution/SampleFile.h"
#include "qk/Runtime/Runtime.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/Format.h"

#include <cstring>
#include <utility>

using namespace mlir;
using namespace qk;
using namespace qk::calibration;

namespace {

/// Feeds accumulators with what the running model shows.
class Collector {
public:
  /// Samples from number `firstHeldOut` on are kept apart.
  Collector(const ObservedModel &model, double firstTokenWeight,
            size_t firstHeldOut)
      : model(model), firstTokenWeight(static_cast<float>(firstTokenWeight)),
        firstHeldOut(firstHeldOut) {
    for (const ObservedModel::Group &group : model.groups) {
      accumulators.emplace_back(group.k);
      heldOut.emplace_back(group.k, heldOutOptions());
    }
    qk_set_observer(observe, this);
  }
  ~Collector() { qk_set_observer(nullptr, nullptr); }

  void startSample(size_t number, const std::vector<uint8_t> &sampleMask) {
    sample = number;
    mask = &sampleMask;
  }

  /// Empty while all went well.
  const std::string &error() const { return message; }
  int64_t tokens() const {
    return accumulators.empty() ? 0 : accumulators.front().tokens();
  }
  std::vector<float> finishHeldOut(size_t group) {
    std::vector<float> hessian = takeHeldOut(heldOut[group]);
    heldOut[group] = numerics::StatisticsAccumulator(model.groups[group].k,
                                                     heldOutOptions());
    return hessian;
  }
  numerics::Statistics finish(size_t group) {
    numerics::Statistics statistics = accumulators[group].finish();
    // Sums in f64 and statistics in f32 of all layers at once would be the
    // most memory of the whole quantisation.
    accumulators[group] =
        numerics::StatisticsAccumulator(model.groups[group].k);
    return statistics;
  }

private:
  static void observe(void *self, int64_t site, int32_t element, int64_t tokens,
                      int64_t k, const void *x, int64_t rowStride) {
    static_cast<Collector *>(self)->add(static_cast<size_t>(site), element,
                                        tokens, k, x, rowStride);
  }

  void add(size_t site, int32_t element, int64_t tokens, int64_t k,
           const void *x, int64_t rowStride) {
    if (!message.empty())
      return;
    size_t group = model.sites[site];
    if (!mask->empty() && static_cast<int64_t>(mask->size()) != tokens) {
      message = describe(group) + "expected a mask of " +
                std::to_string(tokens) + " tokens, got " +
                std::to_string(mask->size());
      return;
    }
    const float *rows = toRows(element, tokens, k, x, rowStride);
    bool apart = sample >= firstHeldOut;
    numerics::Status status = (apart ? heldOut : accumulators)[group].add(
        rows, tokens, mask->empty() ? nullptr : mask->data(),
        apart ? 1.0f : firstTokenWeight);
    if (!status)
      message = describe(group) + status.error().message;
  }

  std::string describe(size_t group) const {
    return "layer '" + model.groups[group].layers.front() + "', sample " +
           std::to_string(sample) + ": ";
  }

  /// The rows as contiguous f32.
  const float *toRows(int32_t element, int64_t tokens, int64_t k, const void *x,
                      int64_t rowStride) {
    if (element == QK_F32 && rowStride == k)
      return static_cast<const float *>(x);
    buffer.resize(tokens * k);
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t i = 0; i < k; ++i)
        buffer[t * k + i] = read(element, x, t * rowStride + i);
    return buffer.data();
  }

  static float read(int32_t element, const void *x, int64_t i) {
    switch (element) {
    case QK_F16:
      return static_cast<float>(static_cast<const _Float16 *>(x)[i]);
    case QK_BF16: {
      uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t *>(x)[i])
                      << 16;
      float value;
      std::memcpy(&value, &bits, sizeof(value));
      return value;
    }
    default:
      return static_cast<const float *>(x)[i];
    }
  }

  const ObservedModel &model;
  float firstTokenWeight;
  size_t firstHeldOut;
  std::vector<numerics::StatisticsAccumulator> accumulators, heldOut;
  std::vector<float> buffer;
  const std::vector<uint8_t> *mask = nullptr;
  size_t sample = 0;
  std::string message;
};

} // namespace

/// How long the model ran, beside its contractions alone.
static void printProfile(size_t samples, int64_t tokens, double seconds) {
  int64_t calls;
  double contractions, observing, work;
  qk_profile_read(QK_PROFILE_CONTRACTION, &calls, &contractions, &work);
  qk_profile_read(QK_PROFILE_OBSERVE, &calls, &observing, &work);
  double forward = seconds - observing;
  llvm::errs() << llvm::format(
      "calibration: %zu samples, %lld tokens; forward %.2f s, its contractions "
      "alone %.2f s (ratio %.2f); statistics %.2f s\n",
      samples, static_cast<long long>(tokens), forward, contractions,
      contractions > 0 ? forward / contractions : 0.0, observing);
}

LogicalResult CalibrationRun::prepare(ModuleOp module,
                                      ArrayRef<std::string> layers) {
  location = module.getLoc();
  FailureOr<ObservedModel> model = createObservedModel(module, layers);
  if (failed(model))
    return failure();
  auto fail = [&](llvm::Error error) -> LogicalResult {
    return emitError(module.getLoc())
           << "calibration failed: " << llvm::toString(std::move(error));
  };
  auto executable = Executable::compile(model->copy->getModule());
  if (!executable)
    return fail(executable.takeError());
  auto function = (*executable)->entry(entry);
  if (!function)
    return fail(function.takeError());
  auto samples =
      execution::SampleFile::open(inputs, (*function)->sampleArguments());
  if (!samples)
    return fail(samples.takeError());

  llvm::Expected<size_t> firstHeldOut = findHeldOut(samples->size(), heldOut);
  if (!firstHeldOut)
    return fail(firstHeldOut.takeError());
  Collector collector(*model, firstTokenWeight, *firstHeldOut);
  qk_profile_start();
  Stopwatch watch;
  for (size_t i = 0; i < samples->size(); ++i) {
    if (progress) {
      llvm::errs() << "\r\033[Kcalibrating: sample " << i + 1 << "/"
                   << samples->size()
                   << quant_llm::describeTimeLeft(
                          watch.seconds(),
                          static_cast<double>(i) /
                              static_cast<double>(samples->size()));
      llvm::errs().flush();
    }
    const execution::Sample &sample = (*samples)[i];
    collector.startSample(i, sample.mask);
    auto results = (*executable)->call(**function, tensorsOf(sample));
    if (!results)
      return fail(storage::makeError("sample " + llvm::Twine(i) + ": " +
                                     llvm::toString(results.takeError())));
    if (!collector.error().empty())
      return fail(storage::makeError(collector.error()));
  }
  if (progress)
    llvm::errs() << "\r\033[K";
  countForward();
  if (profile)
    printProfile(samples->size(), collector.tokens(), watch.seconds());

  for (size_t group = 0; group < model->groups.size(); ++group) {
    auto result = std::make_unique<Entry>();
    result->data = collector.finish(group);
    result->heldOut = collector.finishHeldOut(group);
    result->view.heldOut = result->heldOut;
    result->view.k = result->data.k;
    result->view.tokens = result->data.tokens;
    result->view.hessian = result->data.hessian;
    result->view.absmax = result->data.absmax;
    result->view.absmean = result->data.absmean;
    for (const std::string &layer : model->groups[group].layers) {
      byLayer[layer] = result.get();
      ++result->users;
    }
    entries.push_back(std::move(result));
  }
  return success();
}

FailureOr<const quant_llm::LayerStatistics *>
CalibrationRun::get(StringRef layer) {
  auto found = byLayer.find(layer);
  if (found == byLayer.end())
    return nullptr;
  if (!found->second)
    return emitError(*location) << "the statistics of layer '" << layer
                                << "' were released; expected nothing to ask "
                                   "for them after that (a mistake in qk)";
  return &found->second->view;
}

void CalibrationRun::release(StringRef layer) {
  auto found = byLayer.find(layer);
  if (found == byLayer.end() || !found->second)
    return;
  Entry *entry = std::exchange(found->second, nullptr);
  if (--entry->users == 0) {
    entry->data = numerics::Statistics();
    entry->heldOut = std::vector<float>();
  }
}
