//===- Passes.td - Passes on the quant_llm dialect ---------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_TRANSFORMS_PASSES_TD
#define QK_DIALECT_QUANTLLM_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def BindParametersPass
    : Pass<"quant-llm-bind-parameters", "::mlir::ModuleOp"> {
  let summary = "turn constants that hold weights into named parameters";
  let description = [{
    Constants given as resources, with or without data, and literals of a
    kibibyte or more become `quant_llm.parameter`, one a function and name.
    A resource without data is a reference to the tensor of that name in the
    module's weight files: `weights` (or the module attribute
    `quant_llm.weights`) says where they are. Nothing is copied.

    ```mlir
    %0 = arith.constant dense_resource<fc.weight> : tensor<4x8xf32>
    ```
    with `weights=model.safetensors` ==>
    ```mlir
    module attributes {quant_llm.weights = {model = "model.safetensors"}} {
      %0 = quant_llm.parameter "model"::"fc.weight" : tensor<4x8xf32>
    }
    ```
    With `weights` each constant that has data is looked for in the checkpoint
    by its bytes, as it is, without dimensions of size one, or transposed; what
    is found refers to the file from then on (a transposed one through
    `quant_llm.transpose`). A constant that is a tensor converted to another
    float type takes the name and keeps its data. Of several equal tensors the
    first in natural order of names goes to the constant used first. What the
    checkpoint lacks stays.

    A handle without data that the checkpoint lacks is looked up without
    components in front that only one of the two has (`m.model.norm.weight`),
    and in `weight-names`.

    Arguments of public functions whose location is a path
    (`loc("p['layers'][0]['q_proj']['kernel']")`, as JAX writes) to a tensor of
    the checkpoint, or that `weight-names` names, become parameters and leave
    the signature; private functions called with them get copies that hold the
    parameters. The spelling of paths and of their last component doesn't
    matter (docs/Names.md).
  }];
  let options = [
    Option<"weights", "weights", "std::string", /*default=*/"\"\"",
           "Checkpoint: a safetensors file, an index of shards, or a folder "
           "with either">,
    Option<"weightNames", "weight-names", "std::string", /*default=*/"\"\"",
           "JSON file that says which tensor each handle is: {\"HANDLE\": "
           "\"NAME\"} or {\"HANDLE\": {\"parameter\": \"NAME\", \"stored\": "
           "\"transposed\"}}; argN is the Nth argument">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect",
                           "::qk::quant_llm::QuantLLMDialect"];
}

def BindQuantizedPass
    : Pass<"quant-llm-bind-quantized", "::mlir::ModuleOp"> {
  let summary = "give layers the codes of a checkpoint that others quantised";
  let description = [{
    `weights` names a checkpoint of GPTQ (v1 or v2), AWQ (gemm, gemv) or
    compressed-tensors (pack-quantized, int-quantized), with its config beside
    it. Linear layers of the float module whose weight has the name of a
    quantised layer there (LAYER.weight) are raised and become
    `quant_llm.matmul` with its codes, scales, zero points and, where groups are
    not consecutive columns, permutation; all other weights are bound as by
    `quant-llm-bind-parameters`. Layers are found by name: a constant is called
    what its handle, its parameter or `weight-names` says. The constants' own
    data, if there is any, isn't used.

    A checkpoint that isn't quantised is bound as by
    `quant-llm-bind-parameters`.

    ```mlir
    %0 = arith.constant dense_resource<fc.weight> : tensor<4x8xf32>
    ```
    with a checkpoint that has fc.qweight, fc.scales, fc.qzeros ==>
    ```mlir
    %c = quant_llm.parameter "quantized"::"fc.codes" : tensor<4x8xi4> = ...
    %s = quant_llm.parameter "quantized"::"fc.scales" : tensor<4x1xf16> = ...
    %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 8, scale = f16>) ...
    ```
  }];
  let options = [
    Option<"weights", "weights", "std::string", /*default=*/"\"\"",
           "Checkpoint: a folder with safetensors files and a config">,
    Option<"weightNames", "weight-names", "std::string", /*default=*/"\"\"",
           "JSON file that says which tensor each handle is, as of "
           "quant-llm-bind-parameters">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect",
                           "::qk::quant_llm::QuantLLMDialect"];
}

