// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @pack_c1(%c: tensor<4x10xi4>, %s: tensor<4x2xf16>) {
  // expected-error @+1 {{'quant_llm.pack' op expected scales of type 'tensor<4x3xf16>' (N rows, ceil(K/group) columns), got 'tensor<4x2xf16>'}}
  %0 = quant_llm.pack %c, %s scheme(<u4, group = 4, scale = f16>) layout("l") : tensor<4x10xi4>, tensor<4x2xf16> -> tensor<64xi8>
  return
}

// -----

func.func @pack_c2(%c: tensor<4x10xi4>, %s: tensor<4x3xf16>) {
  // expected-error @+1 {{'quant_llm.pack' op expected the packed bytes to have a static shape, got 'tensor<?xi8>'}}
  %0 = quant_llm.pack %c, %s scheme(<u4, group = 4, scale = f16>) layout("l") : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<?xi8>
  return
}

// -----

func.func @pack_c3(%c: tensor<4x10xi4>, %s: tensor<4x3xf16>) {
  // expected-error @+1 {{'quant_llm.pack' op expected a layout, got an empty string}}
  %0 = quant_llm.pack %c, %s scheme(<u4, group = 4, scale = f16>) layout("") : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<64xi8>
  return
}
