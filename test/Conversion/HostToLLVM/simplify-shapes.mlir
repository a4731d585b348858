// RUN: qk-opt %s --split-input-file --quant-llm-simplify-shapes | FileCheck %s

// One dynamic dimension on each side is determined by the number of elements.
// CHECK-LABEL: func @expand
// CHECK-SAME: (%[[X:.*]]: tensor<1x?x64xf32>, %[[N:.*]]: i64)
// CHECK: %[[SIZE:.*]] = arith.index_cast %[[N]]
// CHECK: tensor.expand_shape %[[X]] {{\[}}[0], [1], [2, 3]] output_shape [1, %[[SIZE]], 8, 8]
func.func @expand(%x: tensor<1x?x64xf32>, %n: i64) -> tensor<1x?x8x8xf32> {
  %c1 = arith.constant 1 : i64
  %c8 = arith.constant 8 : i64
  %shape = tensor.from_elements %c1, %n, %c8, %c8 : tensor<4xi64>
  %0 = tensor.reshape %x(%shape) : (tensor<1x?x64xf32>, tensor<4xi64>) -> tensor<1x?x8x8xf32>
  return %0 : tensor<1x?x8x8xf32>
}

// -----

// CHECK-LABEL: func @collapse
// CHECK: tensor.collapse_shape %{{.*}} {{\[}}[0], [1], [2, 3]]
func.func @collapse(%x: tensor<1x?x8x8xf32>, %n: i64) -> tensor<1x?x64xf32> {
  %c1 = arith.constant 1 : i64
  %c64 = arith.constant 64 : i64
  %shape = tensor.from_elements %c1, %n, %c64 : tensor<3xi64>
  %0 = tensor.reshape %x(%shape) : (tensor<1x?x8x8xf32>, tensor<3xi64>) -> tensor<1x?x64xf32>
  return %0 : tensor<1x?x64xf32>
}

// -----

// Two dynamic dimensions could be another split of the same elements (2x6 to
// 3x4): only with sizes that are known to be the source's.
// CHECK-LABEL: func @two_unknown
// CHECK: tensor.reshape
func.func @two_unknown(%x: tensor<8x?x?xf32>, %m: i64, %n: i64) -> tensor<1x8x?x?xf32> {
  %c1 = arith.constant 1 : i64
  %c8 = arith.constant 8 : i64
  %shape = tensor.from_elements %c1, %c8, %m, %n : tensor<4xi64>
  %0 = tensor.reshape %x(%shape) : (tensor<8x?x?xf32>, tensor<4xi64>) -> tensor<1x8x?x?xf32>
  return %0 : tensor<1x8x?x?xf32>
}

// CHECK-LABEL: func @two_known
// CHECK-NOT: tensor.reshape
// CHECK: tensor.expand_shape
func.func @two_known(%n: index) -> tensor<1x8x?x?xf32> {
  %x = tensor.empty(%n, %n) : tensor<8x?x?xf32>
  %c1 = arith.constant 1 : i64
  %c8 = arith.constant 8 : i64
  %m = arith.index_cast %n : index to i64
  %shape = tensor.from_elements %c1, %c8, %m, %m : tensor<4xi64>
  %0 = tensor.reshape %x(%shape) : (tensor<8x?x?xf32>, tensor<4xi64>) -> tensor<1x8x?x?xf32>
  return %0 : tensor<1x8x?x?xf32>
}

// -----

// A copy written with tensor.extract: the guard against broadcasting (index 0
// where the extent is 1) changes nothing where the extents are the same value.
// CHECK-DAG: #[[MAP:.*]] = affine_map<(d0, d1) -> (0, d1)>
// CHECK-DAG: #[[ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func @extract
// CHECK: linalg.generic {indexing_maps = [#[[MAP]], #[[ID]]]
// CHECK-NEXT: ^bb0(%[[IN:.*]]: f32,
// CHECK-NEXT: linalg.yield %[[IN]]
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @extract(%n: index) -> tensor<4x?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = tensor.empty(%n) : tensor<1x?xf32>
  %e = tensor.empty(%n) : tensor<4x?xf32>
  %0 = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<4x?xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 1 : index
    %one = arith.cmpi eq, %n, %c1 : index
    %at = arith.select %one, %c0, %i : index
    %v = tensor.extract %x[%c0, %at] : tensor<1x?xf32>
    linalg.yield %v : f32
  } -> tensor<4x?xf32>
  return %0 : tensor<4x?xf32>
}

// With extents that may differ it is a broadcast at run time, and stays.
// CHECK-LABEL: func @broadcast
// CHECK: tensor.extract
func.func @broadcast(%x: tensor<1x?xf32>, %m: index, %n: index) -> tensor<4x?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e = tensor.empty(%n) : tensor<4x?xf32>
  %0 = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<4x?xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 1 : index
    %one = arith.cmpi eq, %m, %c1 : index
    %at = arith.select %one, %c0, %i : index
    %v = tensor.extract %x[%c0, %at] : tensor<1x?xf32>
    linalg.yield %v : f32
  } -> tensor<4x?xf32>
  return %0 : tensor<4x?xf32>
}

// -----

// The index of a maximum that nobody asks for.
// CHECK-LABEL: func @maximum
// CHECK: %[[R:.*]] = linalg.generic
// CHECK-NOT: linalg.index
// CHECK: arith.maximumf
// CHECK-NOT: arith.cmpf
// CHECK: return %[[R]]
#in = affine_map<(d0, d1) -> (d0, d1)>
#out = affine_map<(d0, d1) -> (d0)>
func.func @maximum(%x: tensor<4x8xf32>, %a: tensor<4xf32>, %b: tensor<4xi64>) -> tensor<4xf32> {
  %0:2 = linalg.generic {indexing_maps = [#in, #out, #out], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%a, %b : tensor<4xf32>, tensor<4xi64>) {
  ^bb0(%in: f32, %best: f32, %where: i64):
    %i = linalg.index 1 : index
    %j = arith.index_cast %i : index to i64
    %m = arith.maximumf %in, %best : f32
    %c = arith.cmpf ogt, %in, %best : f32
    %s = arith.select %c, %j, %where : i64
    linalg.yield %m, %s : f32, i64
  } -> (tensor<4xf32>, tensor<4xi64>)
  return %0#0 : tensor<4xf32>
}

// Here the maximum depends on it.
// CHECK-LABEL: func @needed
// CHECK: linalg.index
func.func @needed(%x: tensor<4x8xi64>, %a: tensor<4xi64>, %b: tensor<4xi64>) -> tensor<4xi64> {
  %0:2 = linalg.generic {indexing_maps = [#in, #out, #out], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xi64>) outs(%a, %b : tensor<4xi64>, tensor<4xi64>) {
  ^bb0(%in: i64, %best: i64, %where: i64):
    %i = linalg.index 1 : index
    %j = arith.index_cast %i : index to i64
    %m = arith.addi %best, %where : i64
    linalg.yield %m, %j : i64, i64
  } -> (tensor<4xi64>, tensor<4xi64>)
  return %0#0 : tensor<4xi64>
}