def RaiseLinearPass : Pass<"quant-llm-raise-linear", "::mlir::ModuleOp"> {
  let summary = "find the linear layers of an imported model";
  let description = [{
    A contraction of an activation with a constant weight, with the bias and
    the conversions around it that belong to the same layer, becomes one
    `quant_llm.linear`. What is skipped stays the op it was. The head (a linear
    whose weight an embedding gather reads too, or that is named `lm_head`) is
    skipped unless `only` names it; so are the routers of mixtures (few channels
    whose scores are sorted, or that are called so) and low-rank adapters (two
    layers x -> r -> N whose result is added to that of a layer x -> N). What looks like a linear layer and isn't
    raised gets a remark with the reason.

    Layers are found in linalg and, in generic form, in dialects that are not
    linked: StableHLO, torch, ONNX and IREE. There a layer works on builtin
    tensors, where need be between casts of the dialect (`torch_c`), only its
    own constants become parameters, and everything else stays as it was.

    A layer is named after its weight, less `.weight` or `.kernel`; one without a name
    of its own gives the function's name and a running number (`main.0`). A
    weight used twice is one layer used twice.

    Preconditions: constants are parameters (`quant-llm-bind-parameters`, which
    this pass runs).
  }];
  let options = [
    ListOption<"skip", "skip", "std::string",
               "Globs of layer names to leave as they are">,
    ListOption<"only", "only", "std::string",
               "Globs of the only layer names to raise">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect",
                           "::qk::quant_llm::QuantLLMDialect"];
}

