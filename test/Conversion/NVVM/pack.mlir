// RUN: qk-opt %s --quant-llm-pack-for-nvvm | FileCheck %s
// RUN: qk-opt %s --quant-llm-pack-for-nvvm="host=keep chip=sm_90a" | FileCheck %s --check-prefix=KEEP
// Weights are packed for GPU kernels: what replaces a matmul.

// Codes are gone; the function that launches is declared on buffers.
// CHECK-LABEL: func.func @plain
// CHECK-SAME: %[[X:.*]]: tensor<?x10xf32>
// CHECK-NOT: fc.codes
// CHECK: %[[BYTES:.*]] = quant_llm.parameter ""::"fc.packed" : tensor<1792xi8> = dense_resource<fc.packed>
// CHECK: quant_llm.packed_matmul %[[X]], %[[BYTES]] scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("nvvm-simt") kernel(@qk_matmul_u4_k10_g4_sf16_xf32_launch) name("fc")
// KEEP-LABEL: func.func @plain
// KEEP: quant_llm.packed_matmul %{{.*}} n = 4 k = 10 layout("nvvm-simt") name("fc")
func.func @plain(%x: tensor<?x10xf32>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<4x10xi4> = dense<17> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// Leading dimensions are collapsed; permutation and bias stay operands.
// CHECK-LABEL: func.func @everything
// CHECK-SAME: %[[X:.*]]: tensor<2x?x10xf16>, %[[B:.*]]: tensor<4xf32>
// CHECK: %[[P:.*]] = quant_llm.parameter ""::"fc2.permutation"
// CHECK: %[[ROWS:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0, 1], [2]] : tensor<2x?x10xf16> into tensor<?x10xf16>
// CHECK: %[[Y:.*]] = quant_llm.packed_matmul %[[ROWS]], %{{.*}} permutation(%[[P]]) bias(%[[B]]) {{.*}} zero_points kernel(@qk_matmul_s8_k10_sf32_zero_perm_bf32_xf16_launch)
// CHECK: tensor.expand_shape %[[Y]] {{\[\[}}0, 1], [2]] output_shape [2, %{{.*}}, 4]
func.func @everything(%x: tensor<2x?x10xf16>, %b: tensor<4xf32>) -> tensor<2x?x4xf16> {
  %c = quant_llm.parameter ""::"fc2.codes" : tensor<4x10xi8> = dense<17> : tensor<4x10xi8>
  %s = quant_llm.parameter ""::"fc2.scales" : tensor<4x1xf32> = dense<0.5> : tensor<4x1xf32>
  %z = quant_llm.parameter ""::"fc2.zero_points" : tensor<4x1xi8> = dense<3> : tensor<4x1xi8>
  %p = quant_llm.parameter ""::"fc2.permutation" : tensor<10xi32> = dense<[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]> : tensor<10xi32>
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) permutation(%p) bias(%b) scheme(<s8, group = -1, scale = f32>) name("fc2") : (tensor<2x?x10xf16>, tensor<4x10xi8>, tensor<4x1xf32>, tensor<4x1xi8>, tensor<10xi32>, tensor<4xf32>) -> tensor<2x?x4xf16>
  return %y : tensor<2x?x4xf16>
}

// A weight that two matmuls read is packed once, a function is declared once.
// CHECK-LABEL: func.func @shared
// CHECK-COUNT-2: quant_llm.parameter ""::"a.packed" : tensor<1792xi8> = dense_resource<a.packed>
// CHECK-NOT: b.packed
// CHECK: return
func.func @shared(%x: tensor<?x10xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %c = quant_llm.parameter ""::"a.codes" : tensor<4x10xi4> = dense<33> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"a.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  %0 = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("a") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf32>
  %1 = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("b") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x4xf32>
}

// CHECK: func.func private @qk_matmul_u4_k10_g4_sf16_xf32_launch(memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?xi8>, memref<?x?xf32, strided<[?, 1], offset: ?>>) attributes {qk_kernel.nvvm_matmul = {element = f32, k = 10 : i64, scheme = #quant_llm.scheme<u4, group = 4, scale = f16>}}
// CHECK-NOT: func.func private @qk_matmul_u4_k10_g4_sf16_xf32_launch
// CHECK: func.func private @qk_matmul_s8_k10_sf32_zero_perm_bf32_xf16_launch(memref<?x?xf16, strided<[?, 1], offset: ?>>, memref<?xi8>, memref<?xi32>, memref<?xf32>, memref<?x?xf16, strided<[?, 1], offset: ?>>) attributes {qk_kernel.nvvm_matmul = {bias = f32, element = f16, k = 10 : i64, permutation, scheme = #quant_llm.scheme<s8, group = -1, scale = f32>, zero_points}}
// KEEP-NOT: func.func private
