// RUN: qk-opt %s --quant-llm-to-reference | FileCheck %s
// The linalg form of quantised execution.

// Groups are the zero-padded expanded form; no map computes a group's index.
// CHECK-NOT: floordiv
// CHECK-LABEL: func.func @matmul(
// CHECK-SAME: %[[X:.*]]: tensor<?x10xf32>, %[[C:.*]]: tensor<4x10xi8>, %[[S:.*]]: tensor<4x3xf16>, %[[Z:.*]]: tensor<4x3xi8>
// CHECK: %[[PADDED:.*]] = tensor.pad %[[C]] low[0, 0] high[0, 2]
// CHECK: %[[GROUPS:.*]] = tensor.expand_shape %[[PADDED]] {{\[\[}}0], [1, 2]] output_shape [4, 3, 4]
// CHECK: %[[DEQUANTISED:.*]] = linalg.generic
// CHECK-SAME: ins(%[[GROUPS]], %[[S]], %[[Z]] : tensor<4x3x4xi8>, tensor<4x3xf16>, tensor<4x3xi8>)
// CHECK: arith.extui {{.*}} : i8 to i32
// CHECK: arith.extsi {{.*}} : i8 to i32
// CHECK: %[[JOINED:.*]] = tensor.collapse_shape %[[DEQUANTISED]]
// CHECK: %[[W:.*]] = tensor.extract_slice %[[JOINED]][0, 0] [4, 10] [1, 1]
// CHECK: linalg.matmul
// CHECK-SAME: ins(%[[X]], %[[W]] : tensor<?x10xf32>, tensor<4x10xf32>)
func.func @matmul(%x: tensor<?x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %z: tensor<4x3xi8>) -> tensor<?x4xf32> {
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// Quantised inputs are summed as integers, over stretches of gcd(4, 6) = 2.
// CHECK-LABEL: func.func @integer(
// CHECK-NOT: linalg.matmul
// CHECK: linalg.generic {{.*}} ins({{.*}} : tensor<?x5x2xi16>, tensor<4x5x2xi32>) outs({{.*}} : tensor<?x4x5xi64>)
// CHECK: arith.muli {{.*}} : i64
// CHECK: linalg.generic {{.*}} ins({{.*}} : tensor<?x4x5xi64>, tensor<?x5xf32>, tensor<4x5xf16>) outs({{.*}} : tensor<?x4xf32>)
func.func @integer(%x: tensor<?x10xi16>, %xs: tensor<?x3xf32>, %c: tensor<4x10xi8>, %s: tensor<4x2xf16>) -> tensor<?x4xf32> {
  %y = quant_llm.matmul %x, %c, %s x_scales(%xs) scheme(<s8, group = 6, scale = f16>) x_scheme(<16, per_token_group, group = 4>) name("fc") : (tensor<?x10xi16>, tensor<4x10xi8>, tensor<4x2xf16>, tensor<?x3xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// Rounded half to even, once, to the result's type.
// CHECK-LABEL: func.func @dequantize(
// CHECK: arith.mulf
// CHECK: arith.truncf {{.*}} : f32 to f16
func.func @dequantize(%c: tensor<4x10xi8>, %s: tensor<4x3xf16>) -> tensor<4x10xf16> {
  %w = quant_llm.dequantize %c, %s scheme(<u8, group = 4, scale = f16>) : tensor<4x10xi8>, tensor<4x3xf16> -> tensor<4x10xf16>
  return %w : tensor<4x10xf16>
}

// CHECK-LABEL: func.func @quantize(
// CHECK: arith.divf
// CHECK: math.roundeven
// CHECK: arith.maxnumf
// CHECK: arith.minnumf
// CHECK: arith.fptosi
func.func @quantize(%x: tensor<?x10xf32>) -> (tensor<?x10xi16>, tensor<?x3xf32>) {
  %c, %s = quant_llm.quantize %x scheme(<16, per_token_group, group = 4>) : tensor<?x10xf32> -> tensor<?x10xi16>, tensor<?x3xf32>
  return %c, %s : tensor<?x10xi16>, tensor<?x3xf32>
}