def ParametersToConstantsPass
    : Pass<"quant-llm-parameters-to-constants", "::mlir::ModuleOp"> {
  let summary = "turn parameters back into constants of the module's dialect";
  let description = [{
    The way back of `quant-llm-bind-parameters` and of raising, for a module
    that another compiler reads: a parameter with a value becomes an
    `arith.constant`, in a module that computes in StableHLO a
    `stablehlo.constant`; one of a file a resource of its name without data; one
    that a `util.global` of the module is, a load of that. What binding put
    between a tensor of a file and its uses (`quant_llm.transpose`; in StableHLO
    reshapes and conversions too) becomes ops of that dialect.

    A scale of an activation that was not folded (`scale_columns`) becomes an op
    of that dialect as well; in StableHLO it must have a static shape.

    Preconditions (the pass fails otherwise): no parameter has elements of fewer
    than 8 bits, which no dialect stores in the same way; packing has come
    before.

    ```mlir
    %w = quant_llm.parameter "model"::"norm.weight" : tensor<8xf32>
    ```
    ==>
    ```mlir
    %w = arith.constant dense_resource<norm.weight> : tensor<8xf32>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

// How a weight is rounded, with the defaults of most methods.
defvar schemeOptions = [
  Option<"bits", "bits", "int64_t", "4", "Bits of a code: 2, 3, 4 or 8">,
  Option<"groupSize", "group-size", "int64_t", "128",
         "Columns that share a scale; -1: the whole row">,
  Option<"symmetric", "symmetric", "bool", "false",
         "No zero points: the range is symmetric about 0">,
];

// Options of every method that rounds, and what they record for evaluate.
defvar methodOptions = [
  Option<"scaleType", "scale-type", "std::string", "\"f16\"",
         "Type that scales are stored in: f16, bf16 or f32">,
  Option<"scaleSearch", "scale-search", "std::string", "\"none\"",
         "none: the range of the group; mse: shrink it to the smallest error; "
         "weighted (GPTQ): to the smallest loss of the rounding itself">,
  Option<"overrides", "overrides", "std::string", "\"\"",
         "JSON file of options that differ from layer to layer: "
         "{\"GLOB\": {\"bits\": 8, \"method\": \"rtn\"}}; of two globs that "
         "match, the later wins">,
  ListOption<"inherit", "inherit", "std::string",
             "Which of bits, group-size, symmetric and scale-type an earlier "
             "method's recipe decides, where there is one">,
  Option<"fallback", "fallback", "std::string", "\"error\"",
         "Where a layer has no tokens or its Hessian can't be factored: error, "
         "or rtn (round to nearest)">,
  Option<"strict", "strict", "bool", "false",
         "Missing statistics are an error even where no layer has any">,
  Option<"outputWeights", "output-weights", "std::string", "\"\"",
         "Safetensors file to write codes, scales and zero points to">,
  Option<"report", "report", "std::string", "\"\"",
         "JSON file to write each layer's shape, scheme, error and time to">,
  Option<"recipeOnly", "recipe-only", "bool", "false",
         "Leave the recipe in the module: the evaluate that qk-opt appends "
         "does nothing">,
];

defvar roundingOptions = !listconcat(schemeOptions, methodOptions);

def ApplyRtnPass : Pass<"quant-llm-apply-rtn", "::mlir::ModuleOp"> {
  let summary = "write the recipe of round-to-nearest";
  let description = [{
    ```mlir
    %y = quant_llm.linear %x, %w name("fc") : ...
    ```
    ==>
    ```mlir
    %codes, %scales, %zeros = quant_llm.round_to_nearest %w scheme(...) : ...
    %y = quant_llm.matmul %x, %codes, %scales zero_points(%zeros) scheme(...) name("fc") : ...
    ```
    A matmul that an earlier method wrote keeps that method's column scales and
    gets its rounding replaced. A weight used twice is rounded once. `overrides`
    gives single layers other options or another method.
  }];
  let options = roundingOptions;
  let dependentDialects = ["::qk::quant_llm::QuantLLMDialect"];
}

def ApplyGptqPass : Pass<"quant-llm-apply-gptq", "::mlir::ModuleOp"> {
  let summary = "write the recipe of GPTQ";
  let description = [{
    As `quant-llm-apply-rtn`, with the Hessian of the layer's input and
    compensated rounding (arXiv 2210.17323):
    ```mlir
    %hessian = quant_llm.statistic hessian of "fc" : ...
    %codes, %scales, %zeros = quant_llm.round_compensated %w, %hessian scheme(...) static_groups : ...
    ```
    Column scales of an earlier method scale the Hessian too. With `retarget`
    the weight is moved first (`quant_llm.retarget`).
  }];
  let options = !listconcat(roundingOptions, [
    Option<"order", "order", "std::string", "\"activation\"",
           "Order of columns: none, activation (falling diagonal of the "
           "Hessian) or group_aware (the same, group by group)">,
    Option<"staticGroups", "static-groups", "bool", "true",
           "Scales from the original weight, so that no permutation exists at run time">,
    Option<"damping", "damping", "double", "0.01",
           "Added to the Hessian's diagonal, as a share of its mean">,
    Option<"blockSize", "block-size", "int64_t", "128",
           "Columns between updates of the rest of the weight">,
    Option<"sweeps", "sweeps", "int64_t", "0",
           "Passes of coordinate descent over the codes after rounding">,
    Option<"rescales", "rescales", "int64_t", "0",
           "How often scales are searched again, with static groups, for what "
           "compensation made of the weights">,
    Option<"retarget", "retarget", "double", "0.0",
           "How far weights move first towards what makes up for the errors of "
           "the layers before: 0 to 1">,
    Option<"retargetOptional", "retarget-optional", "bool", "false",
           "Don't retarget where the statistics lack what it needs, instead of "
           "an error">,
    Option<"firstTokenWeight", "first-token-weight", "double", "1.0",
           "How often the first token of a sample counts in Hessians, where "
           "calibrate doesn't say it and is not sequential">,
  ]);
  let dependentDialects = ["::qk::quant_llm::QuantLLMDialect"];
}

def ApplySmoothQuantPass
    : Pass<"quant-llm-apply-smoothquant", "::mlir::ModuleOp"> {
  let summary = "write the recipe of SmoothQuant";
  let description = [{
    Layers that read one value get factors by which the value is divided and
    their weights' columns are multiplied (arXiv 2211.10438); weights are
    rounded to nearest, activations quantised while the model runs:
    ```mlir
    %absmax = quant_llm.statistic absmax of "q" : ...
    %s = quant_llm.smoothing_factors %absmax, (%q, %k, %v) alpha = 0.5 : ...
    %w = quant_llm.scale_columns %q by %s : ...
    %codes, %scales = quant_llm.round_to_nearest %w scheme(...) symmetric : ...
    %smooth = quant_llm.scale_columns %x by inverse %s : ...
    %x8, %x_scales = quant_llm.quantize %smooth scheme(<8, per_token>) : ...
    %y = quant_llm.matmul %x8, %codes, %scales x_scales(%x_scales) ... : ...
    ```
    `quant-llm-fold-scales` then moves the division into what makes the value.
    Which layers read one value, and whether it is a norm's result, is found in
    the IR.
  }];
  let options = !listconcat(methodOptions, [
    Option<"bits", "bits", "int64_t", "8", "Bits of a code: 2, 3, 4 or 8">,
    Option<"groupSize", "group-size", "int64_t", "-1",
           "Columns that share a scale; -1: the whole row">,
    Option<"symmetric", "symmetric", "bool", "true",
           "No zero points: the range is symmetric about 0">,
    Option<"alpha", "alpha", "std::string", "\"search\"",
           "How much of an outlier moves into the weights: 0 to 1, or search "
           "(for each group, by its expected output error)">,
    Option<"grid", "grid", "int64_t", "20", "Steps of the search">,
    Option<"layers", "layers", "std::string", "\"norms\"",
           "Layers to smooth: norms (those that read a norm's result), "
           "foldable, or all. All are quantised">,
    Option<"activations", "activations", "std::string", "\"per-token\"",
           "Scales of activations: per-token, per-tensor, or per-tensor-static "
           "(from calibration)">,
    Option<"perTensor", "per-tensor", "bool", "false",
           "One scale for a whole weight (needs group-size=-1)">,
    Option<"format", "format", "std::string", "\"int8\"",
           "What the 8 bits of weights and activations are: int8, or e4m3, a "
           "float of one byte (GPUs from sm_89 on multiply it)">,
    Option<"round", "round", "bool", "true",
           "Quantise; otherwise the layers stay float, only scaled">,
  ]);
  let dependentDialects = ["::qk::quant_llm::QuantLLMDialect"];
}

def ApplyAwqPass : Pass<"quant-llm-apply-awq", "::mlir::ModuleOp"> {
  let summary = "write the recipe of AWQ";
  let description = [{
    Layers that read one value get factors by which their weights' columns are
    multiplied before they are rounded, and the value is divided (arXiv
    2306.00978); then each weight's ranges are clipped, but for layers whose
    result is only compared with another (query and key projections):
    ```mlir
    %s = quant_llm.saliency_factors %absmean, %hessian, (%q, %k, %v) ... : ...
    %w = quant_llm.scale_columns %v by %s : ...
    %h = quant_llm.scale_statistic %hessian by %s : ...
    %c = quant_llm.clip %w, %h ... : ...
    %codes, %scales, %zeros = quant_llm.round_to_nearest %c ... : ...
    %x1 = quant_llm.scale_columns %x by inverse %s : ...
    ```
    `quant-llm-fold-scales` then moves the division into what makes the value.

    With `keep` the paper's baseline of mixed precision instead: the channels
    fed most (`salient_columns`) are a float layer of their own, of full size
    with zeros elsewhere, whose result is added. It shows what accuracy there is
    to gain; it saves neither time nor memory.
  }];
  let options = !listconcat(roundingOptions, [
    Option<"grid", "grid", "int64_t", "20",
           "Steps of the searches for factors and clipping">,
    Option<"duo", "duo", "bool", "false",
           "Factors from the weights' magnitudes too">,
    Option<"clip", "clip", "bool", "true", "Search clipped ranges">,
    Option<"clipSweeps", "clip-sweeps", "int64_t", "2",
           "Searches of each clipped range given the errors of the row's other "
           "groups; 0: each by itself, as the paper">,
    Option<"keep", "keep", "double", "0",
           "Share of the input channels, those fed most, whose weights stay in "
           "f16; then nothing is scaled or clipped">,
    Option<"layers", "layers", "std::string", "\"all\"",
           "Layers to scale: norms (those that read a norm's result), "
           "foldable (where no op is left at run time), or all">,
    Option<"round", "round", "bool", "true",
           "Quantise; otherwise the layers stay float, only scaled">,
  ]);
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect",
                           "::qk::quant_llm::QuantLLMDialect"];
}

def FoldScalesPass : Pass<"quant-llm-fold-scales", "::mlir::ModuleOp"> {
  let summary = "move scales of activations into what makes them";
  let description = [{
    A value that only layers read which want it divided by factors
    (`scale_columns ... by inverse`) is divided where it is made: in the weight
    and bias of a norm (also one that multiplies by 1 + w), or in the rows and
    bias of an earlier linear; through reshapes, transposes, conversions,
    products with another value, slices (of a layer that makes query, key and
    value, or gate and up, at once), and attention, whose value heads several
    query heads may share; in linalg and TOSA, and in StableHLO, torch and ONNX
    in generic form. This only writes recipes: evaluate computes the weights.

    ```mlir
    %norm = linalg.generic ... ins(%x, %gamma) { mulf }
    %1 = quant_llm.scale_columns %norm by inverse %s
    ```
    ==>
    ```mlir
    %gamma1 = quant_llm.scale_columns %gamma by inverse %s
    %1 = linalg.generic ... ins(%x, %gamma1) { mulf }
    ```
    A division that only `quantize` reads and that nothing else takes becomes
    its factors. Remarks say what was folded where, and what stays an op that
    runs, and why.
  }];
  let options = [
    Option<"quiet", "quiet", "bool", "false",
           "Only remark on what is not folded">,
  ];
  let dependentDialects = ["::qk::quant_llm::QuantLLMDialect"];
}

#endif // QK_DIALECT_QUANTLLM_TRANSFORMS_PASSES_TD
