//===- Methods.cpp - Pipelines of the quantisation methods ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Pipelines/Pipelines.h"

#include "Registration.h"

#include "qk/Calibration/Passes.h"
#include "qk/Dialect/QuantLLM/Transforms/Passes.h"
#include "qk/Dialect/QuantLLM/Transforms/RaisingPasses.h"

using namespace mlir;
using namespace qk;

template <typename PipelineOptions>
static void addRaising(OpPassManager &manager, const PipelineOptions &options) {
  quant_llm::RaiseLinearPassOptions raise;
  raise.skip.assign(options.skip.begin(), options.skip.end());
  raise.only.assign(options.only.begin(), options.only.end());
  // What others quantised already is no float layer.
  manager.addPass(quant_llm::createRaiseQuantizedPass());
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
  // What the user did not give an earlier method decides, if there is one.
  auto inherit = [&](const auto &option, const char *name) {
    if (!option.hasValue())
      rounding.inherit.push_back(name);
  };
  inherit(options.bits, "bits");
  inherit(options.groupSize, "group-size");
  inherit(options.symmetric, "symmetric");
  inherit(options.scaleType, "scale-type");
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

/// What an effort sets of options that were not given.
static void applyEffort(const GptqPipelineOptions &options,
                        quant_llm::ApplyGptqPassOptions &gptq) {
  Effort effort = options.effort;
  if (!options.scaleSearch.hasValue())
    gptq.scaleSearch = "weighted";
  if (!options.sweeps.hasValue() && effort == Effort::Best)
    gptq.sweeps = 3;
  // Groups that are not static have no use for it.
  if (!options.rescales.hasValue() && effort != Effort::Fast &&
      options.staticGroups)
    gptq.rescales = 1;
  if (!options.retarget.hasValue() && effort != Effort::Fast) {
    gptq.retarget = 0.5;
    gptq.retargetOptional = true;
  }
  if (!options.firstTokenWeight.hasValue() && effort == Effort::Fast)
    gptq.firstTokenWeight = 8;
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
  gptq.rescales = options.rescales;
  gptq.retarget = options.retarget;
  gptq.firstTokenWeight = options.firstTokenWeight;
  applyEffort(options, gptq);
  manager.addPass(quant_llm::createApplyGptqPass(gptq));
}

/// Scales go into what makes the layers' inputs; what can't stays, with a
/// remark.
static void addFolding(OpPassManager &manager) {
  quant_llm::FoldScalesPassOptions fold;
  fold.quiet = true;
  manager.addPass(quant_llm::createFoldScalesPass(fold));
}

void qk::buildAwqPipeline(OpPassManager &manager,
                          const AwqPipelineOptions &options) {
  addRaising(manager, options);
  auto awq = getRounding<quant_llm::ApplyAwqPassOptions>(options);
  awq.grid = options.grid;
  awq.duo = options.duo;
  awq.clip = options.clip;
  awq.clipSweeps = options.clipSweeps;
  awq.keep = options.keep;
  awq.layers = options.layers;
  awq.round = options.round;
  manager.addPass(quant_llm::createApplyAwqPass(awq));
  addFolding(manager);
}

void qk::buildSmoothQuantPipeline(OpPassManager &manager,
                                  const SmoothQuantPipelineOptions &options) {
  addRaising(manager, options);
  auto smooth = getRounding<quant_llm::ApplySmoothQuantPassOptions>(options);
  smooth.alpha = options.alpha;
  smooth.grid = options.grid;
  smooth.layers = options.layers;
  smooth.activations = options.activations;
  smooth.perTensor = options.perTensor;
  smooth.format = options.format;
  smooth.round = options.round;
  manager.addPass(quant_llm::createApplySmoothQuantPass(smooth));
  addFolding(manager);
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
  Option<bool> sequential{
      *this, "sequential",
      llvm::cl::desc("Take each layer's statistics in the model whose earlier "
                     "layers are quantised already"),
      llvm::cl::init(false)};
  Option<double> firstTokenWeight{
      *this, "first-token-weight",
      llvm::cl::desc(
          "How often the first token of a sample counts in Hessians; "
          "default: as the method says"),
      llvm::cl::init(0)};
  Option<double> heldOut{
      *this, "held-out",
      llvm::cl::desc("Share of the samples, the last ones, that statistics are "
                     "not made of, for the report's errors"),
      llvm::cl::init(0)};
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
  calibrate.sequential = options.sequential;
  calibrate.firstTokenWeight = options.firstTokenWeight;
  calibrate.heldOut = options.heldOut;
  calibrate.profile = options.profile;
  manager.addPass(calibration::createCalibratePass(calibrate));
}

void qk::registerMethodPipelines(bool shortNames) {
  registerPipeline<RtnPipelineOptions>(
      "quant-llm-rtn", "Quantise by round-to-nearest", buildRtnPipeline);
  registerPipeline<GptqPipelineOptions>("quant-llm-gptq",
                                        "Quantise by GPTQ (arXiv 2210.17323)",
                                        buildGptqPipeline);
  const char *awq = "Quantise by AWQ (arXiv 2306.00978)";
  registerPipeline<AwqPipelineOptions>("quant-llm-awq", awq, buildAwqPipeline);
  const char *smooth =
      "Quantise weights and activations by SmoothQuant (arXiv 2211.10438)";
  registerPipeline<SmoothQuantPipelineOptions>("quant-llm-smoothquant", smooth,
                                               buildSmoothQuantPipeline);
  if (!shortNames)
    return;
  registerPipeline<AwqPipelineOptions>("awq", awq, buildAwqPipeline);
  registerPipeline<SmoothQuantPipelineOptions>("smoothquant", smooth,
                                               buildSmoothQuantPipeline);
  registerPipeline<RtnPipelineOptions>("rtn", "Quantise by round-to-nearest",
                                       buildRtnPipeline);
  registerPipeline<GptqPipelineOptions>(
      "gptq", "Quantise by GPTQ (arXiv 2210.17323)", buildGptqPipeline);
  registerPipeline<CalibratePipelineOptions>(
      "calibrate", "Which samples or statistics to quantise with",
      buildCalibratePipeline);
}
