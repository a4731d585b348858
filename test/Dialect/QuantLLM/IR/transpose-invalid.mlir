// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @transpose_type(%w: tensor<8xf32>) {
  // expected-error @+1 {{expected a weight of two dimensions}}
  %0 = quant_llm.transpose %w : tensor<8xf32>
  return
}

// -----

func.func @transpose_inferred(%w: tensor<8x4xf32>) {
  // expected-error @+2 {{'quant_llm.transpose' op inferred type(s) 'tensor<4x8xf32>' are incompatible with return type(s) of operation 'tensor<8x4xf32>'}}
  // expected-error @+1 {{'quant_llm.transpose' op failed to infer returned types}}
  %0 = "quant_llm.transpose"(%w) : (tensor<8x4xf32>) -> tensor<8x4xf32>
  return
}
