//===- Pipelines.h - What a user types --------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_PIPELINES_PIPELINES_H
#define QK_PIPELINES_PIPELINES_H

#include "qk/Conversion/CPU/Passes.h"
#include "qk/Conversion/NVVM/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

#include <string>

namespace qk {

/// Options of every method that rounds. README.md lists them; changing a
/// default changes what users get.
template <typename Derived>
struct RoundingPipelineOptions : mlir::PassPipelineOptions<Derived> {
  template <typename T>
  using Option =
      typename mlir::PassPipelineOptions<Derived>::template Option<T>;
  template <typename T>
  using ListOption =
      typename mlir::PassPipelineOptions<Derived>::template ListOption<T>;

  Option<int64_t> bits{*this, "bits",
                       llvm::cl::desc("Bits of a code: 2, 3, 4 or 8"),
                       llvm::cl::init(4)};
  Option<int64_t> groupSize{
      *this, "group-size",
      llvm::cl::desc("Columns that share a scale; -1: the whole row"),
      llvm::cl::init(128)};
  Option<bool> symmetric{
      *this, "symmetric",
      llvm::cl::desc("No zero points: the range is symmetric about 0"),
      llvm::cl::init(false)};
  Option<std::string> scaleType{
      *this, "scale-type",
      llvm::cl::desc("Type that scales are stored in: f16, bf16 or f32"),
      llvm::cl::init("f16")};
  Option<std::string> scaleSearch{
      *this, "scale-search",
      llvm::cl::desc(
          "none: the range of the group; mse: shrink it to the smallest error; "
          "weighted (GPTQ): to the smallest loss of the rounding itself"),
      llvm::cl::init("none")};
  ListOption<std::string> skip{
      *this, "skip", llvm::cl::desc("Globs of layer names to leave in float")};
  ListOption<std::string> only{
      *this, "only",
      llvm::cl::desc("Globs of the only layer names to quantise")};
  Option<std::string> overrides{
      *this, "overrides",
      llvm::cl::desc("JSON file of options that differ from layer to layer, by "
                     "globs of layer names; of two that match, the later wins"),
      llvm::cl::init("")};
  Option<std::string> fallback{
      *this, "fallback",
      llvm::cl::desc("Where a layer has no tokens or its Hessian can't be "
                     "factored: error, or rtn (round to nearest)"),
      llvm::cl::init("error")};
  Option<bool> strict{
      *this, "strict",
      llvm::cl::desc(
          "Missing statistics are an error even where no layer has any"),
      llvm::cl::init(false)};
  Option<std::string> outputWeights{
      *this, "output-weights",
      llvm::cl::desc("Safetensors file to write codes, scales and zero points "
                     "to; default: resources of the module"),
      llvm::cl::init("")};
  Option<std::string> report{
      *this, "report",
      llvm::cl::desc("JSON file to write each layer's shape, scheme, error and "
                     "time to"),
      llvm::cl::init("")};
  Option<bool> recipeOnly{
      *this, "recipe-only",
      llvm::cl::desc("Leave the recipe in the module, not evaluated"),
      llvm::cl::init(false)};
};

struct RtnPipelineOptions : RoundingPipelineOptions<RtnPipelineOptions> {};

/// How much time GPTQ takes for accuracy; docs/Accuracy.md has what each gives.
enum class Effort {
  /// One run of the float model; scales searched by the solver's loss, the
  /// first
  /// token of a sample counting more.
  Fast,
  /// Block by block, each layer's target moved to make up for the errors of
  /// those before it, and scales searched once more for compensated weights.
  Default,
  /// The same with sweeps over the codes.
  Best,
};

struct GptqPipelineOptions : RoundingPipelineOptions<GptqPipelineOptions> {
  /// Sets the options below and scale-search where they are not given.
  Option<Effort> effort{
      *this, "effort", llvm::cl::desc("What options that are not given are"),
      llvm::cl::values(
          clEnumValN(Effort::Fast, "fast",
                     "scale-search=weighted first-token-weight=8"),
          clEnumValN(Effort::Default, "default",
                     "scale-search=weighted rescales=1 retarget=0.5, which "
                     "calibrates block by block"),
          clEnumValN(Effort::Best, "best", "the same with sweeps=3")),
      llvm::cl::init(Effort::Default)};
  Option<std::string> order{
      *this, "order",
      llvm::cl::desc("Order of columns: none, activation (falling diagonal of "
                     "the Hessian) or group_aware (the same, group by group)"),
      llvm::cl::init("activation")};
  Option<bool> staticGroups{
      *this, "static-groups",
      llvm::cl::desc("Scales from the original weight, so that no permutation "
                     "exists at run time"),
      llvm::cl::init(true)};
  Option<double> damping{
      *this, "damping",
      llvm::cl::desc("Added to the Hessian's diagonal, as a share of its mean"),
      llvm::cl::init(0.01)};
  Option<int64_t> blockSize{
      *this, "block-size",
      llvm::cl::desc("Columns between updates of the rest of the weight"),
      llvm::cl::init(128)};
  Option<int64_t> sweeps{
      *this, "sweeps",
      llvm::cl::desc(
          "Passes of coordinate descent over the codes after rounding"),
      llvm::cl::init(0)};
  Option<int64_t> rescales{
      *this, "rescales",
      llvm::cl::desc("How often scales are searched again, with static groups, "
                     "for what compensation made of the weights"),
      llvm::cl::init(0)};
  Option<double> retarget{
      *this, "retarget",
      llvm::cl::desc("How far weights move first towards what makes up for the "
                     "errors of the layers before: 0 to 1; needs sequential "
                     "calibration"),
      llvm::cl::init(0.0)};
  Option<double> firstTokenWeight{
      *this, "first-token-weight",
      llvm::cl::desc("How often the first token of a sample counts, where "
                     "calibrate doesn't say it and is not sequential"),
      llvm::cl::init(1.0)};
};

struct AwqPipelineOptions : RoundingPipelineOptions<AwqPipelineOptions> {
  Option<int64_t> grid{
      *this, "grid",
      llvm::cl::desc("Steps of the searches for factors and clipping"),
      llvm::cl::init(20)};
  Option<bool> duo{*this, "duo",
                   llvm::cl::desc("Factors from the weights' magnitudes too"),
                   llvm::cl::init(false)};
  Option<bool> clip{*this, "clip", llvm::cl::desc("Search clipped ranges"),
                    llvm::cl::init(true)};
  Option<int64_t> clipSweeps{
      *this, "clip-sweeps",
      llvm::cl::desc("Searches of each clipped range given the errors of the "
                     "row's other groups; 0: each by itself, as the paper"),
      llvm::cl::init(2)};
  Option<double> keep{
      *this, "keep",
      llvm::cl::desc("Share of the input channels, those fed most, whose "
                     "weights stay in f16; then nothing is scaled or clipped"),
      llvm::cl::init(0)};
  Option<std::string> layers{
      *this, "layers",
      llvm::cl::desc("Layers to scale: norms (those that read a norm's "
                     "result), foldable (where no op is left at run time), or "
                     "all"),
      llvm::cl::init("all")};
  Option<bool> round{
      *this, "round",
      llvm::cl::desc("Quantise; otherwise the layers stay float, only scaled"),
      llvm::cl::init(true)};
};

/// Bits, groups and symmetry have other defaults than elsewhere: 8, the whole
/// row, and true.
struct SmoothQuantPipelineOptions
    : RoundingPipelineOptions<SmoothQuantPipelineOptions> {
  SmoothQuantPipelineOptions() {
    bits.setInitialValue(8);
    groupSize.setInitialValue(-1);
    symmetric.setInitialValue(true);
  }
  Option<std::string> alpha{
      *this, "alpha",
      llvm::cl::desc("How much of an outlier moves into the weights: 0 to 1, "
                     "or search"),
      llvm::cl::init("search")};
  Option<int64_t> grid{*this, "grid", llvm::cl::desc("Steps of the search"),
                       llvm::cl::init(20)};
  Option<std::string> layers{
      *this, "layers",
      llvm::cl::desc("Layers to smooth: norms (those that read a norm's "
                     "result), foldable, or all; all are quantised"),
      llvm::cl::init("norms")};
  Option<std::string> activations{
      *this, "activations",
      llvm::cl::desc("Scales of activations: per-token, per-tensor, or "
                     "per-tensor-static (from calibration)"),
      llvm::cl::init("per-token")};
  Option<bool> perTensor{
      *this, "per-tensor",
      llvm::cl::desc("One scale for a whole weight (needs group-size=-1)"),
      llvm::cl::init(false)};
  Option<std::string> format{
      *this, "format",
      llvm::cl::desc("What the 8 bits of weights and activations are: int8, or "
                     "e4m3, a float of one byte"),
      llvm::cl::init("int8")};
  Option<bool> round{
      *this, "round",
      llvm::cl::desc("Quantise; otherwise the layers stay float, only scaled"),
      llvm::cl::init(true)};
};

/// Raises linear layers and writes the recipe of round-to-nearest.
void buildRtnPipeline(mlir::OpPassManager &manager,
                      const RtnPipelineOptions &options);

/// Raises linear layers and writes the recipe of GPTQ.
void buildGptqPipeline(mlir::OpPassManager &manager,
                       const GptqPipelineOptions &options);

/// Raises linear layers, writes the recipe of AWQ, and folds its scales.
void buildAwqPipeline(mlir::OpPassManager &manager,
                      const AwqPipelineOptions &options);

/// Raises linear layers, writes the recipe of SmoothQuant, and folds its
/// factors.
void buildSmoothQuantPipeline(mlir::OpPassManager &manager,
                              const SmoothQuantPipelineOptions &options);

/// Evaluates recipes and lowers the whole module to the LLVM dialect, quantised
/// matmuls as calls of generated CPU kernels.
void buildEvaluateAndLowerToCPUPipeline(mlir::OpPassManager &manager,
                                        const LowerToCPUOptions &options);

/// Evaluates recipes and compiles quantised matmuls to GPU kernels. The rest of
/// the module becomes host code that launches them, or stays (`host=keep`).
void buildEvaluateAndLowerToNVVMPipeline(mlir::OpPassManager &manager,
                                         const LowerToNVVMOptions &options);

/// Registers the lowerings' pipelines: `quant-llm-lower-to-<target>`, and with
/// `shortNames` `lower-to-<target>` too.
void registerLoweringPipelines(bool shortNames);

/// Registers the methods' pipelines: `quant-llm-<method>`, and with
/// `shortNames` (qk-opt's own flags) `<method>` and `calibrate` too.
void registerMethodPipelines(bool shortNames);

} // namespace qk

#endif // QK_PIPELINES_PIPELINES_H
