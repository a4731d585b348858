//===- QuantLLMRecipeOps.td - What methods are made of -----*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_IR_QUANTLLMRECIPEOPS_TD
#define QK_DIALECT_QUANTLLM_IR_QUANTLLMRECIPEOPS_TD

include "qk/Dialect/QuantLLM/IR/QuantLLMAttributes.td"

def QuantLLM_SmoothingFactorsOp
    : QuantLLM_PureOp<"smoothing_factors",
          [DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "SmoothQuant's per-channel factors of a group of linears";
  let description = [{
    s[k] = max( a[k]^alpha / w[k]^(1-alpha), 1e-5 ), with a = absmax of the
    input and w[k] = max( max over all weights and rows of |W[n,k]|, 1e-5 )
    (SmoothQuant, arXiv 2211.10438, eq. 4). The input is divided by s, the
    weights' columns are multiplied by it. A channel that was never fed
    (a[k] = 0) has s = 1.

    `shared` lists pairs (size, stride): channels whose numbers differ only in
    digits k / stride mod size have one factor, that of their largest a and w.
    Query heads that share a value head need that, if the factors are to be
    folded into the value projection.

    ```mlir
    func.func @smoothing_factors(%a: tensor<8xf32>, %q: tensor<4x8xf32>, %k: tensor<2x8xf32>) -> tensor<8xf32> {
      %s = quant_llm.smoothing_factors %a, (%q, %k) alpha = 0.5 : tensor<8xf32>, (tensor<4x8xf32>, tensor<2x8xf32>)
      return %s : tensor<8xf32>
    }
    ```

    Constraints:
    - (C1) at least one weight.
    - (C2) K of each weight equals the elements of absmax.
    - (C3) 0 <= alpha <= 1.
    - (C4) shared is a list of pairs; sizes times strides divide K.
  }];
  let arguments = (ins QuantLLM_Factors:$absmax,
                       Variadic<QuantLLM_Weight>:$weights, F64Attr:$alpha,
                       OptionalAttr<DenseI64ArrayAttr>:$shared);
  let results = (outs QuantLLM_Factors:$factors);
  let assemblyFormat = [{
    $absmax `,` `(` $weights `)` `alpha` `=` custom<Double>($alpha) attr-dict `:`
    type($absmax) `,` `(` type($weights) `)`
  }];
  let hasVerifier = 1;
}

def QuantLLM_SearchSmoothingFactorsOp
    : QuantLLM_PureOp<"search_smoothing_factors",
          [DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "SmoothQuant's factors with the best alpha for a group";
  let description = [{
    The factors of `smoothing_factors` for alpha = 0, 1/grid, ..., 1, or none at
    all (s = 1), whichever has the smallest expected output error of the group,
    summed over its weights:

      tr(D H D^T) + |Q(W*s)|^2 * E[step^2]/12,   D = Q(W*s)/s - W

    the first term being the weights' rounding (H the Hessian, Q rounding to
    nearest by `scheme`), the second that of the activations: rounding x/s to a
    multiple of a step is noise of variance step^2/12 on each element. The step
    is max_k absmax[k]/s[k] / cmax per tensor. Per token it is the token's
    largest |x[k]|/s[k] / cmax; of these the statistics know the second moments:
    E[step^2] is that of independent normal x[k] of variance H[k,k], none beyond
    its absmax. Activations of e4m3 have an exponent each; the second term is

      sum_nk (Q(W*s)[n,k] / s[k])^2 * H[k,k] * 2^-7/12

    the noise of rounding to three bits of mantissa. The first of equal ones
    wins, none at all before all others.

    ```mlir
    func.func @search_smoothing_factors(%a: tensor<8xf32>, %h: tensor<8x8xf32>, %w: tensor<4x8xf32>) -> tensor<8xf32> {
      %s = quant_llm.search_smoothing_factors %a, %h, (%w) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) grid = 20 symmetric : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>)
      return %s : tensor<8xf32>
    }
    ```

    Constraints:
    - (C1) at least one weight.
    - (C2) K of each weight equals the elements of absmax and the sides of the
      Hessian.
    - (C3) grid is at least 1.
    - (C4) shared is as for `smoothing_factors`.
    - (C5) x_scheme is per tensor or per token.
    - (C6) per_tensor (weights) only with a group of the whole row.
  }];
  let arguments = (ins QuantLLM_Factors:$absmax, QuantLLM_Hessian:$hessian,
                       Variadic<QuantLLM_Weight>:$weights,
                       QuantLLM_SchemeAttr:$scheme,
                       QuantLLM_ActivationSchemeAttr:$x_scheme, I64Attr:$grid,
                       UnitAttr:$symmetric, UnitAttr:$per_tensor,
                       OptionalAttr<DenseI64ArrayAttr>:$shared);
  let results = (outs QuantLLM_Factors:$factors);
  let assemblyFormat = [{
    $absmax `,` $hessian `,` `(` $weights `)` `scheme` `(` $scheme `)`
    `x_scheme` `(` $x_scheme `)` `grid` `=` custom<Integer>($grid)
    (`symmetric` $symmetric^)? attr-dict `:` type($absmax) `,` type($hessian)
    `,` `(` type($weights) `)`
  }];
  let hasVerifier = 1;
}

