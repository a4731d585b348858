// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @observe_c1(%x: tensor<f32>) {
  // expected-error @+1 {{'quant_llm.observe' op expected x to have at least one dimension, got 0}}
  quant_llm.observe %x of "fc" : tensor<f32>
  return
}

// -----

func.func @observe_c1_static(%x: tensor<4x?xf32>) {
  // expected-error @+1 {{'quant_llm.observe' op expected a static last dimension of x, got 'tensor<4x?xf32>'}}
  quant_llm.observe %x of "fc" : tensor<4x?xf32>
  return
}

// -----

func.func @observe_c2(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'quant_llm.observe' op expected a layer name, got an empty string}}
  quant_llm.observe %x of "" : tensor<4x8xf32>
  return
}
