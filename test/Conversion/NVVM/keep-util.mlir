// RUN: qk-opt %s --allow-unregistered-dialect --quant-llm-emit-nvvm-kernels | FileCheck %s
// Inside IREE's functions, whose dialect is not linked, a func.call would find no
// symbol: the call and what it calls are of util, too.

// CHECK: "util.func"() <{function_type = (tensor<3x10xf32>) -> tensor<3x4xf32>, sym_name = "main", sym_visibility = "public"}> ({
// CHECK: ^bb0(%[[X:.*]]: tensor<3x10xf32>):
// CHECK: %[[C:.*]] = tensor.cast %[[X]] : tensor<3x10xf32> to tensor<?x10xf32>
// CHECK: %[[Y:.*]] = "util.call"(%[[C]], %{{.*}}) <{callee = @qk_matmul_u4_k10_g4_sf16_xf32_n4}> : (tensor<?x10xf32>, tensor<1792xi8>) -> tensor<?x4xf32>
// CHECK: tensor.cast %[[Y]] : tensor<?x4xf32> to tensor<3x4xf32>
// CHECK: "util.func"() <{function_type = (tensor<?x10xf32>, tensor<1792xi8>) -> tensor<?x4xf32>, sym_name = "qk_matmul_u4_k10_g4_sf16_xf32_n4", sym_visibility = "private"}> ({
// CHECK-NEXT: }) : () -> ()
"util.func"() <{function_type = (tensor<3x10xf32>) -> tensor<3x4xf32>, sym_name = "main", sym_visibility = "public"}> ({
^bb0(%x: tensor<3x10xf32>):
  %w = arith.constant dense<0> : tensor<1792xi8>
  %y = quant_llm.packed_matmul %x, %w scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("nvvm-simt") name("a") : (tensor<3x10xf32>, tensor<1792xi8>) -> tensor<3x4xf32>
  "util.return"(%y) : (tensor<3x4xf32>) -> ()
}) : () -> ()
