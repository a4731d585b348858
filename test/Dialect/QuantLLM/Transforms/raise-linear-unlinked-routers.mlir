// RUN: qk-opt --allow-unregistered-dialect --quant-llm-raise-linear --split-input-file --verify-diagnostics %s | FileCheck %s
// Routers whose experts all run, in dialects that are not linked: their softmax
// weighs the rows that the experts compute.

// CHECK-LABEL: func.func @torch
// CHECK-COUNT-1: quant_llm.linear
// CHECK-NOT: quant_llm.linear
func.func @torch(%x: !torch.vtensor<[5,3],f32>) -> !torch.vtensor<[5,3],f32> {
  %g = "torch.vtensor.literal"() <{value = dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>}> : () -> !torch.vtensor<[2,3],f32>
  %w = "torch.vtensor.literal"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>}> : () -> !torch.vtensor<[3,3],f32>
  %none = "torch.constant.none"() : () -> !torch.none
  %false = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %zero = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
  %one = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  // expected-remark @below {{router 'torch.0' stays in float}}
  %l = "torch.aten.linear"(%x, %g, %none) : (!torch.vtensor<[5,3],f32>, !torch.vtensor<[2,3],f32>, !torch.none) -> !torch.vtensor<[5,2],f32>
  %p = "torch.aten._softmax"(%l, %one, %false) : (!torch.vtensor<[5,2],f32>, !torch.int, !torch.bool) -> !torch.vtensor<[5,2],f32>
  %y = "torch.aten.linear"(%x, %w, %none) : (!torch.vtensor<[5,3],f32>, !torch.vtensor<[3,3],f32>, !torch.none) -> !torch.vtensor<[5,3],f32>
  %q = "torch.aten.select.int"(%p, %one, %zero) : (!torch.vtensor<[5,2],f32>, !torch.int, !torch.int) -> !torch.vtensor<[5],f32>
  %s = "torch.aten.unsqueeze"(%q, %one) : (!torch.vtensor<[5],f32>, !torch.int) -> !torch.vtensor<[5,1],f32>
  %r = "torch.aten.mul.Tensor"(%y, %s) : (!torch.vtensor<[5,3],f32>, !torch.vtensor<[5,1],f32>) -> !torch.vtensor<[5,3],f32>
  return %r : !torch.vtensor<[5,3],f32>
}

// -----

// A gated unit's sigmoid is of each channel.
// CHECK-LABEL: func.func @gated
// CHECK-COUNT-2: quant_llm.linear
func.func @gated(%x: !torch.vtensor<[5,3],f32>) -> !torch.vtensor<[5,3],f32> {
  %g = "torch.vtensor.literal"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [3., 2., 1.]]> : tensor<3x3xf32>}> : () -> !torch.vtensor<[3,3],f32>
  %w = "torch.vtensor.literal"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>}> : () -> !torch.vtensor<[3,3],f32>
  %none = "torch.constant.none"() : () -> !torch.none
  %l = "torch.aten.linear"(%x, %g, %none) : (!torch.vtensor<[5,3],f32>, !torch.vtensor<[3,3],f32>, !torch.none) -> !torch.vtensor<[5,3],f32>
  %p = "torch.aten.sigmoid"(%l) : (!torch.vtensor<[5,3],f32>) -> !torch.vtensor<[5,3],f32>
  %y = "torch.aten.linear"(%x, %w, %none) : (!torch.vtensor<[5,3],f32>, !torch.vtensor<[3,3],f32>, !torch.none) -> !torch.vtensor<[5,3],f32>
  %r = "torch.aten.mul.Tensor"(%y, %p) : (!torch.vtensor<[5,3],f32>, !torch.vtensor<[5,3],f32>) -> !torch.vtensor<[5,3],f32>
  return %r : !torch.vtensor<[5,3],f32>
}

// -----

