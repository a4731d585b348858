// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @quantize_c1(%x: tensor<f32>) {
  // expected-error @+1 {{'quant_llm.quantize' op expected x to have at least one dimension, got 0}}
  %0:2 = quant_llm.quantize %x scheme(<8, per_tensor>) : tensor<f32> -> tensor<i8>, tensor<f32>
  return
}

// -----

func.func @quantize_c1_static(%x: tensor<4x?xf32>) {
  // expected-error @+1 {{'quant_llm.quantize' op expected a static last dimension of x, got 'tensor<4x?xf32>'}}
  %0:2 = quant_llm.quantize %x scheme(<8, per_token>) : tensor<4x?xf32> -> tensor<4x?xi8>, tensor<4x1xf32>
  return
}

// -----

func.func @quantize_c2(%x: tensor<4x10xf32>) {
  // expected-error @+1 {{'quant_llm.quantize' op expected codes of type 'tensor<4x10xi8>', got 'tensor<4x10xi16>'}}
  %0:2 = quant_llm.quantize %x scheme(<8, per_token>) : tensor<4x10xf32> -> tensor<4x10xi16>, tensor<4x1xf32>
  return
}

// -----

func.func @quantize_c3_group(%x: tensor<4x10xf32>) {
  // expected-error @+1 {{'quant_llm.quantize' op expected scales of type 'tensor<4x3xf32>', got 'tensor<4x2xf32>'}}
  %0:2 = quant_llm.quantize %x scheme(<8, per_token_group, group = 4>) : tensor<4x10xf32> -> tensor<4x10xi8>, tensor<4x2xf32>
  return
}

// -----

func.func @quantize_c3_tensor(%x: tensor<4x10xf32>) {
  // expected-error @+1 {{'quant_llm.quantize' op expected scales of type 'tensor<1x1xf32>', got 'tensor<4x1xf32>'}}
  %0:2 = quant_llm.quantize %x scheme(<8, per_tensor>) : tensor<4x10xf32> -> tensor<4x10xi8>, tensor<4x1xf32>
  return
}

// -----

func.func @quantize_c4(%x: tensor<4x10xf32>, %s: tensor<4x1xf32>) {
  // expected-error @+1 {{'quant_llm.quantize' op expected a static scale with per_tensor only, got one with per_token}}
  %0:2 = quant_llm.quantize %x static_scale(%s : tensor<4x1xf32>) scheme(<8, per_token>) : tensor<4x10xf32> -> tensor<4x10xi8>, tensor<4x1xf32>
  return
}

// -----

func.func @quantize_c4_type(%x: tensor<4x10xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{'quant_llm.quantize' op expected the static scale to have the type of the scales 'tensor<1x1xf32>', got 'tensor<f32>'}}
  %0:2 = quant_llm.quantize %x static_scale(%s : tensor<f32>) scheme(<8, per_tensor>) : tensor<4x10xf32> -> tensor<4x10xi8>, tensor<1x1xf32>
  return
}

// -----

func.func @quantize_c5(%x: tensor<4x10xf32>, %f: tensor<9xf32>) {
  // expected-error @+1 {{'quant_llm.quantize' op expected the number of factors to be 10 (last dimension of x), got 9}}
  %0:2 = quant_llm.quantize %x divided_by(%f : tensor<9xf32>) scheme(<8, per_token>) : tensor<4x10xf32> -> tensor<4x10xi8>, tensor<4x1xf32>
  return
}
