// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @retarget_c1_hessian(%w: tensor<4x8xf32>, %h: tensor<7x7xf32>, %c: tensor<8x8xf32>) {
  // expected-error @+1 {{'quant_llm.retarget' op expected the sides of the Hessian to be 8 (K of the weight), got 7}}
  %0 = quant_llm.retarget %w, %h, %c alpha = 0.5 : tensor<4x8xf32>, tensor<7x7xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @retarget_c1_cross(%w: tensor<4x8xf32>, %h: tensor<8x8xf32>, %c: tensor<8x9xf32>) {
  // expected-error @+1 {{'quant_llm.retarget' op expected the sides of the cross moment to be 8 (K of the weight), got 9}}
  %0 = quant_llm.retarget %w, %h, %c alpha = 0.5 : tensor<4x8xf32>, tensor<8x8xf32>, tensor<8x9xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @retarget_c1_residual(%w: tensor<4x8xf32>, %h: tensor<8x8xf32>, %r: tensor<8x4xf32>) {
  // expected-error @+1 {{'quant_llm.retarget' op expected a residual moment of the weight's shape, got 'tensor<8x4xf32>' for 'tensor<4x8xf32>'}}
  %0 = quant_llm.retarget %w, %h, %h residual %r alpha = 0.5 : tensor<4x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x4xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @retarget_c2_alpha(%w: tensor<4x8xf32>, %h: tensor<8x8xf32>) {
  // expected-error @+1 {{'quant_llm.retarget' op expected alpha to be in [0, 1], got 1.5}}
  %0 = quant_llm.retarget %w, %h, %h alpha = 1.5 : tensor<4x8xf32>, tensor<8x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @retarget_c2_damping(%w: tensor<4x8xf32>, %h: tensor<8x8xf32>) {
  // expected-error @+1 {{'quant_llm.retarget' op expected damping to be greater than 0, got 0}}
  %0 = quant_llm.retarget %w, %h, %h alpha = 0.5 {damping = 0.0 : f64} : tensor<4x8xf32>, tensor<8x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @retarget_c3(%w: tensor<4x8xf32>, %h: tensor<8x8xf32>) {
  // expected-error @+1 {{'quant_llm.retarget' op expected a result of the weight's shape, got 'tensor<8x4xf32>' for 'tensor<4x8xf32>'}}
  %0 = quant_llm.retarget %w, %h, %h alpha = 0.5 : tensor<4x8xf32>, tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x4xf32>
  return
}
