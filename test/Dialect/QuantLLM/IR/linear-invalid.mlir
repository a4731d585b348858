// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @linear_c1(%x: tensor<f32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{'quant_llm.linear' op expected x to have at least one dimension, got 0}}
  %y = quant_llm.linear %x, %w name("fc") : (tensor<f32>, tensor<4x8xf32>) -> tensor<f32>
  return
}

// -----

func.func @linear_c2(%x: tensor<?x7xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{'quant_llm.linear' op expected the last dimension of x to be 8 (K of the weight), got 7}}
  %y = quant_llm.linear %x, %w name("fc") : (tensor<?x7xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @linear_c3(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>, %b: tensor<8xf32>) {
  // expected-error @+1 {{'quant_llm.linear' op expected the size of the bias to be 4 (N of the weight), got 8}}
  %y = quant_llm.linear %x, %w bias(%b) name("fc") : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<8xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @linear_c4(%x: tensor<?x8xf32>, %w: tensor<?x8xf32>) {
  // expected-error @+1 {{'quant_llm.linear' op expected the weight to have a static shape, got 'tensor<?x8xf32>'}}
  %y = quant_llm.linear %x, %w name("fc") : (tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x?xf32>
  return
}

// -----

func.func @linear_inferred(%x: tensor<?x8xf16>, %w: tensor<4x8xf16>) {
  // expected-error @+2 {{'quant_llm.linear' op inferred type(s) 'tensor<?x4xf16>' are incompatible with return type(s) of operation 'tensor<?x4xf32>'}}
  // expected-error @+1 {{'quant_llm.linear' op failed to infer returned types}}
  %y = quant_llm.linear %x, %w name("fc") : (tensor<?x8xf16>, tensor<4x8xf16>) -> tensor<?x4xf32>
  return
}

// -----

func.func @linear_type(%x: tensor<?x8xi8>, %w: tensor<4x8xf16>) {
  // expected-error @+1 {{'quant_llm.linear' op operand #0 must be ranked tensor of 32-bit float or 16-bit float or bfloat16 type values, but got 'tensor<?x8xi8>'}}
  %y = quant_llm.linear %x, %w name("fc") : (tensor<?x8xi8>, tensor<4x8xf16>) -> tensor<?x4xi8>
  return
}
