// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @packed_matmul_c1_k(%x: tensor<?x10xf32>, %b: tensor<64xi8>) {
  // expected-error @+1 {{'quant_llm.packed_matmul' op expected the last dimension of x to be 9 (k), got 10}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 9 layout("l") name("fc") : (tensor<?x10xf32>, tensor<64xi8>) -> tensor<?x4xf32>
  return
}

// -----

func.func @packed_matmul_c1_n(%x: tensor<?x10xf32>, %b: tensor<64xi8>) {
  // expected-error @+1 {{'quant_llm.packed_matmul' op expected the last dimension of y to be 5 (n), got 4}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 5 k = 10 layout("l") name("fc") : (tensor<?x10xf32>, tensor<64xi8>) -> tensor<?x4xf32>
  return
}

// -----

func.func @packed_matmul_c1_positive(%x: tensor<?x10xf32>, %b: tensor<64xi8>) {
  // expected-error @+1 {{'quant_llm.packed_matmul' op expected n and k to be at least 1, got 0 and 10}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 0 k = 10 layout("l") name("fc") : (tensor<?x10xf32>, tensor<64xi8>) -> tensor<?x4xf32>
  return
}

// -----

func.func @packed_matmul_c2_permutation(%x: tensor<?x10xf32>, %b: tensor<64xi8>, %p: tensor<4xi32>) {
  // expected-error @+1 {{'quant_llm.packed_matmul' op expected the size of the permutation to be 10 (K of the weight), got 4}}
  %y = quant_llm.packed_matmul %x, %b permutation(%p) scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("l") name("fc") : (tensor<?x10xf32>, tensor<64xi8>, tensor<4xi32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @packed_matmul_c2_bias(%x: tensor<?x10xf32>, %b: tensor<64xi8>, %d: tensor<10xf32>) {
  // expected-error @+1 {{'quant_llm.packed_matmul' op expected the size of the bias to be 4 (N of the weight), got 10}}
  %y = quant_llm.packed_matmul %x, %b bias(%d) scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("l") name("fc") : (tensor<?x10xf32>, tensor<64xi8>, tensor<10xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @packed_matmul_c3(%x: tensor<?x10xi8>, %b: tensor<64xi8>) {
  // expected-error @+1 {{'quant_llm.packed_matmul' op expected x_scales for x of type 'tensor<?x10xi8>', got none}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("l") name("fc") : (tensor<?x10xi8>, tensor<64xi8>) -> tensor<?x4xf32>
  return
}

// -----

func.func @packed_matmul_c3_shape(%x: tensor<2x10xi8>, %b: tensor<64xi8>, %t: tensor<2x3xf32>) {
  // expected-error @+1 {{'quant_llm.packed_matmul' op expected x_scales to fit 'tensor<2x1xf32>' (x_scheme), got 'tensor<2x3xf32>'}}
  %y = quant_llm.packed_matmul %x, %b x_scales(%t) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_token>) n = 4 k = 10 layout("l") name("fc") : (tensor<2x10xi8>, tensor<64xi8>, tensor<2x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @packed_matmul_c4(%x: tensor<2x10xf32>, %b: tensor<64xi8>) {
  // expected-error @+1 {{'quant_llm.packed_matmul' op expected y to have the leading dimensions of 'tensor<2x10xf32>', got 'tensor<3x4xf32>'}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("l") name("fc") : (tensor<2x10xf32>, tensor<64xi8>) -> tensor<3x4xf32>
  return
}

// -----

func.func @packed_matmul_c4_type(%x: tensor<?x10xf32>, %b: tensor<64xi8>) {
  // expected-error @+1 {{'quant_llm.packed_matmul' op expected y to have x's element type 'f32', got 'tensor<?x4xf16>'}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("l") name("fc") : (tensor<?x10xf32>, tensor<64xi8>) -> tensor<?x4xf16>
  return
}