def QuantLLM_SaliencyFactorsOp
    : QuantLLM_PureOp<"saliency_factors",
          [DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "AWQ's per-channel factors of a group of linears";
  let description = [{
    For r = 0, 1/grid, ..., 1: s = max(absmean^r, 1e-4), or with `duo`
    s = max(absmean^r / (w^(1-r) + 1e-4), 1e-4) where w[k] is the mean over all
    rows of |W[n,k]| divided by its group's largest (0 in a group of zeros);
    s /= sqrt(max(s)*min(s)).
    The s with the smallest sum over the weights of tr(D H D^T),
    D = Q(W*s)/s - W, Q rounding to nearest by `scheme`; the first of equal
    ones, no scaling (s = 1) before all others (AWQ, arXiv 2306.00978, eq. 4,
    5). A channel that was never fed (absmean 0) has s = 1 and is left out of
    max and min. `shared` is as for `smoothing_factors`; such channels take the
    mean of their absmean and w.

    ```mlir
    func.func @saliency_factors(%a: tensor<8xf32>, %h: tensor<8x8xf32>, %w: tensor<4x8xf32>) -> tensor<8xf32> {
      %s = quant_llm.saliency_factors %a, %h, (%w) scheme(<u4, group = 4, scale = f16>) grid = 20 : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>)
      return %s : tensor<8xf32>
    }
    ```

    Constraints:
    - (C1) at least one weight.
    - (C2) K of each weight equals the elements of absmean and the sides of the
      Hessian.
    - (C3) grid is at least 1.
    - (C4) shared is as for `smoothing_factors`.
  }];
  let arguments = (ins QuantLLM_Factors:$absmean, QuantLLM_Hessian:$hessian,
                       Variadic<QuantLLM_Weight>:$weights,
                       QuantLLM_SchemeAttr:$scheme, I64Attr:$grid,
                       UnitAttr:$duo, UnitAttr:$symmetric,
                       OptionalAttr<DenseI64ArrayAttr>:$shared);
  let results = (outs QuantLLM_Factors:$factors);
  let assemblyFormat = [{
    $absmean `,` $hessian `,` `(` $weights `)` `scheme` `(` $scheme `)`
    `grid` `=` custom<Integer>($grid) (`duo` $duo^)? (`symmetric` $symmetric^)? attr-dict
    `:` type($absmean) `,` type($hessian) `,` `(` type($weights) `)`
  }];
  let hasVerifier = 1;
}

