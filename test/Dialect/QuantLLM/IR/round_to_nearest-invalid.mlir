// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @round_to_nearest_c1_static(%w: tensor<?x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_to_nearest' op expected the weight to have a static shape, got 'tensor<?x10xf32>'}}
  %0:3 = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) : tensor<?x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_to_nearest_c1_shape(%w: tensor<4x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_to_nearest' op expected codes to have the weight's shape, got 'tensor<10x4xi4>' for 'tensor<4x10xf32>'}}
  %0:3 = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) : tensor<4x10xf32> -> tensor<10x4xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_to_nearest_c1_type(%w: tensor<4x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_to_nearest' op expected codes of type 'i4' (scheme u4), got 'i8'}}
  %0:3 = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) : tensor<4x10xf32> -> tensor<4x10xi8>, tensor<4x3xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_to_nearest_c2_shape(%w: tensor<4x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_to_nearest' op expected scales of type 'tensor<4x3xf16>' (N rows, ceil(K/group) columns), got 'tensor<4x2xf16>'}}
  %0:3 = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) : tensor<4x10xf32> -> tensor<4x10xi4>, tensor<4x2xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_to_nearest_c2_type(%w: tensor<4x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_to_nearest' op expected scales of type 'tensor<4x3xf16>' (N rows, ceil(K/group) columns), got 'tensor<4x3xf32>'}}
  %0:3 = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) : tensor<4x10xf32> -> tensor<4x10xi4>, tensor<4x3xf32>, tensor<4x3xi8>
  return
}

// -----

func.func @round_to_nearest_c3_type(%w: tensor<4x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_to_nearest' op expected zero points of type 'tensor<4x3xi8>' (as many as scales), got 'tensor<4x3xi16>'}}
  %0:3 = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) : tensor<4x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi16>
  return
}

// -----

func.func @round_to_nearest_c3_symmetric(%w: tensor<4x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_to_nearest' op expected no zero points where symmetric, got a zero-point result}}
  %0:3 = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) symmetric : tensor<4x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_to_nearest_c3_asymmetric(%w: tensor<4x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_to_nearest' op expected a zero-point result where not symmetric, got none}}
  %0:2 = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) : tensor<4x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>
  return
}

// -----

func.func @round_to_nearest_c4(%w: tensor<4x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_to_nearest' op expected scale_search to be none or mse, got weighted: only round_compensated has a Hessian to weigh by}}
  %0:3 = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) scale_search = weighted : tensor<4x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_to_nearest_c5(%w: tensor<4x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_to_nearest' op expected a group of the whole row (-1) with per_tensor, got 4}}
  %0:3 = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) {per_tensor} : tensor<4x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return
}

// -----

func.func @round_to_nearest_c5_search(%w: tensor<4x10xf32>) {
  // expected-error @+1 {{'quant_llm.round_to_nearest' op expected no scale search with per_tensor}}
  %0:2 = quant_llm.round_to_nearest %w scheme(<s8, group = -1, scale = f16>) symmetric scale_search = mse {per_tensor} : tensor<4x10xf32> -> tensor<4x10xi8>, tensor<4x1xf16>
  return
}
