// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @salient_columns_c1(%w: tensor<4x8xf32>, %a: tensor<7xf32>) {
  // expected-error @+1 {{'quant_llm.salient_columns' op expected the elements of absmean to be 8 (K of the weight), got 7}}
  %0 = quant_llm.salient_columns %w, %a count = 1 : tensor<4x8xf32>, tensor<7xf32>
  return
}

// -----

func.func @salient_columns_c2(%w: tensor<4x8xf32>, %a: tensor<8xf32>) {
  // expected-error @+1 {{'quant_llm.salient_columns' op expected count to be in [0, 8], got 9}}
  %0 = quant_llm.salient_columns %w, %a count = 9 : tensor<4x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @salient_columns_c2_negative(%w: tensor<4x8xf32>, %a: tensor<8xf32>) {
  // expected-error @+1 {{'quant_llm.salient_columns' op expected count to be in [0, 8], got -1}}
  %0 = quant_llm.salient_columns %w, %a count = -1 : tensor<4x8xf32>, tensor<8xf32>
  return
}
