// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @search_c1(%a: tensor<8xf32>, %h: tensor<8x8xf32>) {
  // expected-error @+1 {{'quant_llm.search_smoothing_factors' op expected at least one weight, got none}}
  %0 = "quant_llm.search_smoothing_factors"(%a, %h) {scheme = #quant_llm.scheme<s8, group = -1, scale = f16>, x_scheme = #quant_llm.activation_scheme<8, per_token>, grid = 20 : i64} : (tensor<8xf32>, tensor<8x8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @search_c2(%a: tensor<8xf32>, %h: tensor<8x8xf32>, %w: tensor<4x7xf32>) {
  // expected-error @+1 {{'quant_llm.search_smoothing_factors' op expected K of weight 0 to be 8 (elements of the statistic), got 7}}
  %0 = quant_llm.search_smoothing_factors %a, %h, (%w) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) grid = 20 symmetric : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x7xf32>)
  return
}

// -----

func.func @search_c2_hessian(%a: tensor<8xf32>, %h: tensor<8x9xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{'quant_llm.search_smoothing_factors' op expected the sides of the Hessian to be 8 (elements of absmax), got 9}}
  %0 = quant_llm.search_smoothing_factors %a, %h, (%w) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) grid = 20 symmetric : tensor<8xf32>, tensor<8x9xf32>, (tensor<4x8xf32>)
  return
}

// -----

func.func @search_c3(%a: tensor<8xf32>, %h: tensor<8x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{'quant_llm.search_smoothing_factors' op expected grid to be at least 1, got 0}}
  %0 = quant_llm.search_smoothing_factors %a, %h, (%w) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) grid = 0 : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>)
  return
}

// -----

func.func @search_c4(%a: tensor<8xf32>, %h: tensor<8x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{'quant_llm.search_smoothing_factors' op expected size times stride of shared channels to divide 8, got 3 and 2}}
  %0 = quant_llm.search_smoothing_factors %a, %h, (%w) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) grid = 2 {shared = array<i64: 3, 2>} : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>)
  return
}

// -----

func.func @search_c5(%a: tensor<8xf32>, %h: tensor<8x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{'quant_llm.search_smoothing_factors' op expected activations per tensor or per token, got per_token_group}}
  %0 = quant_llm.search_smoothing_factors %a, %h, (%w) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token_group, group = 4>) grid = 2 : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>)
  return
}

// -----

func.func @search_c6(%a: tensor<8xf32>, %h: tensor<8x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{'quant_llm.search_smoothing_factors' op expected a group of the whole row (-1) with per_tensor, got 4}}
  %0 = quant_llm.search_smoothing_factors %a, %h, (%w) scheme(<s8, group = 4, scale = f16>) x_scheme(<8, per_token>) grid = 2 {per_tensor} : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>)
  return
}
