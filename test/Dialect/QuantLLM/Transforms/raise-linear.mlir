// RUN: qk-opt --quant-llm-raise-linear --split-input-file %s | FileCheck %s
// What exporters make of a linear layer, and that nothing of it is left.

#map = affine_map<(d0, d1) -> (d1)>
#id = affine_map<(d0, d1) -> (d0, d1)>

// A weight stored [N,K], transposed, with the bias broadcast first: torch-mlir.
// CHECK-LABEL: func.func @transposed_with_bias
// CHECK-SAME: (%[[X:.*]]: tensor<?x3xf32>)
// CHECK-DAG: %[[W:.*]] = quant_llm.parameter ""::"transposed_with_bias.0.weight" : tensor<2x3xf32>
// CHECK-DAG: %[[B:.*]] = arith.constant dense<[1.000000e+00, 2.000000e+00]>
// CHECK: %[[Y:.*]] = quant_llm.linear %[[X]], %[[W]] bias(%[[B]]) name("transposed_with_bias.0")
// CHECK-NEXT: return %[[Y]]
func.func @transposed_with_bias(%x: tensor<?x3xf32>) -> tensor<?x2xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>
  %b = arith.constant dense<[1., 2.]> : tensor<2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %t = linalg.transpose ins(%w : tensor<2x3xf32>) outs(%e : tensor<3x2xf32>) permutation = [1, 0]
  %d = tensor.dim %x, %c0 : tensor<?x3xf32>
  %o = tensor.empty(%d) : tensor<?x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%o : tensor<?x2xf32>) -> tensor<?x2xf32>
  %p = linalg.matmul ins(%x, %t : tensor<?x3xf32>, tensor<3x2xf32>) outs(%f : tensor<?x2xf32>) -> tensor<?x2xf32>
  %r = linalg.generic {indexing_maps = [#map, #id], iterator_types = ["parallel", "parallel"]} ins(%b : tensor<2xf32>) outs(%o : tensor<?x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<?x2xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%p, %r : tensor<?x2xf32>, tensor<?x2xf32>) outs(%o : tensor<?x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// A square weight stored [K,N]: the maps decide, not the shape.
// CHECK-LABEL: func.func @stored_kn
// CHECK: %[[W:.*]] = quant_llm.parameter
// CHECK: %[[T:.*]] = quant_llm.transpose %[[W]] : tensor<2x2xf32>
// CHECK: quant_llm.linear %{{.*}}, %[[T]] name("stored_kn.0")
func.func @stored_kn(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x2xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

// The same weight read as [N,K] by the contraction's own map.
// CHECK-LABEL: func.func @transposed_by_map
// CHECK-NOT: quant_llm.transpose
// CHECK: quant_llm.linear %{{.*}} name("transposed_by_map.0")
func.func @transposed_by_map(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x2xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

#id2 = affine_map<(d0, d1) -> (d0, d1)>
// f16 computed in f32 between a widened input and a narrowed result.
// CHECK-LABEL: func.func @widened_f16
// CHECK-SAME: (%[[X:.*]]: tensor<2x2xf16>)
// CHECK: quant_llm.linear %[[X]], %{{.*}} name("widened_f16.0") : (tensor<2x2xf16>, tensor<2x2xf16>) -> tensor<2x2xf16>
// CHECK-NOT: linalg
func.func @widened_f16(%x: tensor<2x2xf16>) -> tensor<2x2xf16> {
  %zero = arith.constant dense<0.0> : tensor<2x2xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf16>
  %e = tensor.empty() : tensor<2x2xf32>
  %h = tensor.empty() : tensor<2x2xf16>
  %xw = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x2xf16>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%in: f16, %out: f32):
    %0 = arith.extf %in : f16 to f32
    linalg.yield %0 : f32
  } -> tensor<2x2xf32>
  %ww = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<2x2xf16>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%in: f16, %out: f32):
    %0 = arith.extf %in : f16 to f32
    linalg.yield %0 : f32
  } -> tensor<2x2xf32>
  %p = linalg.matmul ins(%xw, %ww : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%p : tensor<2x2xf32>) outs(%h : tensor<2x2xf16>) {
  ^bb0(%in: f32, %out: f16):
    %0 = arith.truncf %in : f32 to f16
    linalg.yield %0 : f16
  } -> tensor<2x2xf16>
  return %y : tensor<2x2xf16>
}

// -----

#id3 = affine_map<(d0, d1) -> (d0, d1)>
// A residual that is added looks like a bias and stays.
// CHECK-LABEL: func.func @residual
// CHECK: quant_llm.linear %{{.*}}, %{{.*}} name("residual.0") : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
// CHECK: linalg.generic
func.func @residual(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x2xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %p = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.generic {indexing_maps = [#id3, #id3, #id3], iterator_types = ["parallel", "parallel"]} ins(%p, %x : tensor<2x2xf32>, tensor<2x2xf32>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

// One weight used twice is one layer, one parameter; each layer feeds the next.
// CHECK-LABEL: func.func @used_twice
// CHECK-COUNT-1: quant_llm.parameter
// CHECK: %[[A:.*]] = quant_llm.linear %{{.*}}, %[[W:.*]] name("used_twice.0")
// CHECK: quant_llm.linear %[[A]], %[[W]] name("used_twice.0")
func.func @used_twice(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x2xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  %z = linalg.matmul ins(%y, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %z : tensor<2x2xf32>
}

// -----

// Attention: a batched product of two computed values is left alone.
// CHECK-LABEL: func.func @attention
// CHECK: linalg.batch_matmul
func.func @attention(%q: tensor<2x3x4xf32>, %k: tensor<2x4x3xf32>) -> tensor<2x3x3xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x3x3xf32>
  %y = linalg.batch_matmul ins(%q, %k : tensor<2x3x4xf32>, tensor<2x4x3xf32>) outs(%zero : tensor<2x3x3xf32>) -> tensor<2x3x3xf32>
  return %y : tensor<2x3x3xf32>
}

// -----

// Any number of leading dimensions, as a generic contraction.
// CHECK-LABEL: func.func @three_dimensions
// CHECK: quant_llm.linear %{{.*}} : (tensor<1x?x2xf32>, tensor<2x2xf32>) -> tensor<1x?x2xf32>
func.func @three_dimensions(%x: tensor<1x?x2xf32>, %n: index) -> tensor<1x?x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  %e = tensor.empty(%n) : tensor<1x?x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x?x2xf32>) -> tensor<1x?x2xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(b, s, n, k) -> (b, s, k)>, affine_map<(b, s, n, k) -> (k, n)>, affine_map<(b, s, n, k) -> (b, s, n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %w : tensor<1x?x2xf32>, tensor<2x2xf32>) outs(%f : tensor<1x?x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %m = arith.mulf %a, %c : f32
    %s = arith.addf %out, %m : f32
    linalg.yield %s : f32
  } -> tensor<1x?x2xf32>
  return %y : tensor<1x?x2xf32>
}
