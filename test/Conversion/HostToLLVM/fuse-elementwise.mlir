// RUN: qk-opt %s --quant-llm-fuse-elementwise | FileCheck %s

// Elementwise operations fuse; the contraction between them stays alone.
// CHECK-LABEL: func @around
// CHECK: %[[A:.*]] = linalg.generic
// CHECK: arith.addf
// CHECK: arith.mulf
// CHECK: %[[M:.*]] = linalg.matmul ins(%[[A]],
// CHECK: linalg.generic {{.*}} ins(%[[M]]
// CHECK-NOT: linalg.generic
func.func @around(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>, %z: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %0 = linalg.add ins(%x, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = linalg.mul ins(%0, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %2 = linalg.matmul ins(%1, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %3 = linalg.exp ins(%2 : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %3 : tensor<4x4xf32>
}

// What may fail does so once for each of its own elements.
// CHECK-LABEL: func @gather
// CHECK: linalg.generic
// CHECK: cf.assert
// CHECK: linalg.generic
// CHECK: arith.addf
func.func @gather(%x: tensor<4x4xf32>, %at: tensor<4xindex>, %table: tensor<9xf32>) -> tensor<4x4xf32> {
  %c9 = arith.constant 9 : index
  %e0 = tensor.empty() : tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%at : tensor<4xindex>) outs(%e0 : tensor<4xf32>) {
  ^bb0(%i: index, %out: f32):
    %in = arith.cmpi ult, %i, %c9 : index
    cf.assert %in, "out of range"
    %v = tensor.extract %table[%i] : tensor<9xf32>
    linalg.yield %v : f32
  } -> tensor<4xf32>
  %e1 = tensor.empty() : tensor<4x4xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x, %0 : tensor<4x4xf32>, tensor<4xf32>) outs(%e1 : tensor<4x4xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<4x4xf32>
  return %1 : tensor<4x4xf32>
}

// What has two users is computed once.
// CHECK-LABEL: func @shared
// CHECK: linalg.generic
// CHECK: linalg.generic
func.func @shared(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %e = tensor.empty() : tensor<4x4xf32>
  %0 = linalg.exp ins(%x : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = linalg.add ins(%0, %0 : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0, %1 : tensor<4x4xf32>, tensor<4x4xf32>
}
