// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @round_compensated_c1(%w: tensor<4x10xf32>, %h: tensor<4x4xf32>) {
  // expected-error @+1 {{'quant_llm.round_compensated' op expected the sides of the Hessian to be 10 (K of the weight), got 4}}
  %0:3 = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) static_groups : tensor<4x10xf32>, tensor<4x4xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_compensated_c2(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_compensated' op expected scales of type 'tensor<4x3xf16>' (N rows, ceil(K/group) columns), got 'tensor<4x1xf16>'}}
  %0:3 = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) static_groups : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x1xf16>, tensor<4x1xi8>
  return
}

// -----

func.func @round_compensated_c2_symmetric(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_compensated' op expected no zero points where symmetric, got a zero-point result}}
  %0:3 = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) symmetric static_groups : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_compensated_c3_missing(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_compensated' op expected a permutation result with order = activation without static groups, got none}}
  %0:3 = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_compensated_c3_superfluous(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_compensated' op expected no permutation result with order = activation and static groups, got one}}
  %0:4 = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) static_groups : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8> permutation tensor<10xi32>
  return
}

// -----

func.func @round_compensated_c3_size(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_compensated' op expected the size of the permutation to be 10 (K of the weight), got 4}}
  %0:4 = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8> permutation tensor<4xi32>
  return
}

// -----

func.func @round_compensated_c4_damping(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_compensated' op expected damping to be greater than 0, got 0.000000e+00}}
  %0:3 = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) static_groups {damping = 0.0 : f64} : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_compensated_c4_block(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_compensated' op expected block to be at least 1, got -64}}
  %0:3 = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) static_groups {block = -64 : i64} : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_compensated_c4_rescales(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_compensated' op expected rescales to be at least 0, got -1}}
  %0:3 = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) static_groups {rescales = -1 : i64} : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_compensated_c5(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_compensated' op expected no rescales without static groups, got 2}}
  %0:3 = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) order = none {rescales = 2 : i64} : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_compensated_c4_sweeps(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_compensated' op expected sweeps to be at least 0, got -1}}
  %0:3 = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) static_groups {sweeps = -1 : i64} : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_compensated_c3_group_aware(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_compensated' op expected no permutation result with order = group_aware without static groups, got one}}
  %0:4 = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) order = group_aware : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8> permutation tensor<10xi32>
  return
}
