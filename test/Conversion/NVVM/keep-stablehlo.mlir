// RUN: qk-opt %s --allow-unregistered-dialect --quant-llm-raise-linear --quant-llm-apply-rtn=group-size=4 --lower-to-nvvm=host=keep -o %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: qk-opt %t.mlir --allow-unregistered-dialect -o %t.again.mlir
// RUN: diff %t.mlir %t.again.mlir
// host=keep in a StableHLO module: each matmul becomes a custom call with the
// leading dimensions that x has; nothing of another dialect comes in, and all
// else stays. One target for each problem and N.

// CHECK: module {
// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:.*]]: tensor<2x?x8xf32>)
// CHECK-DAG: %[[B:.*]] = "stablehlo.constant"() <{value = dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>}>
// CHECK-DAG: %[[G:.*]] = "stablehlo.constant"() <{value = dense<3.000000e+00> : tensor<f32>}>
// CHECK-DAG: %[[W:.*]] = "stablehlo.constant"() <{value = dense_resource<main.0.packed> : tensor<[[BYTES:[0-9]+]]xi8>}>
// CHECK: %[[Y:.*]] = "stablehlo.custom_call"(%[[X]], %[[W]], %[[B]]) <{api_version = 4 : i32, backend_config = {k = 8 : i64, layer = "main.0", layout = "nvvm-simt", n = 2 : i64}, call_target_name = "[[NAME:qk_matmul_u4_k8_.*_n2]]", has_side_effect = false}> : (tensor<2x?x8xf32>, tensor<[[BYTES]]xi8>, tensor<2xf32>) -> tensor<2x?x2xf32>
// CHECK-NOT: tensor.
// CHECK-NOT: func.call
// CHECK: "stablehlo.custom_call"(%[[X]], %{{.*}}, %[[B]]) <{{.*}}call_target_name = "[[NAME]]"
// CHECK-NOT: quant_llm
// CHECK: gpu.binary
// CHECK-NOT: quant_llm
func.func @main(%x: tensor<2x?x8xf32>) -> (tensor<2x?x2xf32>, tensor<2x?x2xf32>, tensor<f32>) {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3., 4., 5., 6., 7., 8.], [4., 5., 6., 7., 8., 9., 1., 2.]]> : tensor<2x8xf32>}> : () -> tensor<2x8xf32>
  %v = "stablehlo.constant"() <{value = dense<[[2., 2., 3., 4., 5., 6., 7., 8.], [4., 5., 6., 7., 8., 9., 1., 2.]]> : tensor<2x8xf32>}> : () -> tensor<2x8xf32>
  %b = "stablehlo.constant"() <{value = dense<[1., 2.]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %g = "stablehlo.constant"() <{value = dense<3.0> : tensor<f32>}> : () -> tensor<f32>
  %p = "stablehlo.dot_general"(%x, %w) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [2], rhs_contracting_dimensions = [1]>}> : (tensor<2x?x8xf32>, tensor<2x8xf32>) -> tensor<2x?x2xf32>
  %s = shape.shape_of %p : tensor<2x?x2xf32> -> tensor<3xindex>
  %bb = "stablehlo.dynamic_broadcast_in_dim"(%b, %s) <{broadcast_dimensions = array<i64: 2>}> : (tensor<2xf32>, tensor<3xindex>) -> tensor<2x?x2xf32>
  %y = "stablehlo.add"(%p, %bb) : (tensor<2x?x2xf32>, tensor<2x?x2xf32>) -> tensor<2x?x2xf32>
  %q = "stablehlo.dot_general"(%x, %v) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [2], rhs_contracting_dimensions = [1]>}> : (tensor<2x?x8xf32>, tensor<2x8xf32>) -> tensor<2x?x2xf32>
  %z = "stablehlo.add"(%q, %bb) : (tensor<2x?x2xf32>, tensor<2x?x2xf32>) -> tensor<2x?x2xf32>
  return %y, %z, %g : tensor<2x?x2xf32>, tensor<2x?x2xf32>, tensor<f32>
}
