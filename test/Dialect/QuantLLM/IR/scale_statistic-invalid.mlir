// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @scale_statistic_c1(%a: tensor<8x4xf32>, %s: tensor<8xf32>) {
  // expected-error @+1 {{'quant_llm.scale_statistic' op expected a statistic of one dimension or a square one, got 'tensor<8x4xf32>'}}
  %0 = quant_llm.scale_statistic %a by %s : tensor<8x4xf32>, tensor<8xf32>
  return
}

// -----

func.func @scale_statistic_c1_rank(%a: tensor<8x8x8xf32>, %s: tensor<8xf32>) {
  // expected-error @+1 {{'quant_llm.scale_statistic' op expected a statistic of one dimension or a square one, got 'tensor<8x8x8xf32>'}}
  %0 = quant_llm.scale_statistic %a by %s : tensor<8x8x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @scale_statistic_c2(%a: tensor<8xf32>, %s: tensor<7xf32>) {
  // expected-error @+1 {{'quant_llm.scale_statistic' op expected the number of factors to be 8 (size of the statistic), got 7}}
  %0 = quant_llm.scale_statistic %a by %s : tensor<8xf32>, tensor<7xf32>
  return
}

// -----

func.func @scale_statistic_c1_columns(%a: tensor<8xf32>, %s: tensor<8xf32>) {
  // expected-error @+1 {{'quant_llm.scale_statistic' op expected a statistic of two dimensions with columns, got 'tensor<8xf32>'}}
  %0 = quant_llm.scale_statistic columns %a by %s : tensor<8xf32>, tensor<8xf32>
  return
}

// -----

func.func @scale_statistic_c2_columns(%a: tensor<4x8xf32>, %s: tensor<4xf32>) {
  // expected-error @+1 {{'quant_llm.scale_statistic' op expected the number of factors to be 8 (size of the statistic), got 4}}
  %0 = quant_llm.scale_statistic columns %a by %s : tensor<4x8xf32>, tensor<4xf32>
  return
}
