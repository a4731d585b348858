// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @saliency_factors_c1(%a: tensor<8xf32>, %h: tensor<8x8xf32>) {
  // expected-error @+1 {{'quant_llm.saliency_factors' op expected at least one weight, got none}}
  %0 = "quant_llm.saliency_factors"(%a, %h) {grid = 20, scheme = #quant_llm.scheme<u4, group = 4, scale = f16>} : (tensor<8xf32>, tensor<8x8xf32>) -> tensor<8xf32>
  return
}

// -----

func.func @saliency_factors_c2(%a: tensor<8xf32>, %h: tensor<8x8xf32>, %w: tensor<4x7xf32>) {
  // expected-error @+1 {{'quant_llm.saliency_factors' op expected K of weight 0 to be 8 (elements of the statistic), got 7}}
  %0 = quant_llm.saliency_factors %a, %h, (%w) scheme(<u4, group = 4, scale = f16>) grid = 20 : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x7xf32>)
  return
}

// -----

func.func @saliency_factors_c2_hessian(%a: tensor<8xf32>, %h: tensor<8x7xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{'quant_llm.saliency_factors' op expected the sides of the Hessian to be 8 (elements of absmean), got 7}}
  %0 = quant_llm.saliency_factors %a, %h, (%w) scheme(<u4, group = 4, scale = f16>) grid = 20 : tensor<8xf32>, tensor<8x7xf32>, (tensor<4x8xf32>)
  return
}

// -----

func.func @saliency_factors_c3(%a: tensor<8xf32>, %h: tensor<8x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{'quant_llm.saliency_factors' op expected grid to be at least 1, got 0}}
  %0 = quant_llm.saliency_factors %a, %h, (%w) scheme(<u4, group = 4, scale = f16>) grid = 0 : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>)
  return
}

// -----

func.func @saliency_factors_c4(%a: tensor<8xf32>, %h: tensor<8x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{'quant_llm.saliency_factors' op expected size times stride of shared channels to divide 8, got 0 and 2}}
  %0 = quant_llm.saliency_factors %a, %h, (%w) scheme(<u4, group = 4, scale = f16>) grid = 20 {shared = array<i64: 0, 2>} : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>)
  return
}
