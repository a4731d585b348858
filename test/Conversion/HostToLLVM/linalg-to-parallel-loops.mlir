// RUN: qk-opt %s --split-input-file --quant-llm-linalg-to-parallel-loops="min-work=16" | FileCheck %s

// A softmax over rows is one parallel loop: fill and reduction become a carried
// value, the maximum shares its loop with the scaling, the sum with exp.
// CHECK-LABEL: func @softmax
// CHECK-SAME: %[[X:.*]]: memref<?x128xf32>
// CHECK: %[[LOWEST:.*]] = arith.constant 0xFF800000
// CHECK: scf.parallel (%[[I:.*]]) =
// CHECK: %[[M:.*]] = scf.for %[[J:.*]] = {{.*}} iter_args(%[[BEST:.*]] = %[[LOWEST]]) -> (f32)
// CHECK: arith.mulf
// CHECK: memref.store
// CHECK: arith.maximumf %{{.*}}, %[[BEST]]
// CHECK: scf.yield
// CHECK: memref.store %[[M]]
// CHECK: scf.for {{.*}} iter_args
// CHECK: math.exp
// CHECK: arith.addf {{.*}} fastmath<reassoc>
// CHECK: scf.for
// CHECK: arith.divf
// CHECK: scf.reduce
// CHECK-NOT: scf.parallel
// CHECK: memref.dealloc
// CHECK: return
#all = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#one = affine_map<(d0) -> (d0)>
func.func @softmax(%x: memref<?x128xf32>, %n: index) -> memref<?x128xf32> {
  %lowest = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %two = arith.constant 2.0 : f32
  %y = memref.alloc(%n) : memref<?x128xf32>
  %z = memref.alloc(%n) : memref<?x128xf32>
  %m = memref.alloc(%n) : memref<?xf32>
  %s = memref.alloc(%n) : memref<?xf32>
  linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]} ins(%x : memref<?x128xf32>) outs(%y : memref<?x128xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.mulf %in, %two : f32
    linalg.yield %0 : f32
  }
  linalg.fill ins(%lowest : f32) outs(%m : memref<?xf32>)
  linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]} ins(%y : memref<?x128xf32>) outs(%m : memref<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.maximumf %in, %out : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]} ins(%y, %m : memref<?x128xf32>, memref<?xf32>) outs(%z : memref<?x128xf32>) {
  ^bb0(%in: f32, %max: f32, %out: f32):
    %0 = arith.subf %in, %max : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  }
  memref.dealloc %m : memref<?xf32>
  linalg.generic {indexing_maps = [#one], iterator_types = ["parallel"]} outs(%s : memref<?xf32>) {
  ^bb0(%out: f32):
    linalg.yield %zero : f32
  }
  linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]} ins(%z : memref<?x128xf32>) outs(%s : memref<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %out : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]} ins(%z, %s : memref<?x128xf32>, memref<?xf32>) outs(%y : memref<?x128xf32>) {
  ^bb0(%in: f32, %sum: f32, %out: f32):
    %0 = arith.divf %in, %sum : f32
    linalg.yield %0 : f32
  }
  return %y : memref<?x128xf32>
}

// -----

// The second reads other rows than the first wrote: two loops.
// CHECK-LABEL: func @transposed
// CHECK: scf.parallel
// CHECK: scf.parallel
#all = affine_map<(d0, d1) -> (d0, d1)>
#other = affine_map<(d0, d1) -> (d1, d0)>
func.func @transposed(%x: memref<64x64xf32>) -> memref<64x64xf32> {
  %y = memref.alloc() : memref<64x64xf32>
  %z = memref.alloc() : memref<64x64xf32>
  linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]} ins(%x : memref<64x64xf32>) outs(%y : memref<64x64xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  linalg.generic {indexing_maps = [#other, #all], iterator_types = ["parallel", "parallel"]} ins(%y : memref<64x64xf32>) outs(%z : memref<64x64xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  return %z : memref<64x64xf32>
}

// A shifted window of a buffer is other rows, too; without the dimension of size
// one a view has the same.
// CHECK-LABEL: func @views
// CHECK: scf.parallel
// CHECK: scf.reduce
// CHECK: scf.parallel
// CHECK-NOT: scf.parallel
// CHECK: return
#three = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
func.func @views(%x: memref<64x64xf32>) -> memref<65x64xf32> {
  %y = memref.alloc() : memref<65x64xf32>
  %a = memref.subview %y[0, 0] [64, 64] [1, 1] : memref<65x64xf32> to memref<64x64xf32, strided<[64, 1]>>
  %b = memref.subview %y[1, 0] [64, 64] [1, 1] : memref<65x64xf32> to memref<64x64xf32, strided<[64, 1], offset: 64>>
  linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]} ins(%x : memref<64x64xf32>) outs(%a : memref<64x64xf32, strided<[64, 1]>>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]} ins(%x : memref<64x64xf32>) outs(%b : memref<64x64xf32, strided<[64, 1], offset: 64>>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  }
  %u = memref.expand_shape %b [[0, 1], [2]] output_shape [1, 64, 64] : memref<64x64xf32, strided<[64, 1], offset: 64>> into memref<1x64x64xf32, strided<[4096, 64, 1], offset: 64>>
  linalg.generic {indexing_maps = [#three, #three], iterator_types = ["parallel", "parallel", "parallel"]} ins(%u : memref<1x64x64xf32, strided<[4096, 64, 1], offset: 64>>) outs(%u : memref<1x64x64xf32, strided<[4096, 64, 1], offset: 64>>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  }
  return %y : memref<65x64xf32>
}

// -----

// Small work, and what may fail, stays on the calling thread.
// CHECK-LABEL: func @sequential
// CHECK-NOT: scf.parallel
#all = affine_map<(d0, d1) -> (d0, d1)>
func.func @sequential(%x: memref<3x4xf32>, %y: memref<?x64xi64>) {
  linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]} outs(%x : memref<3x4xf32>) {
  ^bb0(%out: f32):
    %0 = arith.negf %out : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#all], iterator_types = ["parallel", "parallel"]} outs(%y : memref<?x64xi64>) {
  ^bb0(%out: i64):
    %c0 = arith.constant 0 : i64
    %ok = arith.cmpi sge, %out, %c0 : i64
    cf.assert %ok, "negative"
    linalg.yield %out : i64
  }
  return
}

// -----

// A fill that somebody reads before the reduction stays.
// CHECK-LABEL: func @fill_is_read
// CHECK: memref.store %{{.*}}, %[[S:.*]][%{{.*}}] : memref<64xf32>
// CHECK: memref.load %[[S]]
// CHECK: memref.load %[[S]]
// CHECK: scf.for {{.*}} iter_args
#all = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#one = affine_map<(d0) -> (d0)>
func.func @fill_is_read(%x: memref<64x64xf32>, %v: memref<64xf32>) -> memref<64xf32> {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %s = memref.alloc() : memref<64xf32>
  linalg.fill ins(%z : f32) outs(%s : memref<64xf32>)
  linalg.generic {indexing_maps = [#one], iterator_types = ["parallel"]} outs(%v : memref<64xf32>) {
  ^bb0(%out: f32):
    %0 = memref.load %s[%c0] : memref<64xf32>
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]} ins(%x : memref<64x64xf32>) outs(%s : memref<64xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %out : f32
    linalg.yield %0 : f32
  }
  return %s : memref<64xf32>
}
