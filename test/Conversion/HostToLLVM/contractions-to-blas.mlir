// RUN: qk-opt %s --split-input-file --quant-llm-contractions-to-blas --canonicalize --cse | FileCheck %s

// CHECK: func.func private @qk_sgemm_batch(i64, i64, i64, i64, !llvm.ptr, i64, i64, i64, !llvm.ptr, i64, i64, i64, !llvm.ptr, i64, i64, f32)
// A transposed operand is passed with its strides; C is added to.
// CHECK-LABEL: func @transposed
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i64
// CHECK-DAG: %[[K:.*]] = arith.constant 4 : i64
// CHECK-DAG: %[[N:.*]] = arith.constant 8 : i64
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i64
// CHECK-DAG: %[[BETA:.*]] = arith.constant 1.000000e+00 : f32
// CHECK: call @qk_sgemm_batch(%[[ONE]], %[[M:.*]], %[[N]], %[[K]], %{{.*}}, %[[ZERO]], %[[K]], %[[ONE]], %{{.*}}, %[[ZERO]], %[[ONE]], %[[K]], %{{.*}}, %[[ZERO]], %[[N]], %[[BETA]])
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>
func.func @transposed(%x: memref<?x4xf32>, %w: memref<8x4xf32>, %y: memref<?x8xf32>) {
  linalg.generic {indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : memref<?x4xf32>, memref<8x4xf32>) outs(%y : memref<?x8xf32>) {
  ^bb0(%p: f32, %q: f32, %s: f32):
    %0 = arith.mulf %p, %q : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

// A fill with zero of a buffer of our own is beta = 0.
// CHECK-LABEL: func @fill
// CHECK-DAG: %[[BETA:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NOT: linalg.fill
// CHECK: call @qk_sgemm_batch({{.*}}, %[[BETA]])
func.func @fill(%x: memref<4x4xf32>) -> memref<4x4xf32> {
  %z = arith.constant 0.0 : f32
  %y = memref.alloc() : memref<4x4xf32>
  linalg.fill ins(%z : f32) outs(%y : memref<4x4xf32>)
  linalg.matmul ins(%x, %x : memref<4x4xf32>, memref<4x4xf32>) outs(%y : memref<4x4xf32>)
  return %y : memref<4x4xf32>
}

// Not where something came between that read or wrote it, nor for other values.
// CHECK-LABEL: func @no_fill
// CHECK-DAG: %[[BETA:.*]] = arith.constant 1.000000e+00 : f32
// CHECK: linalg.fill
// CHECK: memref.store
// CHECK: call @qk_sgemm_batch({{.*}}, %[[BETA]])
// CHECK: linalg.fill
// CHECK: call @qk_sgemm_batch({{.*}}, %[[BETA]])
func.func @no_fill(%x: memref<4x4xf32>) -> (memref<4x4xf32>, memref<4x4xf32>) {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %o = arith.constant 1.0 : f32
  %y = memref.alloc() : memref<4x4xf32>
  linalg.fill ins(%z : f32) outs(%y : memref<4x4xf32>)
  memref.store %o, %y[%c0, %c0] : memref<4x4xf32>
  linalg.matmul ins(%x, %x : memref<4x4xf32>, memref<4x4xf32>) outs(%y : memref<4x4xf32>)
  %w = memref.alloc() : memref<4x4xf32>
  linalg.fill ins(%o : f32) outs(%w : memref<4x4xf32>)
  linalg.matmul ins(%x, %x : memref<4x4xf32>, memref<4x4xf32>) outs(%w : memref<4x4xf32>)
  return %y, %w : memref<4x4xf32>, memref<4x4xf32>
}

// Nor where the body of an operation in between reads it.
// CHECK-LABEL: func @read_in_body
// CHECK: linalg.fill
// CHECK: linalg.generic
// CHECK: call @qk_sgemm_batch
#one = affine_map<(d0) -> (d0)>
func.func @read_in_body(%x: memref<4x4xf32>, %v: memref<4xf32>) -> memref<4x4xf32> {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %y = memref.alloc() : memref<4x4xf32>
  linalg.fill ins(%z : f32) outs(%y : memref<4x4xf32>)
  linalg.generic {indexing_maps = [#one], iterator_types = ["parallel"]} outs(%v : memref<4xf32>) {
  ^bb0(%out: f32):
    %0 = memref.load %y[%c0, %c0] : memref<4x4xf32>
    linalg.yield %0 : f32
  }
  linalg.matmul ins(%x, %x : memref<4x4xf32>, memref<4x4xf32>) outs(%y : memref<4x4xf32>)
  return %y : memref<4x4xf32>
}

// -----

// Batch and rows lie one after the other and B is the same for all: one
// product of 6 rows.
// CHECK-LABEL: func @merged
// CHECK-DAG: %[[SIX:.*]] = arith.constant 6 : i64
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i64
// CHECK-NOT: scf.for
// CHECK: call @qk_sgemm_batch(%[[ONE]], %[[SIX]],
#a3 = affine_map<(b, m, n, k) -> (b, m, k)>
#b3 = affine_map<(b, m, n, k) -> (k, n)>
#c3 = affine_map<(b, m, n, k) -> (b, m, n)>
func.func @merged(%x: memref<2x3x4xf32>, %w: memref<4x8xf32>, %y: memref<2x3x8xf32>) {
  linalg.generic {indexing_maps = [#a3, #b3, #c3], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %w : memref<2x3x4xf32>, memref<4x8xf32>) outs(%y : memref<2x3x8xf32>) {
  ^bb0(%p: f32, %q: f32, %s: f32):
    %0 = arith.mulf %p, %q : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// Two batch dimensions that do not merge: a loop around the call.
// CHECK-LABEL: func @loop
// CHECK: scf.for
// CHECK: call @qk_sgemm_batch
#a4 = affine_map<(b, c, m, n, k) -> (b, c, m, k)>
#b4 = affine_map<(b, c, m, n, k) -> (c, b, k, n)>
#c4 = affine_map<(b, c, m, n, k) -> (b, c, m, n)>
func.func @loop(%x: memref<2x3x5x4xf32>, %w: memref<3x2x4x8xf32>, %y: memref<2x3x5x8xf32>) {
  linalg.generic {indexing_maps = [#a4, #b4, #c4], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%x, %w : memref<2x3x5x4xf32>, memref<3x2x4x8xf32>) outs(%y : memref<2x3x5x8xf32>) {
  ^bb0(%p: f32, %q: f32, %s: f32):
    %0 = arith.mulf %p, %q : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

// Other types stay, and what reads the buffer that it writes.
// CHECK-LABEL: func @stays
// CHECK: linalg.matmul
// CHECK: linalg.matmul
// CHECK-NOT: qk_sgemm_batch
func.func @stays(%x: memref<4x4xf64>, %y: memref<4x4xf64>, %z: memref<4x4xf32>) {
  linalg.matmul ins(%x, %x : memref<4x4xf64>, memref<4x4xf64>) outs(%y : memref<4x4xf64>)
  linalg.matmul ins(%z, %z : memref<4x4xf32>, memref<4x4xf32>) outs(%z : memref<4x4xf32>)
  return
}
