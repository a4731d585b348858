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
