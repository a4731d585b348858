//===- Passes.td - Calibration and evaluation --------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CALIBRATION_PASSES_TD
#define QK_CALIBRATION_PASSES_TD

include "mlir/Pass/PassBase.td"

def CalibratePass : Pass<"quant-llm-calibrate", "::mlir::ModuleOp"> {
  let summary = "record which inputs or statistics to quantise with";
  let description = [{
    Records on the module which samples the model is to be run on, or which file
    holds statistics made before; evaluate asks for what it needs when it needs
    it. The file is opened and checked now.

    `inputs`: a safetensors file with tensors `arg0`, `arg1`, … or the
    arguments' own names. One more leading dimension than the argument counts
    samples; samples of different length are `arg0.0`, `arg0.1`, …. An optional
    `mask` [samples, tokens] excludes padding.

    `sequential`: the model is run in parts, and what a layer is fed comes from
    the layers before it as they are quantised (GPTQ, arXiv 2210.17323, section
    4). Needs about the same time and less memory: the statistics of a few
    layers at a time. Done in any case where a recipe asks for a cross moment.
    Activations stay float.

    ```mlir
    module attributes {quant_llm.calibration = {inputs = "calib.safetensors"}} {}
    ```
  }];
  let options = [
    Option<"inputs", "inputs", "std::string", "\"\"",
           "Safetensors file of samples to run the model on">,
    Option<"stats", "stats", "std::string", "\"\"",
           "Safetensors file of statistics (quant-llm-write-statistics)">,
    Option<"entry", "entry", "std::string", "\"\"",
           "Function to run; default: the only public one">,
    Option<"sequential", "sequential", "bool", "false",
           "Take each layer's statistics in the model whose earlier layers are "
           "quantised already">,
    Option<"firstTokenWeight", "first-token-weight", "double", "0.0",
           "How often the first token of a sample counts in Hessians (not with "
           "stats); 0: as the method says, or once">,
    Option<"heldOut", "held-out", "double", "0.0",
           "Share of the samples, the last ones, that statistics are not made "
           "of; the report says what the quantised layers' errors are on them "
           "(not with stats)">,
    Option<"profile", "profile", "bool", "false",
           "Print how long the model ran, beside its contractions alone">,
  ];
  let dependentDialects = ["::qk::quant_llm::QuantLLMDialect"];
}

def EvaluatePass : Pass<"quant-llm-evaluate", "::mlir::ModuleOp"> {
  let summary = "compute the constant part of recipes";
  let description = [{
    Replaces every recipe by the codes, scales and zero points it gives: tensors
    of the file `output-weights`, or resources of the module. Statistics come
    from where `quant-llm-calibrate` said. Without any, a method that needs them
    warns and goes on with identity Hessians, unless `strict`. Idempotent.

    ```mlir
    %w = quant_llm.parameter "model"::"fc.weight" : tensor<4x8xf32>
    %c, %s, %z = quant_llm.round_to_nearest %w scheme(<u4, group = 8, scale = f16>) : ...
    ```
    ==>
    ```mlir
    %c = quant_llm.parameter "quantized"::"fc.codes" : tensor<4x8xi4>
    %s = quant_llm.parameter "quantized"::"fc.scales" : tensor<4x1xf16>
    %z = quant_llm.parameter "quantized"::"fc.zero_points" : tensor<4x1xi8>
    ```
  }];
  let options = [
    Option<"outputWeights", "output-weights", "std::string", "\"\"",
           "Safetensors file for the results; default: resources of the module">,
    Option<"report", "report", "std::string", "\"\"",
           "JSON file: each layer's shape, scheme, error and time">,
    Option<"resume", "resume", "bool", "false",
           "Keep what is done in the folder <output-weights>.partial and go on "
           "from what an interrupted run left there">,
  ];
  let dependentDialects = ["::qk::quant_llm::QuantLLMDialect"];
}

def WriteStatisticsPass
    : Pass<"quant-llm-write-statistics", "::mlir::ModuleOp"> {
  let summary = "write the statistics of all layers to a file";
  let description = [{
    Runs the model on the samples that `quant-llm-calibrate` recorded and writes
    for every `quant_llm.linear` or `quant_llm.matmul`: `<layer>.hessian`
    [K,K], `.absmax`, `.absmean` [K] in f32, `.tokens` (i64 scalar). Layers
    that read the same tensor share one entry; the metadata entry
    `alias.<layer>` names it. The module stays as it is.
  }];
  let options = [
    Option<"output", "output", "std::string", "\"\"",
           "Safetensors file to write">,
  ];
  let dependentDialects = ["::qk::quant_llm::QuantLLMDialect"];
}

#endif // QK_CALIBRATION_PASSES_TD
