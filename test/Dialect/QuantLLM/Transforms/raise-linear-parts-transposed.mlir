// RUN: %python %S/../../../Inputs/make_safetensors.py %t.safetensors fc=F32[6x4]:1,7,13,19,2,8,14,20,3,9,15,21,4,10,16,22,5,11,17,23,6,12,18,24
// RUN: qk-opt --allow-unregistered-dialect --weights=%t.safetensors --quant-llm-raise-linear --verify-diagnostics %s | FileCheck %s
// Parts of a constant whose transpose a file holds: places count in the file.

// CHECK-LABEL: func.func @rows(
// CHECK: %[[W:.*]] = quant_llm.parameter "model"::"fc" {part = #quant_llm.part<offset = 1, sizes = [2, 6], strides = [1, 4]>} : tensor<2x6xf32>
// CHECK: quant_llm.linear %{{.*}}, %[[W]] name("fc.
func.func @rows(%x: tensor<5x6xf32>, %z: tensor<5x3xf32>) -> (tensor<5x2xf32>, tensor<5x4xf32>) {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3., 4., 5., 6.], [7., 8., 9., 10., 11., 12.], [13., 14., 15., 16., 17., 18.], [19., 20., 21., 22., 23., 24.]]> : tensor<4x6xf32>}> : () -> tensor<4x6xf32>
  %s = "stablehlo.slice"(%w) <{start_indices = array<i64: 1, 0>, limit_indices = array<i64: 3, 6>, strides = array<i64: 1, 1>}> : (tensor<4x6xf32>) -> tensor<2x6xf32>
  %y = "stablehlo.dot_general"(%x, %s) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>}> : (tensor<5x6xf32>, tensor<2x6xf32>) -> tensor<5x2xf32>
  %r = "stablehlo.reshape"(%w) : (tensor<4x6xf32>) -> tensor<8x3xf32>
  %t = "stablehlo.slice"(%r) <{start_indices = array<i64: 2, 0>, limit_indices = array<i64: 6, 3>, strides = array<i64: 1, 1>}> : (tensor<8x3xf32>) -> tensor<4x3xf32>
  // expected-remark @below {{not a linear layer: the weight is a part of 'fc' that isn't one in the order in which its file stores that}}
  %v = "stablehlo.dot_general"(%z, %t) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>}> : (tensor<5x3xf32>, tensor<4x3xf32>) -> tensor<5x4xf32>
  return %y, %v : tensor<5x2xf32>, tensor<5x4xf32>
}