def QuantLLM_ScaleColumnsOp
    : QuantLLM_PureOp<"scale_columns", [AllTypesMatch<["input", "result"]>]> {
  let summary = "multiplies (or divides) columns by factors";
  let description = [{
    result[..., k] = round( input[..., k] * s[k] ), or with `inverse`
    input[..., k] / s[k]; computed in f32, rounded once, to the element type.
    With an `offset` o it is (input + o) * s - o: the weight of a norm that
    multiplies by o + w.

    ```mlir
    func.func @scale_columns(%w: tensor<4x8xf16>, %x: tensor<?x8xf16>, %s: tensor<8xf32>) -> (tensor<4x8xf16>, tensor<?x8xf16>) {
      %0 = quant_llm.scale_columns %w by %s : tensor<4x8xf16>, tensor<8xf32>
      %1 = quant_llm.scale_columns %x by inverse %s : tensor<?x8xf16>, tensor<8xf32>
      return %0, %1 : tensor<4x8xf16>, tensor<?x8xf16>
    }
    ```

    Constraints:
    - (C1) input has at least one dimension.
    - (C2) factors has as many elements as the last dimension of input.
  }];
  let arguments = (ins QuantLLM_FloatTensor:$input, QuantLLM_Factors:$factors,
                       UnitAttr:$inverse,
                       DefaultValuedAttr<F64Attr, "0.0">:$offset);
  let results = (outs QuantLLM_FloatTensor:$result);
  let assemblyFormat = [{
    $input `by` (`inverse` $inverse^)? $factors attr-dict `:` type($input) `,`
    type($factors)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def QuantLLM_ScaleRowsOp
    : QuantLLM_PureOp<"scale_rows", [AllTypesMatch<["input", "result"]>]> {
  let summary = "multiplies (or divides) rows by factors";
  let description = [{
    result[n, k] = round( input[n, k] * s[n] ), or with `inverse`
    input[n, k] / s[n]; computed in f32, rounded once, to the element type. The
    rows of a linear take the factors that what reads its result is divided by.

    ```mlir
    func.func @scale_rows(%w: tensor<4x8xf16>, %s: tensor<4xf32>) -> tensor<4x8xf16> {
      %0 = quant_llm.scale_rows %w by inverse %s : tensor<4x8xf16>, tensor<4xf32>
      return %0 : tensor<4x8xf16>
    }
    ```

    Constraints:
    - (C1) factors has as many elements as input rows.
  }];
  let arguments = (ins QuantLLM_Weight:$input, QuantLLM_Factors:$factors,
                       UnitAttr:$inverse);
  let results = (outs QuantLLM_Weight:$result);
  let assemblyFormat = [{
    $input `by` (`inverse` $inverse^)? $factors attr-dict `:` type($input) `,`
    type($factors)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def QuantLLM_GatherFactorsOp : QuantLLM_PureOp<"gather_factors"> {
  let summary = "the factors of the channels that a producer has";
  let description = [{
    result[(i0, i1, ...)] = factors[ sum_j (i_j - first_j) * strides_j ], the
    indices i_j < sizes_j in row-major order. Where several channels of a
    layer's input come from one of its producer's (heads that share a value
    head), strides step over the others; a stride of 0 repeats. Where a producer
    makes more than that input (query, key and value at once), the indices of
    the input's part are first_j ... first_j + count_j - 1 and the result is 1
    elsewhere; without `within` the part is all.

    ```mlir
    func.func @gather_factors(%s: tensor<16xf32>) -> (tensor<8xf32>, tensor<24xf32>) {
      %0 = quant_llm.gather_factors %s sizes = [2, 4] strides = [8, 1] : tensor<16xf32> -> tensor<8xf32>
      %1 = quant_llm.gather_factors %s sizes = [3, 8] strides = [0, 1] within first = [2, 0] count = [1, 8] : tensor<16xf32> -> tensor<24xf32>
      return %0, %1 : tensor<8xf32>, tensor<24xf32>
    }
    ```

    Constraints:
    - (C1) as many sizes as strides; sizes are at least 1, strides at least 0.
    - (C2) the result has as many elements as the product of sizes.
    - (C3) the largest index is less than the number of factors.
    - (C4) first and count are both there or none; each has as many elements as
      sizes, and each part lies within its size.
  }];
  let arguments = (ins QuantLLM_Factors:$factors, DenseI64ArrayAttr:$sizes,
                       DenseI64ArrayAttr:$strides,
                       OptionalAttr<DenseI64ArrayAttr>:$first,
                       OptionalAttr<DenseI64ArrayAttr>:$count);
  let results = (outs QuantLLM_Factors:$result);
  let assemblyFormat = [{
    $factors `sizes` `=` $sizes `strides` `=` $strides
    (`within` `first` `=` $first^ `count` `=` $count)? attr-dict `:`
    type($factors) `->` type($result)
  }];
  let hasVerifier = 1;
}

def QuantLLM_ActivationScaleOp : QuantLLM_PureOp<"activation_scale"> {
  let summary = "the static scale of an activation";
  let description = [{
    s = max_k absmax[k] / cmax (1 where all are 0), cmax as for `quantize`; the
    static scale of a `quantize` per tensor. Values beyond the largest that
    calibration saw are clamped.

    ```mlir
    func.func @activation_scale(%a: tensor<8xf32>) -> tensor<1x1xf32> {
      %s = quant_llm.activation_scale %a scheme(<8, per_tensor>) : tensor<8xf32> -> tensor<1x1xf32>
      return %s : tensor<1x1xf32>
    }
    ```

    Constraints:
    - (C1) the scheme is per tensor.
    - (C2) all dimensions of the result are 1.
  }];
  let arguments = (ins QuantLLM_Factors:$absmax,
                       QuantLLM_ActivationSchemeAttr:$scheme);
  let results = (outs RankedTensorOf<[F32]>:$scale);
  let assemblyFormat = [{
    $absmax `scheme` `(` $scheme `)` attr-dict `:` type($absmax) `->`
    type($scale)
  }];
  let hasVerifier = 1;
}

def QuantLLM_ClipOp
    : QuantLLM_PureOp<"clip", [AllTypesMatch<["weight", "result"]>]> {
  let summary = "AWQ's clipping of weights, searched per channel and group";
  let description = [{
    For each row n and group, the factor f in 1, 1 - 1/grid, ... (the first
    half of the grid, so above 0.5) with the smallest
    d H_gg d^T, d = Q(c) - w, c = clamp(w, f*min(w, 0), f*max(w, 0)) (with
    `symmetric` clamp(w, -f*m, f*m), m = max |w|) of the group, H_gg the
    group's diagonal block of the Hessian, Q rounding to nearest by `scheme`;
    strictly smaller only. result = c (AWQ, arXiv 2306.00978, auto_clip).

    Then, `sweeps` times, f of each group in turn is searched again by
    d H_gg d^T + 2 d (H e)_g, e being the errors of the row's other groups: what
    the group changes of the whole row's error (coordinate descent).

    ```mlir
    func.func @clip(%w: tensor<4x8xf32>, %h: tensor<8x8xf32>) -> tensor<4x8xf32> {
      %0 = quant_llm.clip %w, %h scheme(<u4, group = 4, scale = f16>) grid = 20 sweeps = 2 : tensor<4x8xf32>, tensor<8x8xf32>
      return %0 : tensor<4x8xf32>
    }
    ```

    Constraints:
    - (C1) the sides of the Hessian equal K of the weight.
    - (C2) grid is at least 1, sweeps at least 0.
  }];
  let arguments = (ins QuantLLM_Weight:$weight, QuantLLM_Hessian:$hessian,
                       QuantLLM_SchemeAttr:$scheme, I64Attr:$grid,
                       DefaultValuedAttr<I64Attr, "0">:$sweeps,
                       UnitAttr:$symmetric);
  let results = (outs QuantLLM_Weight:$result);
  let assemblyFormat = [{
    $weight `,` $hessian `scheme` `(` $scheme `)` `grid` `=` custom<Integer>($grid)
    (`sweeps` `=` custom<Integer>($sweeps)^)? (`symmetric` $symmetric^)?
    attr-dict `:` type($weight) `,` type($hessian)
  }];
  let hasVerifier = 1;
}

def QuantLLM_SalientColumnsOp
    : QuantLLM_PureOp<"salient_columns", [AllTypesMatch<["weight", "result"]>]> {
  let summary = "the columns of a weight that are fed most, or all others";
  let description = [{
    result[n,k] = weight[n,k] for the `count` channels k with the largest
    absmean, 0 for the others; with `rest` the other way round. Of equal ones
    the first. The two parts add up to the weight: AWQ's baseline of mixed
    precision (arXiv 2306.00978, table 1) rounds the rest and keeps the salient
    ones in f16.

    ```mlir
    func.func @salient_columns(%w: tensor<4x8xf32>, %a: tensor<8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
      %0 = quant_llm.salient_columns %w, %a count = 1 : tensor<4x8xf32>, tensor<8xf32>
      %1 = quant_llm.salient_columns %w, %a count = 1 rest : tensor<4x8xf32>, tensor<8xf32>
      return %0, %1 : tensor<4x8xf32>, tensor<4x8xf32>
    }
    ```

    Constraints:
    - (C1) absmean has K of the weight elements.
    - (C2) count is at least 0 and at most K.
  }];
  let arguments = (ins QuantLLM_Weight:$weight, QuantLLM_Factors:$absmean,
                       I64Attr:$count, UnitAttr:$rest);
  let results = (outs QuantLLM_Weight:$result);
  let assemblyFormat = [{
    $weight `,` $absmean `count` `=` custom<Integer>($count) (`rest` $rest^)?
    attr-dict `:` type($weight) `,` type($absmean)
  }];
  let hasVerifier = 1;
}

def QuantLLM_RetargetOp : QuantLLM_PureOp<"retarget"> {
  let summary = "moves a weight towards the float output on quantised inputs";
  let description = [{
    result = W + alpha * (W (C - H) + R) (H + lambda I)^-1: a part of the way
    from W to the least-squares fit of the float layer's output on what the
    layer reads once all layers before it are quantised. H is the Hessian of
    that input, C the cross moment of the float input with it (`statistic
    cross`), lambda is `damping` times the mean diagonal of H, as in
    `round_compensated`, which reads the result and shares its factorisation.
    Columns with 0 on the diagonal of H stay.

    R (`statistic residual`; 0 where not given) makes the fit one of the sum
    that the layer's result goes into: what the layers before left wrong in the
    tensor that it is added to is made up for as well, as far as the layer's
    input tells it.

    With `optional` the weight stays, with a remark, where the statistics have
    no cross moment; otherwise that is an error.

    ```mlir
    func.func @retarget(%w: tensor<4x8xf16>) -> tensor<4x8xf32> {
      %h = quant_llm.statistic hessian of "fc" : tensor<8x8xf32>
      %c = quant_llm.statistic cross of "fc" : tensor<8x8xf32>
      %0 = quant_llm.retarget %w, %h, %c alpha = 0.5 : tensor<4x8xf16>, tensor<8x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
      return %0 : tensor<4x8xf32>
    }
    ```

    Constraints:
    - (C1) the sides of the Hessian and of the cross moment equal K of the
      weight; the residual moment has the weight's shape.
    - (C2) 0 <= alpha <= 1; damping is greater than 0.
    - (C3) the result has the weight's shape, in f32.
  }];
  let arguments = (ins QuantLLM_Weight:$weight, QuantLLM_Hessian:$hessian,
                       QuantLLM_Hessian:$cross,
                       Optional<2DTensorOf<[F32]>>:$residual, F64Attr:$alpha,
                       UnitAttr:$optional,
                       DefaultValuedAttr<F64Attr, "0.01">:$damping);
  let results = (outs 2DTensorOf<[F32]>:$result);
  let assemblyFormat = [{
    $weight `,` $hessian `,` $cross (`residual` $residual^)? `alpha` `=`
    custom<Double>($alpha) (`optional` $optional^)? attr-dict `:` type($weight)
    `,` type($hessian) `,` type($cross) (`,` type($residual)^)? `->`
    type($result)
  }];
  let hasVerifier = 1;
}

def QuantLLM_RoundToNearestOp : QuantLLM_PureOp<"round_to_nearest"> {
  let summary = "rounds a weight to the nearest code, group by group";
  let description = [{
    With lo = min(w, 0), hi = max(w, 0) of a group (symmetric:
    hi = max(|lo|, hi), lo = -hi) and codes cmin .. cmax (2^b of them):
    s = (hi - lo) / (cmax - cmin), rounded to the scale type and kept between
    its smallest and largest usable value (f16: 2^-24 and 65504, others: 2^-126
    and the largest finite value);
    z = clamp(cmin + round(-lo / s), cmin, cmax) (symmetric: the default zero
    point, no zero-point result);
    c = clamp(round(w / s) + z, cmin, cmax). A group of zeros has s = 1 and the
    default zero point. For e4m3, symmetric only, cmax = -cmin = 448 and c is the
    float of that kind nearest to w / s, ties to even.
    `scale_search = mse` shrinks the range in 80 steps of 1 % and keeps the
    smallest sum |w - q|^2.4 (GPTQ, arXiv 2210.17323, reference quantiser).
    With `per_tensor` the whole weight is one group: all scales are equal.

    ```mlir
    func.func @round_to_nearest(%w: tensor<4x10xf32>) -> (tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>) {
      %c, %s, %z = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) : tensor<4x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
      return %c, %s, %z : tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
    }
    ```

    Constraints:
    - (C1) weight has a static shape; codes have it too, with the scheme's
      storage type.
    - (C2) scales are [N, ceil(K/g)] of the scheme's scale type.
    - (C3) zero points are [N, ceil(K/g)] of i8 (i16 for u8), and present just
      where not symmetric.
    - (C4) scale_search is not weighted: there is no Hessian.
    - (C5) per_tensor only with a group of the whole row and without a scale
      search.
  }];
  let arguments = (ins QuantLLM_Weight:$weight, QuantLLM_SchemeAttr:$scheme,
      UnitAttr:$symmetric, UnitAttr:$per_tensor,
      DefaultValuedAttr<QuantLLM_ScaleSearchAttr,
                        "ScaleSearch::None">:$scale_search);
  let results = (outs QuantLLM_Codes:$codes, QuantLLM_Weight:$scales,
                      Optional<QuantLLM_ZeroPoints>:$zero_points);
  let assemblyFormat = [{
    $weight `scheme` `(` $scheme `)` (`symmetric` $symmetric^)?
    (`scale_search` `=` `` $scale_search^)? attr-dict `:` type($weight) `->`
    type($codes) `,` type($scales) (`,` type($zero_points)^)?
  }];
  let hasVerifier = 1;
  let builders = [
    // Result types follow from the operand and the scheme.
    OpBuilder<(ins "::mlir::Value":$weight, "SchemeAttr":$scheme,
                   "bool":$symmetric, "ScaleSearch":$scaleSearch,
                   CArg<"bool", "false">:$perTensor)>
  ];
}

def QuantLLM_RoundCompensatedOp
    : QuantLLM_PureOp<"round_compensated", [AttrSizedResultSegments]> {
  let summary = "rounds column by column, later columns make up for the error";
  let description = [{
    GPTQ (arXiv 2210.17323): with H damped by `damping` times its mean diagonal
    and U upper triangular, H^-1 = U^T U, columns in `order`: the code of column
    i minimises its own rounding error, then W[:, j] -= err * U[i,j] for all
    j > i, err = (w_i - q_i) / U[i,i]. The codes lower
    tr((W-Q) H (W-Q)^T), the output error on the calibration tokens.

    `order = activation` rounds columns by falling diagonal of H,
    `order = group_aware` group by group: groups by their largest diagonal,
    columns inside a group by theirs (GAR, arXiv 2505.14638). With
    `static_groups` scales and zero points come from the original weight in the
    original column order, and no permutation exists; without it a group's
    scales see the updated weights. With `order = activation` a group is then g
    columns that are consecutive in rounding order, codes are stored in that
    order, and the permutation result gives the original column of each stored
    one.

    `scale_search = weighted` shrinks the range as `mse` does and keeps the
    smallest sum (w - q)^2 / U[i,i]^2, the loss that the rounding itself
    minimises. The scales of static groups are searched `rescales` times more,
    for what compensation had made of the columns when they were rounded, and
    all columns are rounded anew; each row keeps the pass with the least of that
    loss. `sweeps` passes of coordinate descent follow, scales fixed: each
    code in turn becomes its best integer given all others in
    tr((W-Q) H (W-Q)^T).

    ```mlir
    func.func @round_compensated(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) -> (tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>) {
      %c, %s, %z = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) static_groups {damping = 1.000000e-02 : f64} : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
      return %c, %s, %z : tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
    }
    ```

    Constraints:
    - (C1) the sides of the Hessian equal K of the weight.
    - (C2) codes, scales and zero points as for `round_to_nearest`.
    - (C3) a permutation result, [K], is present just where order is activation
      and groups are not static.
    - (C4) damping is greater than 0; block is at least 1; sweeps and rescales
      are at least 0.
    - (C5) rescales is 0 without static groups, whose scales are of compensated
      columns anyway.
  }];
  let arguments = (ins QuantLLM_Weight:$weight, QuantLLM_Hessian:$hessian,
      QuantLLM_SchemeAttr:$scheme, UnitAttr:$symmetric,
      UnitAttr:$static_groups,
      DefaultValuedAttr<QuantLLM_OrderAttr, "Order::Activation">:$order,
      DefaultValuedAttr<QuantLLM_ScaleSearchAttr,
                        "ScaleSearch::None">:$scale_search,
      DefaultValuedAttr<F64Attr, "0.01">:$damping,
      DefaultValuedAttr<I64Attr, "128">:$block,
      DefaultValuedAttr<I64Attr, "0">:$sweeps,
      DefaultValuedAttr<I64Attr, "0">:$rescales);
  let results = (outs QuantLLM_Codes:$codes, QuantLLM_Weight:$scales,
                      Optional<QuantLLM_ZeroPoints>:$zero_points,
                      Optional<QuantLLM_Permutation>:$permutation);
  let assemblyFormat = [{
    $weight `,` $hessian `scheme` `(` $scheme `)` (`symmetric` $symmetric^)?
    (`static_groups` $static_groups^)? (`order` `=` `` $order^)?
    (`scale_search` `=` `` $scale_search^)? attr-dict `:` type($weight) `,`
    type($hessian) `->` type($codes) `,` type($scales)
    (`,` type($zero_points)^)? (`permutation` type($permutation)^)?
  }];
  let hasVerifier = 1;
  let builders = [
    OpBuilder<(ins "::mlir::Value":$weight, "::mlir::Value":$hessian,
                   "SchemeAttr":$scheme, "bool":$symmetric,
                   "bool":$staticGroups, "Order":$order,
                   "ScaleSearch":$scaleSearch, "double":$damping,
                   "int64_t":$block, "int64_t":$sweeps, "int64_t":$rescales)>
  ];
}

#endif // QK_DIALECT_QUANTLLM_IR_QUANTLLMRECIPEOPS_TD
