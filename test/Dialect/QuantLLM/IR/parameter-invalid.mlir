// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @parameter_c1() {
  // expected-error @+1 {{'quant_llm.parameter' op expected the result to have a static shape, got 'tensor<?x8xf32>'}}
  %0 = quant_llm.parameter "m"::"w" : tensor<?x8xf32>
  return
}

// -----

func.func @parameter_c2() {
  // expected-error @+1 {{'quant_llm.parameter' op expected a parameter name, got an empty string}}
  %0 = quant_llm.parameter "m"::"" : tensor<4x8xf32>
  return
}

// -----

func.func @parameter_c3() {
  // expected-error @+1 {{'quant_llm.parameter' op expected a value of type 'tensor<4x8xf32>' (the storage type of 'tensor<4x8xf32>'), got 'tensor<4x8xi32>'}}
  %0 = quant_llm.parameter "m"::"w" : tensor<4x8xf32> = dense<0> : tensor<4x8xi32>
  return
}

// -----

func.func @parameter_c3_packed() {
  // expected-error @+1 {{'quant_llm.parameter' op expected a value of type 'tensor<4x3xi8>' (the storage type of 'tensor<4x7xi3>'), got 'tensor<4x7xi8>'}}
  %0 = quant_llm.parameter "m"::"w" : tensor<4x7xi3> = dense<0> : tensor<4x7xi8>
  return
}

// -----

func.func @parameter_c4_elements() {
  // expected-error @+1 {{'quant_llm.parameter' op expected a part of 32 elements for 'tensor<4x8xf32>', got 16}}
  %0 = quant_llm.parameter "m"::"w" {part = #quant_llm.part<offset = 0, sizes = [2, 8], strides = [8, 1]>} : tensor<4x8xf32>
  return
}

// -----

func.func @parameter_c4_bytes() {
  // expected-error @+1 {{'quant_llm.parameter' op expected a part of elements of whole bytes, got 'tensor<4x8xi4>'}}
  %0 = quant_llm.parameter "m"::"w" {part = #quant_llm.part<offset = 0, sizes = [32], strides = [1]>} : tensor<4x8xi4>
  return
}

// -----

func.func @parameter_c4_value() {
  // expected-error @+1 {{'quant_llm.parameter' op expected a part of a file's tensor, got a value}}
  %0 = quant_llm.parameter "m"::"w" {part = #quant_llm.part<offset = 0, sizes = [2], strides = [1]>} : tensor<2xf32> = dense<0.0> : tensor<2xf32>
  return
}
