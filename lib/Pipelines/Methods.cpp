//===- Methods.cpp - Pipelines of the quantisation methods ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Pipelines/Pipelines.h"

#include "qk/Calibration/Passes.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

#include "mlir/Pass/PassRegistry.h"

using namespace mlir;
using namespace qk;

template <typename PipelineOptions>
static void addRaising(OpPassManager &manager, const PipelineOptions &options) {
  quant_llm::RaiseLinearPassOptions raise;
  raise.skip.assign(options.skip.begin(), options.skip.end());
  raise.only.assign(options.only.begin(), options.only.end());
  manager.addPass(quant_llm::createRaiseLinearPass(raise));
}

template <typename PassOptions, typename PipelineOptions>
static PassOptions getRounding(const PipelineOptions &options) {
  PassOptions rounding;
  rounding.bits = options.bits;
  rounding.groupSize = options.groupSize;
  rounding.symmetric = options.symmetric;
  rounding.scaleType = options.scaleType;
  rounding.scaleSearch = options.scaleSearch;
  rounding.overrides = options.overrides;
  rounding.fallback = options.fallback;
  rounding.strict = options.strict;
  rounding.outputWeights = options.outputWeights;
  rounding.report = options.report;
  rounding.recipeOnly = options.recipeOnly;
  return rounding;
}

void qk::buildRtnPipeline(OpPassManager &manager,
                          const RtnPipelineOptions &options) {
  addRaising(manager, options);
  manager.addPass(quant_llm::createApplyRtnPass(
      getRounding<quant_llm::ApplyRtnPassOptions>(options)));
}

void qk::buildGptqPipeline(OpPassManager &manager,
                           const GptqPipelineOptions &options) {
  addRaising(manager, options);
  auto gptq = getRounding<quant_llm::ApplyGptqPassOptions>(options);
  gptq.order = options.order;
  gptq.staticGroups = options.staticGroups;
  gptq.damping = options.damping;
  gptq.blockSize = options.blockSize;
  gptq.sweeps = options.sweeps;
  manager.addPass(quant_llm::createApplyGptqPass(gptq));
}

namespace {
struct CalibratePipelineOptions
    : PassPipelineOptions<CalibratePipelineOptions> {
  Option<std::string> inputs{
      *this, "inputs",
      llvm::cl::desc("Safetensors file of samples to run the model on"),
      llvm::cl::init("")};
  Option<std::string> stats{
      *this, "stats",
      llvm::cl::desc(
          "Safetensors file of statistics (quant-llm-write-statistics)"),
      llvm::cl::init("")};
  Option<std::string> entry{
      *this, "entry",
      llvm::cl::desc("Function to run; default: the only public one"),
      llvm::cl::init("")};
  Option<bool> profile{
      *this, "profile",
      llvm::cl::desc(
          "Print how long the model ran, beside its contractions alone"),
      llvm::cl::init(false)};
};
} // namespace

static void buildCalibratePipeline(OpPassManager &manager,
                                   const CalibratePipelineOptions &options) {
  calibration::CalibratePassOptions calibrate;
  calibrate.inputs = options.inputs;
  calibrate.stats = options.stats;
  calibrate.entry = options.entry;
  calibrate.profile = options.profile;
  manager.addPass(calibration::createCalibratePass(calibrate));
}

void qk::registerMethodPipelines(bool shortNames) {
  PassPipelineRegistration<RtnPipelineOptions>(
      "quant-llm-rtn", "Quantise by round-to-nearest", buildRtnPipeline);
  PassPipelineRegistration<GptqPipelineOptions>(
      "quant-llm-gptq", "Quantise by GPTQ (arXiv 2210.17323)",
      buildGptqPipeline);
  if (!shortNames)
    return;
  PassPipelineRegistration<RtnPipelineOptions>(
      "rtn", "Quantise by round-to-nearest", buildRtnPipeline);
  PassPipelineRegistration<GptqPipelineOptions>(
      "gptq", "Quantise by GPTQ (arXiv 2210.17323)", buildGptqPipeline);
  PassPipelineRegistration<CalibratePipelineOptions>(
      "calibrate", "Which samples or statistics to quantise with",
      buildCalibratePipeline);
}