// The weights are repeated along the rows before they are multiplied.
// CHECK-LABEL: func.func @stablehlo
// CHECK-COUNT-1: quant_llm.linear
// CHECK-NOT: quant_llm.linear
func.func @stablehlo(%x: tensor<5x3xf32>) -> tensor<5x3xf32> {
  %g = "stablehlo.constant"() <{value = dense<[[1., 2.], [3., 4.], [5., 6.]]> : tensor<3x2xf32>}> : () -> tensor<3x2xf32>
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  %zero = "stablehlo.constant"() <{value = dense<0.> : tensor<f32>}> : () -> tensor<f32>
  // expected-remark @below {{router 'stablehlo.0' stays in float}}
  %l = "stablehlo.dot_general"(%x, %g) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]>}> : (tensor<5x3xf32>, tensor<3x2xf32>) -> tensor<5x2xf32>
  %e = "stablehlo.exponential"(%l) : (tensor<5x2xf32>) -> tensor<5x2xf32>
  %sum = "stablehlo.reduce"(%e, %zero) <{dimensions = array<i64: 1>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %c = "stablehlo.add"(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%c) : (tensor<f32>) -> ()
  }) : (tensor<5x2xf32>, tensor<f32>) -> tensor<5xf32>
  %sums = "stablehlo.broadcast_in_dim"(%sum) <{broadcast_dimensions = array<i64: 0>}> : (tensor<5xf32>) -> tensor<5x2xf32>
  %p = "stablehlo.divide"(%e, %sums) : (tensor<5x2xf32>, tensor<5x2xf32>) -> tensor<5x2xf32>
  %y = "stablehlo.dot_general"(%x, %w) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]>}> : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  %q = "stablehlo.slice"(%p) <{limit_indices = array<i64: 5, 1>, start_indices = array<i64: 0, 0>, strides = array<i64: 1, 1>}> : (tensor<5x2xf32>) -> tensor<5x1xf32>
  %s = "stablehlo.reshape"(%q) : (tensor<5x1xf32>) -> tensor<5xf32>
  %b = "stablehlo.broadcast_in_dim"(%s) <{broadcast_dimensions = array<i64: 0>}> : (tensor<5xf32>) -> tensor<5x3xf32>
  %r = "stablehlo.multiply"(%b, %y) : (tensor<5x3xf32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  return %r : tensor<5x3xf32>
}

// -----

// A shared expert's gate: the sigmoid of its one channel.
// CHECK-LABEL: func.func @onnx
// CHECK-COUNT-1: quant_llm.linear
// CHECK-NOT: quant_llm.linear
func.func @onnx(%x: !torch.vtensor<[5,3],f32>) -> !torch.vtensor<[5,3],f32> {
  %g = "torch.operator"() <{name = "onnx.Constant"}> {torch.onnx.value = dense<[[1.], [2.], [3.]]> : tensor<3x1xf32>} : () -> !torch.vtensor<[3,1],f32>
  %w = "torch.operator"() <{name = "onnx.Constant"}> {torch.onnx.value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>} : () -> !torch.vtensor<[3,3],f32>
  // expected-remark @below {{router 'onnx.0' stays in float}}
  %l = "torch.operator"(%x, %g) <{name = "onnx.MatMul"}> : (!torch.vtensor<[5,3],f32>, !torch.vtensor<[3,1],f32>) -> !torch.vtensor<[5,1],f32>
  %p = "torch.operator"(%l) <{name = "onnx.Sigmoid"}> : (!torch.vtensor<[5,1],f32>) -> !torch.vtensor<[5,1],f32>
  %y = "torch.operator"(%x, %w) <{name = "onnx.MatMul"}> : (!torch.vtensor<[5,3],f32>, !torch.vtensor<[3,3],f32>) -> !torch.vtensor<[5,3],f32>
  %r = "torch.operator"(%p, %y) <{name = "onnx.Mul"}> : (!torch.vtensor<[5,1],f32>, !torch.vtensor<[5,3],f32>) -> !torch.vtensor<[5,3],f32>
  return %r : !torch.vtensor<[5,3],f32>
}
