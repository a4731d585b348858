// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @smoothing_factors_c1(%a: tensor<8xf32>) {
  // expected-error @+1 {{'quant_llm.smoothing_factors' op expected at least one weight, got none}}
  %0 = "quant_llm.smoothing_factors"(%a) {alpha = 0.5} : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @smoothing_factors_c2(%a: tensor<8xf32>, %w: tensor<4x8xf32>, %v: tensor<4x7xf32>) {
  // expected-error @+1 {{'quant_llm.smoothing_factors' op expected K of weight 1 to be 8 (elements of the statistic), got 7}}
  %0 = quant_llm.smoothing_factors %a, (%w, %v) alpha = 0.5 : tensor<8xf32>, (tensor<4x8xf32>, tensor<4x7xf32>)
  return
}

// -----

func.func @smoothing_factors_c3(%a: tensor<8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{'quant_llm.smoothing_factors' op expected alpha to be in [0, 1], got 1.500000e+00}}
  %0 = quant_llm.smoothing_factors %a, (%w) alpha = 1.5 : tensor<8xf32>, (tensor<4x8xf32>)
  return
}

// -----

func.func @smoothing_factors_inferred(%a: tensor<8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+2 {{'quant_llm.smoothing_factors' op inferred type(s) 'tensor<8xf32>' are incompatible with return type(s) of operation 'tensor<4xf32>'}}
  // expected-error @+1 {{'quant_llm.smoothing_factors' op failed to infer returned types}}
  %0 = "quant_llm.smoothing_factors"(%a, %w) {alpha = 0.5} : (tensor<8xf32>, tensor<4x8xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @smoothing_factors_c4(%a: tensor<8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{'quant_llm.smoothing_factors' op expected shared to be pairs of size and stride, got 3 numbers}}
  %0 = quant_llm.smoothing_factors %a, (%w) alpha = 0.5 {shared = array<i64: 2, 1, 2>} : tensor<8xf32>, (tensor<4x8xf32>)
  return
}
