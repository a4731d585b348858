// RUN: qk-opt %s --split-input-file --quant-llm-normalize-contractions | FileCheck %s

// A transposed weight becomes part of the map, also where it is square: the
// contraction reads W itself, [n, k].
// CHECK-DAG: #[[A:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[B:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-DAG: #[[C:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func @transposed
// CHECK-SAME: (%[[X:.*]]: tensor<8x8xf32>, %[[W:.*]]: tensor<8x8xf32>)
// CHECK: linalg.generic {indexing_maps = [#[[A]], #[[B]], #[[C]]], iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[X]], %[[W]]
func.func @transposed(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x8xf32>
  %t = linalg.transpose ins(%w : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) permutation = [1, 0]
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %y = linalg.matmul ins(%x, %t : tensor<8x8xf32>, tensor<8x8xf32>) outs(%z : tensor<8x8xf32>) -> tensor<8x8xf32>
  return %y : tensor<8x8xf32>
}

// -----

// A weight that was broadcast over a batch is read as what it is.
// CHECK-DAG: #[[B:.*]] = affine_map<(d0, d1, d2, d3) -> (d3, d2)>
// CHECK-LABEL: func @broadcast
// CHECK-SAME: %[[W:[a-z0-9]*]]: tensor<4x8xf32>)
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[B]], #{{.*}}], {{.*}} ins(%{{.*}}, %[[W]] : tensor<?x3x4xf32>, tensor<4x8xf32>)
#kn = affine_map<(d0, d1, d2) -> (d1, d2)>
#bkn = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
func.func @broadcast(%x: tensor<?x3x4xf32>, %c: tensor<?x3x8xf32>, %n: index, %w: tensor<4x8xf32>) -> tensor<?x3x8xf32> {
  %e = tensor.empty(%n) : tensor<?x4x8xf32>
  %b = linalg.generic {indexing_maps = [#kn, #bkn], iterator_types = ["parallel", "parallel", "parallel"]} ins(%w : tensor<4x8xf32>) outs(%e : tensor<?x4x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<?x4x8xf32>
  %y = linalg.batch_matmul ins(%x, %b : tensor<?x3x4xf32>, tensor<?x4x8xf32>) outs(%c : tensor<?x3x8xf32>) -> tensor<?x3x8xf32>
  return %y : tensor<?x3x8xf32>
}

// -----

// f16: extended, summed in f32, rounded once. The fill is done anew in f32.
// CHECK-LABEL: func @half
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<3x4xf16>) outs(%{{.*}} : tensor<3x4xf32>)
// CHECK: arith.extf
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<4x8xf16>) outs(%{{.*}} : tensor<4x8xf32>)
// CHECK: %[[Z:.*]] = linalg.fill ins(%{{.*}} : f32) outs(%{{.*}} : tensor<3x8xf32>)
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<3x4xf32>, tensor<4x8xf32>) outs(%[[Z]] : tensor<3x8xf32>)
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<3x8xf32>) outs(%{{.*}} : tensor<3x8xf16>)
// CHECK: arith.truncf
func.func @half(%x: tensor<3x4xf16>, %w: tensor<4x8xf16>) -> tensor<3x8xf16> {
  %zero = arith.constant 0.0 : f16
  %e = tensor.empty() : tensor<3x8xf16>
  %z = linalg.fill ins(%zero : f16) outs(%e : tensor<3x8xf16>) -> tensor<3x8xf16>
  %y = linalg.matmul ins(%x, %w : tensor<3x4xf16>, tensor<4x8xf16>) outs(%z : tensor<3x8xf16>) -> tensor<3x8xf16>
  return %y : tensor<3x8xf16>
}

// -----

// Others stay.
// CHECK-LABEL: func @others
// CHECK: linalg.matmul {{.*}}f64
// CHECK: linalg.matmul {{.*}}i8
func.func @others(%a: tensor<2x2xf64>, %b: tensor<2x2xi8>, %c: tensor<2x2xi32>) -> (tensor<2x2xf64>, tensor<2x2xi32>) {
  %0 = linalg.matmul ins(%a, %a : tensor<2x2xf64>, tensor<2x2xf64>) outs(%a : tensor<2x2xf64>) -> tensor<2x2xf64>
  %1 = linalg.matmul ins(%b, %b : tensor<2x2xi8>, tensor<2x2xi8>) outs(%c : tensor<2x2xi32>) -> tensor<2x2xi32>
  return %0, %1 : tensor<2x2xf64>, tensor<2x2xi32>
}

// -----

// A softmax is a maximum, exponentials, their sum and a division.
// CHECK-LABEL: func @softmax
// CHECK-NOT: linalg.softmax
// CHECK: arith.maxnumf
// CHECK: math.exp
// CHECK: arith.addf
// CHECK: arith.divf
func.func @softmax(%x: tensor<?x8xf32>, %n: index) -> tensor<?x8xf32> {
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %y = linalg.softmax dimension(1) ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
