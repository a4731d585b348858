// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @dequantize_c1(%c: tensor<4x10xi4>, %s: tensor<4x2xf16>) {
  // expected-error @+1 {{'quant_llm.dequantize' op expected scales of type 'tensor<4x3xf16>' (N rows, ceil(K/group) columns), got 'tensor<4x2xf16>'}}
  %0 = quant_llm.dequantize %c, %s scheme(<u4, group = 4, scale = f16>) : tensor<4x10xi4>, tensor<4x2xf16> -> tensor<4x10xf32>
  return
}

// -----

func.func @dequantize_c2(%c: tensor<4x10xi4>, %s: tensor<4x3xf16>) {
  // expected-error @+1 {{'quant_llm.dequantize' op expected the result to have the shape of 'tensor<4x10xi4>', got 'tensor<10x4xf32>'}}
  %0 = quant_llm.dequantize %c, %s scheme(<u4, group = 4, scale = f16>) : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<10x4xf32>
  return
}
