// RUN: qk-opt %s --quant-llm-pack | FileCheck %s
// RUN: qk-opt %s --quant-llm-pack=activations=float | FileCheck %s --check-prefix=FLOAT
// Kernels are chosen and weights packed: what replaces a matmul.

// Float x is quantised per token and group, visibly; codes are gone.
// CHECK-LABEL: func.func @plain
// CHECK-SAME: %[[X:.*]]: tensor<?x10xf32>
// CHECK-NOT: fc.codes
// CHECK: %[[BYTES:.*]] = quant_llm.parameter ""::"fc.packed" : tensor<1152xi8> = dense_resource<fc.packed>
// CHECK: %[[XQ:.*]], %[[XS:.*]] = quant_llm.quantize %[[X]] scheme(<16, per_token_group, group = 4>) {quant_llm.kernel = @qk_quantize_int16_g4_k10_f32}
// CHECK: quant_llm.packed_matmul %[[XQ]], %[[BYTES]] x_scales(%[[XS]]) scheme(<u4, group = 4, scale = f16>) x_scheme(<16, per_token_group, group = 4>) n = 4 k = 10 layout("cpu-tile64") kernel(@qk_matmul_u4_g4_f16_k10_int16_f32) name("fc")
// FLOAT-LABEL: func.func @plain
// FLOAT-NOT: quantize
// FLOAT: quant_llm.packed_matmul %{{[^,]*}}, %{{[^,]*}} scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("cpu-tile64") kernel(@qk_matmul_u4_g4_f16_k10_float_f32) name("fc")
func.func @plain(%x: tensor<?x10xf32>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<4x10xi4> = dense<17> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// Leading dimensions are collapsed, x is gathered, a bias comes in f32, and a
// group of the whole row makes activations per token.
// CHECK-LABEL: func.func @everything
// CHECK-SAME: %[[X:.*]]: tensor<2x?x10xf16>, %[[B:.*]]: tensor<4xf16>
// CHECK: %[[ROWS:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0, 1], [2]] : tensor<2x?x10xf16> into tensor<?x10xf16>
// CHECK: %[[GATHERED:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<10xi32>) outs(%{{.*}} : tensor<?x10xf16>)
// CHECK: tensor.extract %[[ROWS]]
// CHECK: quant_llm.quantize %[[GATHERED]] scheme(<16, per_token>)
// CHECK: %[[BIAS:.*]] = linalg.generic {{.*}} ins(%[[B]] : tensor<4xf16>) outs(%{{.*}} : tensor<4xf32>)
// CHECK: %[[Y:.*]] = quant_llm.packed_matmul {{.*}} bias(%[[BIAS]]){{.*}} zero_points kernel(@qk_matmul_s8_g10_f32_z_k10_int16_token_f16_bias)
// CHECK: tensor.expand_shape %[[Y]] {{\[\[}}0, 1], [2]] output_shape [2, %{{.*}}, 4]
func.func @everything(%x: tensor<2x?x10xf16>, %b: tensor<4xf16>) -> tensor<2x?x4xf16> {
  %c = quant_llm.parameter ""::"fc2.codes" : tensor<4x10xi8> = dense<17> : tensor<4x10xi8>
  %s = quant_llm.parameter ""::"fc2.scales" : tensor<4x1xf32> = dense<0.5> : tensor<4x1xf32>
  %z = quant_llm.parameter ""::"fc2.zero_points" : tensor<4x1xi8> = dense<3> : tensor<4x1xi8>
  %p = quant_llm.parameter ""::"fc2.permutation" : tensor<10xi32> = dense<[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]> : tensor<10xi32>
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) permutation(%p) bias(%b) scheme(<s8, group = -1, scale = f32>) name("fc2") : (tensor<2x?x10xf16>, tensor<4x10xi8>, tensor<4x1xf32>, tensor<4x1xi8>, tensor<10xi32>, tensor<4xf16>) -> tensor<2x?x4xf16>
  return %y : tensor<2x?x4xf16>
}

// A weight that two matmuls read is packed once; a kernel is declared once.
// CHECK-LABEL: func.func @shared
// CHECK-COUNT-2: quant_llm.parameter ""::"a.packed" : tensor<1152xi8> = dense_resource<a.packed>
// CHECK-NOT: b.packed
// CHECK: return
func.func @shared(%x: tensor<?x10xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %c = quant_llm.parameter ""::"a.codes" : tensor<4x10xi4> = dense<33> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"a.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  %0 = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("a") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf32>
  %1 = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("b") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x4xf32>
}

// Codes that come in stay as they are.
// CHECK-LABEL: func.func @quantized
// CHECK-NOT: quant_llm.quantize
// CHECK: quant_llm.packed_matmul {{.*}} kernel(@qk_matmul_u4_g4_f16_k10_int8_token_f32)
func.func @quantized(%x: tensor<?x10xi8>, %xs: tensor<?x1xf32>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"q.codes" : tensor<4x10xi4> = dense<33> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"q.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  %y = quant_llm.matmul %x, %c, %s x_scales(%xs) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_token>) name("q") : (tensor<?x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<?x1xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// pack and packed_matmul that are there already: the same.
// CHECK-LABEL: func.func @packed
// CHECK-NOT: quant_llm.pack 
// CHECK: %[[BYTES:.*]] = quant_llm.parameter ""::"p.packed" : tensor<1152xi8> = dense_resource<p.packed>
// CHECK: quant_llm.packed_matmul %{{.*}}, %[[BYTES]] {{.*}} kernel(@qk_matmul_u4_g4_f16_k10_int16_f32)
func.func @packed(%x: tensor<?x10xf32>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"p.codes" : tensor<4x10xi4> = dense<49> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"p.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  %b = quant_llm.pack %c, %s scheme(<u4, group = 4, scale = f16>) layout("cpu-tile64") : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<1152xi8>
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("cpu-tile64") name("p") : (tensor<?x10xf32>, tensor<1152xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// Another target's are left alone.
// CHECK-LABEL: func.func @other_layout
// CHECK: quant_llm.packed_matmul %{{.*}} layout("other") name
func.func @other_layout(%x: tensor<?x10xf32>, %b: tensor<8xi8>) -> tensor<?x4xf32> {
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("other") name("p") : (tensor<?x10xf32>, tensor<8xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
// CHECK: func.func private @qk_matmul_u4_g4_f16_k10_int16_f32(memref<?x?xi16, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?xi8>, memref<?x?xf32, strided<[?, 1], offset: ?>>)
// CHECK-NOT: @qk_matmul_u4_g4_f16_k10_int16_f32(
