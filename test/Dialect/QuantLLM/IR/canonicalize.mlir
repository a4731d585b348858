// RUN: qk-opt %s --canonicalize | FileCheck %s
// What folds, and beside it what looks alike and must stay.

// Scaling by ones changes no bit.
// CHECK-LABEL: func.func @ones(
// CHECK-SAME: %[[W:.*]]: tensor<4x2xf16>, %[[H:.*]]: tensor<2x2xf32>
// CHECK-NEXT: return %[[W]], %[[W]], %[[H]], %[[W]]
func.func @ones(%w: tensor<4x2xf16>, %h: tensor<2x2xf32>) -> (tensor<4x2xf16>, tensor<4x2xf16>, tensor<2x2xf32>, tensor<4x2xf16>) {
  %ones = arith.constant dense<1.0> : tensor<2xf32>
  %inline = quant_llm.parameter ""::"ones" : tensor<2xf32> = dense<1.0> : tensor<2xf32>
  %0 = quant_llm.scale_columns %w by %ones : tensor<4x2xf16>, tensor<2xf32>
  %1 = quant_llm.scale_columns %w by inverse %ones : tensor<4x2xf16>, tensor<2xf32>
  %2 = quant_llm.scale_statistic %h by %ones : tensor<2x2xf32>, tensor<2xf32>
  %3 = quant_llm.scale_columns %w by %inline : tensor<4x2xf16>, tensor<2xf32>
  return %0, %1, %2, %3 : tensor<4x2xf16>, tensor<4x2xf16>, tensor<2x2xf32>, tensor<4x2xf16>
}

// Other factors stay: nothing is evaluated here, not even constants. A
// parameter in a file is not read.
// CHECK-LABEL: func.func @not_ones(
// CHECK-COUNT-3: quant_llm.scale_columns
// CHECK: quant_llm.scale_statistic
func.func @not_ones(%h: tensor<2x2xf32>) -> (tensor<4x2xf16>, tensor<4x2xf16>, tensor<4x2xf16>, tensor<2x2xf32>) {
  %w = arith.constant dense<1.0> : tensor<4x2xf16>
  %twos = arith.constant dense<2.0> : tensor<2xf32>
  %mixed = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %file = quant_llm.parameter "model"::"ones" : tensor<2xf32>
  %0 = quant_llm.scale_columns %w by %twos : tensor<4x2xf16>, tensor<2xf32>
  %1 = quant_llm.scale_columns %w by %mixed : tensor<4x2xf16>, tensor<2xf32>
  %2 = quant_llm.scale_columns %w by %file : tensor<4x2xf16>, tensor<2xf32>
  %3 = quant_llm.scale_statistic %h by %mixed : tensor<2x2xf32>, tensor<2xf32>
  return %0, %1, %2, %3 : tensor<4x2xf16>, tensor<4x2xf16>, tensor<4x2xf16>, tensor<2x2xf32>
}

// Zero points that say what absent ones mean are dropped: 8 for u4, 0 for s8,
// 128 for u8 (in i16).
// CHECK-LABEL: func.func @default_zero_points(
// CHECK-NOT: zero_points
// CHECK: return
func.func @default_zero_points(%x: tensor<?x4xf32>, %c: tensor<2x4xi4>, %c8: tensor<2x4xi8>, %s: tensor<2x1xf16>) -> (tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>) {
  %8 = arith.constant dense<8> : tensor<2x1xi8>
  %0 = arith.constant dense<0> : tensor<2x1xi8>
  %128 = quant_llm.parameter ""::"z" : tensor<2x1xi16> = dense<128> : tensor<2x1xi16>
  %y0 = quant_llm.matmul %x, %c, %s zero_points(%8) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x4xf32>, tensor<2x4xi4>, tensor<2x1xf16>, tensor<2x1xi8>) -> tensor<?x2xf32>
  %y1 = quant_llm.matmul %x, %c8, %s zero_points(%0) scheme(<s8, group = 4, scale = f16>) name("fc") : (tensor<?x4xf32>, tensor<2x4xi8>, tensor<2x1xf16>, tensor<2x1xi8>) -> tensor<?x2xf32>
  %y2 = quant_llm.matmul %x, %c8, %s zero_points(%128) scheme(<u8, group = 4, scale = f16>) name("fc") : (tensor<?x4xf32>, tensor<2x4xi8>, tensor<2x1xf16>, tensor<2x1xi16>) -> tensor<?x2xf32>
  return %y0, %y1, %y2 : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>
}

// Zero is not the default of u4, and one that differs is enough.
// CHECK-LABEL: func.func @other_zero_points(
// CHECK-COUNT-2: quant_llm.matmul {{.*}} zero_points(
func.func @other_zero_points(%x: tensor<?x4xf32>, %c: tensor<2x4xi4>, %s: tensor<2x1xf16>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %0 = arith.constant dense<0> : tensor<2x1xi8>
  %89 = arith.constant dense<[[8], [9]]> : tensor<2x1xi8>
  %y0 = quant_llm.matmul %x, %c, %s zero_points(%0) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x4xf32>, tensor<2x4xi4>, tensor<2x1xf16>, tensor<2x1xi8>) -> tensor<?x2xf32>
  %y1 = quant_llm.matmul %x, %c, %s zero_points(%89) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x4xf32>, tensor<2x4xi4>, tensor<2x1xf16>, tensor<2x1xi8>) -> tensor<?x2xf32>
  return %y0, %y1 : tensor<?x2xf32>, tensor<?x2xf32>
}

// CHECK-LABEL: func.func @permutation(
// CHECK: quant_llm.matmul
// CHECK-NOT: permutation
// CHECK-SAME: name("identity")
// CHECK: quant_llm.matmul {{.*}} permutation({{.*}} name("other")
func.func @permutation(%x: tensor<?x4xf32>, %c: tensor<2x4xi4>, %s: tensor<2x1xf16>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %identity = arith.constant dense<[0, 1, 2, 3]> : tensor<4xi32>
  %other = arith.constant dense<[0, 1, 3, 2]> : tensor<4xi32>
  %y0 = quant_llm.matmul %x, %c, %s permutation(%identity) scheme(<u4, group = 4, scale = f16>) name("identity") : (tensor<?x4xf32>, tensor<2x4xi4>, tensor<2x1xf16>, tensor<4xi32>) -> tensor<?x2xf32>
  %y1 = quant_llm.matmul %x, %c, %s permutation(%other) scheme(<u4, group = 4, scale = f16>) name("other") : (tensor<?x4xf32>, tensor<2x4xi4>, tensor<2x1xf16>, tensor<4xi32>) -> tensor<?x2xf32>
  return %y0, %y1 : tensor<?x2xf32>, tensor<?x2xf32>
}

// A recipe over constants alone is not evaluated.
// CHECK-LABEL: func.func @recipe(
// CHECK: quant_llm.round_to_nearest
// CHECK: quant_llm.dequantize
func.func @recipe() -> tensor<2x4xf32> {
  %w = arith.constant dense<1.0> : tensor<2x4xf32>
  %c, %s, %z = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) : tensor<2x4xf32> -> tensor<2x4xi4>, tensor<2x1xf16>, tensor<2x1xi8>
  %d = quant_llm.dequantize %c, %s zero_points(%z : tensor<2x1xi8>) scheme(<u4, group = 4, scale = f16>) : tensor<2x4xi4>, tensor<2x1xf16> -> tensor<2x4xf32>
  return %d : tensor<2x4xf32>
}
