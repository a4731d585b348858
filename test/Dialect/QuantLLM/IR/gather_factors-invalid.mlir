// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @gather_factors_c1(%s: tensor<16xf32>) {
  // expected-error @+1 {{'quant_llm.gather_factors' op expected as many sizes as strides, got 2 and 1}}
  %0 = quant_llm.gather_factors %s sizes = [2, 4] strides = [8] : tensor<16xf32> -> tensor<8xf32>
  return
}

// -----

func.func @gather_factors_c1_stride(%s: tensor<16xf32>) {
  // expected-error @+1 {{'quant_llm.gather_factors' op expected sizes of at least 1 and strides of at least 0, got 4 and -1}}
  %0 = quant_llm.gather_factors %s sizes = [4] strides = [-1] : tensor<16xf32> -> tensor<4xf32>
  return
}

// -----

func.func @gather_factors_c2(%s: tensor<16xf32>) {
  // expected-error @+1 {{'quant_llm.gather_factors' op expected the size of the result to be 8 (product of sizes), got 4}}
  %0 = quant_llm.gather_factors %s sizes = [2, 4] strides = [8, 1] : tensor<16xf32> -> tensor<4xf32>
  return
}

// -----

func.func @gather_factors_c3(%s: tensor<16xf32>) {
  // expected-error @+1 {{'quant_llm.gather_factors' op expected indices below the number of factors, 16, got 19}}
  %0 = quant_llm.gather_factors %s sizes = [3, 4] strides = [8, 1] : tensor<16xf32> -> tensor<12xf32>
  return
}

// -----

func.func @gather_factors_c4_together(%s: tensor<16xf32>) {
  // expected-error @+1 {{'quant_llm.gather_factors' op expected first and count together, got only first}}
  %0 = "quant_llm.gather_factors"(%s) {sizes = array<i64: 4>, strides = array<i64: 1>, first = array<i64: 0>} : (tensor<16xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @gather_factors_c4_number(%s: tensor<16xf32>) {
  // expected-error @+1 {{'quant_llm.gather_factors' op expected as many first and count as sizes, got 1 and 2 for 2}}
  %0 = quant_llm.gather_factors %s sizes = [2, 4] strides = [8, 1] within first = [0] count = [1, 2] : tensor<16xf32> -> tensor<8xf32>
  return
}

// -----

func.func @gather_factors_c4_within(%s: tensor<16xf32>) {
  // expected-error @+1 {{'quant_llm.gather_factors' op expected first and count within 4, got 3 and 2}}
  %0 = quant_llm.gather_factors %s sizes = [4] strides = [1] within first = [3] count = [2] : tensor<16xf32> -> tensor<4xf32>
  return
}
