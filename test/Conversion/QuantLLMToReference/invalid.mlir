// RUN: qk-opt %s --quant-llm-to-reference --split-input-file --verify-diagnostics
// What has no reference lowering is said before anything is changed.

func.func @recipe(%w: tensor<4x8xf32>, %h: tensor<8x8xf32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{'quant_llm.clip' op has no reference lowering; evaluate the recipe first (--quant-llm-evaluate)}}
  %0 = quant_llm.clip %w, %h scheme(<u4, group = 4, scale = f16>) grid = 20 : tensor<4x8xf32>, tensor<8x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

func.func @retarget(%w: tensor<4x8xf32>, %h: tensor<8x8xf32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{'quant_llm.retarget' op has no reference lowering; evaluate the recipe first (--quant-llm-evaluate)}}
  %0 = quant_llm.retarget %w, %h, %h alpha = 0.5 : tensor<4x8xf32>, tensor<8x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// -----

func.func @foreign(%c: tensor<4x8xi4>) -> tensor<4x8xi4> {
  // expected-error @+1 {{'arith.addi' op uses a tensor of sub-byte codes, which becomes a tensor of i8 here; expected only quant_llm ops, functions, calls, constants and scf ops to use one}}
  %0 = arith.addi %c, %c : tensor<4x8xi4>
  return %0 : tensor<4x8xi4>
}

// -----

func.func @resource() -> tensor<4x8xi4> {
  // expected-error @+1 {{'arith.constant' op expected codes written in the module, got dense_resource<codes> : tensor<4x8xi4>; bind it as a parameter first (--quant-llm-bind-parameters)}}
  %0 = arith.constant dense_resource<codes> : tensor<4x8xi4>
  return %0 : tensor<4x8xi4>
}

// -----

func.func @per_tensor(%w: tensor<4x8xf32>) -> tensor<4x8xi8> {
  // expected-error @+1 {{'quant_llm.round_to_nearest' op has no reference lowering with per_tensor; evaluate the recipe first (--quant-llm-evaluate)}}
  %c, %s = quant_llm.round_to_nearest %w scheme(<s8, group = -1, scale = f16>) symmetric {per_tensor} : tensor<4x8xf32> -> tensor<4x8xi8>, tensor<4x1xf16>
  return %c : tensor<4x8xi8>
}

// -----

func.func @float_codes(%w: tensor<4x8xf32>) -> tensor<4x8xi8> {
  // expected-error @+1 {{'quant_llm.round_to_nearest' op has no reference lowering with codes of e4m3; evaluate the recipe first (--quant-llm-evaluate)}}
  %c, %s = quant_llm.round_to_nearest %w scheme(<e4m3, group = -1, scale = f16>) symmetric : tensor<4x8xf32> -> tensor<4x8xi8>, tensor<4x1xf16>
  return %c : tensor<4x8xi8>
}
