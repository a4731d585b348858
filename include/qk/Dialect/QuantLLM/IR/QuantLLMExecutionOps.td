//===- QuantLLMExecutionOps.td - Quantised execution -------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_IR_QUANTLLMEXECUTIONOPS_TD
#define QK_DIALECT_QUANTLLM_IR_QUANTLLMEXECUTIONOPS_TD

include "qk/Dialect/QuantLLM/IR/QuantLLMAttributes.td"

def QuantLLM_MatmulInput : RankedTensorOf<[F32, F16, BF16, I8, I16]>;

def QuantLLM_MatmulOp
    : QuantLLM_PureOp<"matmul", [AttrSizedOperandSegments]> {
  let summary = "a linear layer with a quantised weight";
  let description = [{
    y[m,n] = round( sum_k X[m, p(k)] * s[n, k/g] * (c[n,k] - z[n, k/g]) + b[n] )
    with p the permutation (absent: identity), and X = x for float x, or
    X[m,k] = x_scales[m, k/gx] * (x[m,k] - x_zero_points[m, k/gx]) for the codes
    that `quantize` made. A code of e4m3 is the value of that float. Leading
    dimensions of x are free (m stands for all of them). Accumulated in f32
    (integer products exactly), rounded once.

    ```mlir
    func.func @matmul(%x: tensor<?x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %z: tensor<4x3xi8>) -> tensor<?x4xf32> {
      %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>) -> tensor<?x4xf32>
      return %y : tensor<?x4xf32>
    }
    ```

    Constraints:
    - (C1) codes, scales and zero points fit the scheme, as for
      `round_to_nearest`.
    - (C2) the last dimension of x equals K.
    - (C3) permutation has K elements, bias N.
    - (C4) x_scales and x_scheme are present just where x is an integer tensor;
      x has the scheme's bits, x_scales are as `quantize` makes them.
    - (C5) y has x's leading dimensions and N; for float x its element type.
    - (C6) x_zero_points only with x_scales, of the same shape.
  }];
  let arguments = (ins QuantLLM_MatmulInput:$x, QuantLLM_Codes:$codes,
      QuantLLM_Weight:$scales, Optional<QuantLLM_ZeroPoints>:$zero_points,
      Optional<QuantLLM_Permutation>:$permutation,
      Optional<QuantLLM_Vector>:$bias,
      Optional<RankedTensorOf<[F32]>>:$x_scales,
      Optional<RankedTensorOf<[I8, I16]>>:$x_zero_points,
      QuantLLM_SchemeAttr:$scheme,
      OptionalAttr<QuantLLM_ActivationSchemeAttr>:$x_scheme, StrAttr:$layer);
  let results = (outs QuantLLM_FloatTensor:$y);
  let assemblyFormat = [{
    $x `,` $codes `,` $scales (`zero_points` `(` $zero_points^ `)`)?
    (`permutation` `(` $permutation^ `)`)? (`bias` `(` $bias^ `)`)?
    (`x_scales` `(` $x_scales^ `)`)? (`x_zero_points` `(` $x_zero_points^ `)`)?
    `scheme` `(` $scheme `)` (`x_scheme` `(` $x_scheme^ `)`)?
    `name` `(` $layer `)` attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def QuantLLM_QuantizeOp
    : QuantLLM_PureOp<"quantize", [AttrSizedOperandSegments]> {
  let summary = "quantises an activation";
  let description = [{
    For each scale's elements (the tensor, a token, a group of a token):
    s = max |x| / cmax, cmax = 127 for 8 bits and 32639 for 16 (all zeros:
    s = 1), or the given static scale (per tensor only);
    c = clamp(round(x / s), -cmax, cmax). For e4m3 cmax = 448 and c is the
    nearest float of that kind, ties to even. Codes have x's shape, scales are
    [..., 1] or [..., groups] (per tensor: all leading dimensions 1), f32. A NaN
    makes its scale NaN, so that it is seen in the result.
    With factors x is divided by them first, x[..., k] / factors[k] in f32: the
    column scale of a smoothed layer that nothing before could take.

    ```mlir
    func.func @quantize(%x: tensor<?x10xf32>) -> (tensor<?x10xi16>, tensor<?x3xf32>) {
      %c, %s = quant_llm.quantize %x scheme(<16, per_token_group, group = 4>) : tensor<?x10xf32> -> tensor<?x10xi16>, tensor<?x3xf32>
      return %c, %s : tensor<?x10xi16>, tensor<?x3xf32>
    }
    ```

    Constraints:
    - (C1) x has at least one dimension and a static last one.
    - (C2) codes have x's shape and the scheme's bits.
    - (C3) scales are [..., groups], for per_tensor all ones.
    - (C4) a static scale only for per_tensor, of the type of the scales.
    - (C5) as many factors as the last dimension of x.
  }];
  let arguments = (ins QuantLLM_FloatTensor:$x,
                       Optional<RankedTensorOf<[F32]>>:$static_scale,
                       Optional<QuantLLM_Factors>:$factors,
                       QuantLLM_ActivationSchemeAttr:$scheme);
  let results = (outs RankedTensorOf<[I8, I16]>:$codes,
                      RankedTensorOf<[F32]>:$scales);
  let assemblyFormat = [{
    $x (`divided_by` `(` $factors^ `:` type($factors) `)`)?
    (`static_scale` `(` $static_scale^ `:` type($static_scale) `)`)?
    `scheme` `(` $scheme `)` attr-dict `:` type($x) `->` type($codes) `,`
    type($scales)
  }];
  let hasVerifier = 1;
  let builders = [
    OpBuilder<(ins "::mlir::Value":$x, "ActivationSchemeAttr":$scheme)>
  ];
}

def QuantLLM_DequantizeOp : QuantLLM_PureOp<"dequantize"> {
  let summary = "the float weight that codes stand for";
  let description = [{
    w[n,k] = round( s[n, k/g] * (c[n,k] - z[n, k/g]) ), computed in f32.

    ```mlir
    func.func @dequantize(%c: tensor<4x10xi4>, %s: tensor<4x3xf16>) -> tensor<4x10xf32> {
      %w = quant_llm.dequantize %c, %s scheme(<u4, group = 4, scale = f16>) : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<4x10xf32>
      return %w : tensor<4x10xf32>
    }
    ```

    Constraints:
    - (C1) codes, scales and zero points fit the scheme, as for
      `round_to_nearest`.
    - (C2) the result has the shape of the codes.
  }];
  let arguments = (ins QuantLLM_Codes:$codes, QuantLLM_Weight:$scales,
                       Optional<QuantLLM_ZeroPoints>:$zero_points,
                       QuantLLM_SchemeAttr:$scheme);
  let results = (outs QuantLLM_Weight:$weight);
  let assemblyFormat = [{
    $codes `,` $scales (`zero_points` `(` $zero_points^ `:` type($zero_points) `)`)?
    `scheme` `(` $scheme `)` attr-dict `:` type($codes) `,` type($scales) `->`
    type($weight)
  }];
  let hasVerifier = 1;
}

def QuantLLM_PackOp : QuantLLM_PureOp<"pack"> {
  let summary = "arranges codes, scales and zero points as a kernel reads them";
  let description = [{
    The bytes of a quantised weight in the target's `layout`; which bytes these
    are, and how many, the target defines (qk/Target/*/Layout.h). From here on
    no sub-byte tensor exists.

    ```mlir
    func.func @pack(%c: tensor<4x10xi4>, %s: tensor<4x3xf16>) -> tensor<128xi8> {
      %b = quant_llm.pack %c, %s scheme(<u4, group = 4, scale = f16>) layout("example") : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<128xi8>
      return %b : tensor<128xi8>
    }
    ```

    Constraints:
    - (C1) codes, scales and zero points fit the scheme, as for
      `round_to_nearest`.
    - (C2) the result is a static one-dimensional tensor of i8.
    - (C3) layout is not empty.
  }];
  let arguments = (ins QuantLLM_Codes:$codes, QuantLLM_Weight:$scales,
                       Optional<QuantLLM_ZeroPoints>:$zero_points,
                       QuantLLM_SchemeAttr:$scheme, StrAttr:$layout);
  let results = (outs 1DTensorOf<[I8]>:$bytes);
  let assemblyFormat = [{
    $codes `,` $scales (`zero_points` `(` $zero_points^ `:` type($zero_points) `)`)?
    `scheme` `(` $scheme `)` `layout` `(` $layout `)` attr-dict `:` type($codes)
    `,` type($scales) `->` type($bytes)
  }];
  let hasVerifier = 1;
}

def QuantLLM_PackedMatmulOp
    : QuantLLM_PureOp<"packed_matmul", [AttrSizedOperandSegments]> {
  let summary = "a linear layer on packed bytes";
  let description = [{
    `matmul` with codes, scales and zero points in one packed operand. `kernel`
    is the symbol of the function that computes it, once it has been chosen.

    ```mlir
    func.func @packed_matmul(%x: tensor<?x10xf32>, %b: tensor<128xi8>) -> tensor<?x4xf32> {
      %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("example") zero_points name("fc") : (tensor<?x10xf32>, tensor<128xi8>) -> tensor<?x4xf32>
      return %y : tensor<?x4xf32>
    }
    ```

    Constraints:
    - (C1) the last dimension of x equals k, that of y n; n and k are at least 1.
    - (C2) permutation has k elements, bias n.
    - (C3) x_scales and x_scheme are as for `matmul`.
    - (C4) y has x's leading dimensions and, for float x, its element type.
  }];
  let arguments = (ins QuantLLM_MatmulInput:$x, 1DTensorOf<[I8]>:$bytes,
      Optional<QuantLLM_Permutation>:$permutation,
      Optional<QuantLLM_Vector>:$bias,
      Optional<RankedTensorOf<[F32]>>:$x_scales,
      QuantLLM_SchemeAttr:$scheme,
      OptionalAttr<QuantLLM_ActivationSchemeAttr>:$x_scheme,
      I64Attr:$n, I64Attr:$k, StrAttr:$layout, UnitAttr:$has_zero_points,
      OptionalAttr<FlatSymbolRefAttr>:$kernel, StrAttr:$layer);
  let results = (outs QuantLLM_FloatTensor:$y);
  let assemblyFormat = [{
    $x `,` $bytes (`permutation` `(` $permutation^ `)`)?
    (`bias` `(` $bias^ `)`)? (`x_scales` `(` $x_scales^ `)`)?
    `scheme` `(` $scheme `)` (`x_scheme` `(` $x_scheme^ `)`)?
    `n` `=` custom<Integer>($n) `k` `=` custom<Integer>($k) `layout` `(` $layout `)`
    (`zero_points` $has_zero_points^)? (`kernel` `(` $kernel^ `)`)?
    `name` `(` $layer `)` attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // QK_DIALECT_QUANTLLM_IR_QUANTLLMEXECUTIONOPS_TD
