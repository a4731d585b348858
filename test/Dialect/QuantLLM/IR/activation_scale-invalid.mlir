// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @activation_scale_c1(%a: tensor<8xf32>) {
  // expected-error @+1 {{'quant_llm.activation_scale' op expected a scheme per tensor, got per_token}}
  %0 = quant_llm.activation_scale %a scheme(<8, per_token>) : tensor<8xf32> -> tensor<1x1xf32>
  return
}

// -----

func.func @activation_scale_c2(%a: tensor<8xf32>) {
  // expected-error @+1 {{'quant_llm.activation_scale' op expected a scale with all dimensions 1, got 'tensor<1x8xf32>'}}
  %0 = quant_llm.activation_scale %a scheme(<8, per_tensor>) : tensor<8xf32> -> tensor<1x8xf32>
  return
}
