// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @scale_columns_c1(%x: tensor<f32>, %s: tensor<8xf32>) {
  // expected-error @+1 {{'quant_llm.scale_columns' op expected input to have at least one dimension, got 0}}
  %0 = quant_llm.scale_columns %x by %s : tensor<f32>, tensor<8xf32>
  return
}

// -----

func.func @scale_columns_c2(%x: tensor<8x4xf32>, %s: tensor<8xf32>) {
  // expected-error @+1 {{'quant_llm.scale_columns' op expected the number of factors to be 4 (last dimension of the input), got 8}}
  %0 = quant_llm.scale_columns %x by inverse %s : tensor<8x4xf32>, tensor<8xf32>
  return
}

// -----

func.func @scale_columns_type(%x: tensor<8x4xf32>, %s: tensor<4xf16>) {
  // expected-error @+1 {{'quant_llm.scale_columns' op operand #1 must be 1D tensor of 32-bit float values, but got 'tensor<4xf16>'}}
  %0 = quant_llm.scale_columns %x by %s : tensor<8x4xf32>, tensor<4xf16>
  return
}
