// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @matmul_c1_static(%x: tensor<?x10xf32>, %c: tensor<?x10xi4>, %s: tensor<4x3xf16>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected codes to have a static shape, got 'tensor<?x10xi4>'}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<?x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf32>
  return
}

// -----

func.func @matmul_c1_codes(%x: tensor<?x10xf32>, %c: tensor<4x10xi8>, %s: tensor<4x3xf16>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected codes of type 'i4' (scheme u4), got 'i8'}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi8>, tensor<4x3xf16>) -> tensor<?x4xf32>
  return
}

// -----

func.func @matmul_c1_scales(%x: tensor<?x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x2xf16>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected scales of type 'tensor<4x3xf16>' (N rows, ceil(K/group) columns), got 'tensor<4x2xf16>'}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x2xf16>) -> tensor<?x4xf32>
  return
}

// -----

func.func @matmul_c1_zero_points(%x: tensor<?x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %z: tensor<4x2xi8>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected zero points of type 'tensor<4x3xi8>' (as many as scales), got 'tensor<4x2xi8>'}}
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x2xi8>) -> tensor<?x4xf32>
  return
}

// -----

func.func @matmul_c2(%x: tensor<?x9xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected the last dimension of x to be 10 (K of the codes), got 9}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x9xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf32>
  return
}

// -----

func.func @matmul_c2_rank(%x: tensor<f32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected x to have at least one dimension, got 0}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<f32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<f32>
  return
}

// -----

func.func @matmul_c3_permutation(%x: tensor<?x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %p: tensor<4xi32>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected the size of the permutation to be 10 (K of the weight), got 4}}
  %y = quant_llm.matmul %x, %c, %s permutation(%p) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<4xi32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @matmul_c3_bias(%x: tensor<?x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %b: tensor<10xf32>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected the size of the bias to be 4 (N of the weight), got 10}}
  %y = quant_llm.matmul %x, %c, %s bias(%b) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<10xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @matmul_c4_missing(%x: tensor<?x10xi8>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected x_scales for x of type 'tensor<?x10xi8>', got none}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_token>) name("fc") : (tensor<?x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf32>
  return
}

// -----

func.func @matmul_c4_superfluous(%x: tensor<?x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %t: tensor<?x1xf32>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected no x_scales for x of type 'tensor<?x10xf32>'}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%t) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<?x1xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @matmul_c4_scheme(%x: tensor<?x10xi8>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %t: tensor<?x1xf32>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected x_scheme just where x is quantised, got x of type 'tensor<?x10xi8>' without x_scheme}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%t) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<?x1xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @matmul_c4_bits(%x: tensor<?x10xi8>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %t: tensor<?x1xf32>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected x of i16 (x_scheme), got 'tensor<?x10xi8>'}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%t) scheme(<u4, group = 4, scale = f16>) x_scheme(<16, per_token>) name("fc") : (tensor<?x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<?x1xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @matmul_c4_groups(%x: tensor<?x10xi8>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %t: tensor<?x1xf32>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected x_scales to fit 'tensor<?x3xf32>' (x_scheme), got 'tensor<?x1xf32>'}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%t) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_token_group, group = 4>) name("fc") : (tensor<?x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<?x1xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @matmul_c4_leading(%x: tensor<2x10xi8>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %t: tensor<3x1xf32>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected x_scales to fit 'tensor<2x1xf32>' (x_scheme), got 'tensor<3x1xf32>'}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%t) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_token>) name("fc") : (tensor<2x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<3x1xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @matmul_c4_tensor(%x: tensor<2x10xi8>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %t: tensor<2x1xf32>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected x_scales to fit 'tensor<1x1xf32>' (x_scheme), got 'tensor<2x1xf32>'}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%t) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_tensor>) name("fc") : (tensor<2x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<2x1xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @matmul_c5_leading(%x: tensor<2x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected y to have the leading dimensions of 'tensor<2x10xf32>', got 'tensor<3x4xf32>'}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<2x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<3x4xf32>
  return
}

// -----

func.func @matmul_c5_rank(%x: tensor<?x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected y to have the leading dimensions of 'tensor<?x10xf32>', got 'tensor<1x?x4xf32>'}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<1x?x4xf32>
  return
}

// -----

func.func @matmul_c5_n(%x: tensor<?x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected the last dimension of y to be 4 (N of the codes), got 10}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x10xf32>
  return
}

// -----

func.func @matmul_c5_type(%x: tensor<?x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected y to have x's element type 'f32', got 'tensor<?x4xf16>'}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf16>
  return
}

// -----

func.func @matmul_c6(%x: tensor<?x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %u: tensor<?x1xi8>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected x_scales with x_zero_points, got none}}
  %y = quant_llm.matmul %x, %c, %s x_zero_points(%u) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<?x1xi8>) -> tensor<?x4xf32>
  return
}

// -----

func.func @matmul_c6_shape(%x: tensor<?x10xi8>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %t: tensor<?x1xf32>, %u: tensor<?x2xi8>) {
  // expected-error @+1 {{'quant_llm.matmul' op expected x_zero_points to have the shape of x_scales 'tensor<?x1xf32>', got 'tensor<?x2xi8>'}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%t) x_zero_points(%u) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_token>) name("fc") : (tensor<?x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<?x1xf32>, tensor<?x2xi8>) -> tensor<?x4xf32>
  return
}

// -----

func.func @float_zero_points(%x: tensor<?x10xf32>, %c: tensor<4x10xi8>, %s: tensor<4x1xf16>, %z: tensor<4x1xi8>) -> tensor<?x4xf32> {
  // expected-error @+1 {{'quant_llm.matmul' op expected no zero points with codes of e4m3, got 'tensor<4x1xi8>'}}
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<e4m3, group = -1, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi8>, tensor<4x1xf16>, tensor<4x1xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
