// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @clip_c1(%w: tensor<4x8xf32>, %h: tensor<7x7xf32>) {
  // expected-error @+1 {{'quant_llm.clip' op expected the sides of the Hessian to be 8 (K of the weight), got 7}}
  %0 = quant_llm.clip %w, %h scheme(<u4, group = 4, scale = f16>) grid = 20 : tensor<4x8xf32>, tensor<7x7xf32>
  return
}

// -----

func.func @clip_c2(%w: tensor<4x8xf32>, %h: tensor<8x8xf32>) {
  // expected-error @+1 {{'quant_llm.clip' op expected grid to be at least 1, got -1}}
  %0 = quant_llm.clip %w, %h scheme(<u4, group = 4, scale = f16>) grid = -1 : tensor<4x8xf32>, tensor<8x8xf32>
  return
}

// -----

func.func @clip_c2_sweeps(%w: tensor<4x8xf32>, %h: tensor<8x8xf32>) {
  // expected-error @+1 {{'quant_llm.clip' op expected sweeps to be at least 0, got -1}}
  %0 = quant_llm.clip %w, %h scheme(<u4, group = 4, scale = f16>) grid = 20 sweeps = -1 : tensor<4x8xf32>, tensor<8x8xf32>
  return
}
