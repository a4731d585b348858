// RUN: qk-opt %s --quant-llm-pack --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" --canonicalize | FileCheck %s
// Packed matmuls and quantize become calls of kernels on buffers.

// CHECK: memref.global "private" constant @qk_fc.packed : memref<1152xi8> = dense_resource<fc.packed>
// CHECK-LABEL: func.func @plain
// CHECK-SAME: %[[X:.*]]: memref<?x10xf32>
// CHECK-DAG: %[[W:.*]] = memref.get_global @qk_fc.packed
// CHECK-DAG: %[[ROWS:.*]] = memref.cast %[[X]] : memref<?x10xf32> to memref<?x?xf32, strided<[?, 1], offset: ?>>
// CHECK: %[[CODES:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x10xi16>
// CHECK: %[[SCALES:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x3xf32>
// CHECK: call @qk_quantize_int16_g4_k10_f32(%[[ROWS]], %{{.*}}, %{{.*}})
// CHECK: %[[Y:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x4xf32>
// CHECK: call @qk_matmul_u4_g4_f16_k10_int16_f32(
// CHECK: return %[[Y]]
func.func @plain(%x: tensor<?x10xf32>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<4x10xi4> = dense<17> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// A slice whose rows are apart is passed with its strides, not copied; a slice
// whose columns are apart is copied first.
// CHECK-LABEL: func.func @slices
// CHECK-NOT: memref.copy
// CHECK: call @qk_quantize_int16_g4_k10_f32(
// CHECK: memref.copy %{{.*}}, %[[COPY:.*]] :
// CHECK: call @qk_quantize_int16_g4_k10_f32(
func.func @slices(%x: tensor<4x40xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<4x10xi4> = dense<17> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  %rows = tensor.extract_slice %x[0, 3] [4, 10] [1, 1] : tensor<4x40xf32> to tensor<4x10xf32>
  %columns = tensor.extract_slice %x[0, 0] [4, 10] [1, 4] : tensor<4x40xf32> to tensor<4x10xf32>
  %0 = quant_llm.matmul %rows, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<4x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<4x4xf32>
  %1 = quant_llm.matmul %columns, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<4x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<4x4xf32>
  return %0, %1 : tensor<4x4xf32>, tensor<4x4xf32>
}
