// RUN: qk-opt %s --split-input-file --verify-diagnostics --quant-llm-outline-device-loops | FileCheck %s
// Loops on buffers become kernels and launches.

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>

// Equal operations share a kernel, whatever their buffers.
// CHECK-LABEL: func.func @shared
// CHECK: call @qk_cuda_begin(%{{.*}}, %[[NAME:.*]])
// CHECK: memref.extract_aligned_pointer_as_index %arg0
// CHECK: call @qk_cuda_device
// CHECK: memref.extract_aligned_pointer_as_index %arg1
// CHECK: call @qk_cuda_device
// The number of threads, then the sizes and strides that are not constant.
// CHECK: call @qk_cuda_index
// CHECK: call @qk_cuda_launch
// CHECK: llvm.mlir.addressof @loop0_addf.name
// CHECK: call @qk_cuda_launch
// CHECK-NOT: linalg
// CHECK: return
func.func @shared(%a: memref<?x8xf32>, %b: memref<?xf32>, %c: memref<?xf32>) {
  linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%a : memref<?x8xf32>) outs(%b : memref<?xf32>) {
  ^bb0(%x: f32, %y: f32):
    %s = arith.addf %x, %y : f32
    linalg.yield %s : f32
  }
  linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%a : memref<?x8xf32>) outs(%c : memref<?xf32>) {
  ^bb0(%x: f32, %y: f32):
    %s = arith.addf %x, %y : f32
    linalg.yield %s : f32
  }
  return
}

// One thread a row; the sum is in a register.
// CHECK: gpu.module @qk_kernels
// CHECK-SAME: "loop0_addf"
// CHECK: gpu.func @loop0_addf(%{{.*}}: !llvm.ptr<1>, %{{.*}}: !llvm.ptr<1>, %[[THREADS:[a-z0-9]*]]: i32, %{{.*}}: i32) kernel attributes {known_block_size = array<i32: 128, 1, 1>}
// CHECK: arith.cmpi ult, %{{.*}}, %[[THREADS]]
// CHECK: scf.if
// CHECK: %[[FIRST:.*]] = llvm.load
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[FIRST]]) -> (f32)
// CHECK: llvm.load
// CHECK: arith.addf
// CHECK: scf.yield
// CHECK: llvm.store
// CHECK-NOT: gpu.func

// -----

// Scalars of the host, sizes, a strided view, a gather and its assertion.
// CHECK-LABEL: func.func @gather
// CHECK: call @qk_cuda_error_cell
// CHECK: call @qk_cuda_i32
// CHECK: %[[FAILED:.*]] = call @qk_cuda_take_error
// CHECK: %[[FINE:.*]] = arith.cmpi ne, %[[FAILED]], %c1
// CHECK: cf.assert %[[FINE]], "index out of range"
// CHECK: return
// CHECK: gpu.func @loop0_
// CHECK: scf.if
// CHECK: scf.if %{{.*}} -> (f32)
// CHECK: arith.mulf
// CHECK: else
// CHECK: llvm.store %c1_i32, %{{.*}} : i32, !llvm.ptr<1>
func.func @gather(%table: memref<16x4xf32, strided<[8, 1], offset: ?>>, %ids: memref<?xi64>, %out: memref<?x4xf32>, %scale: f32) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%ids : memref<?xi64>) outs(%out : memref<?x4xf32>) {
  ^bb0(%id: i64, %y: f32):
    %i = arith.index_cast %id : i64 to index
    %j = linalg.index 1 : index
    %c16 = arith.constant 16 : index
    %ok = arith.cmpi ult, %i, %c16 : index
    cf.assert %ok, "index out of range"
    %x = memref.load %table[%i, %j] : memref<16x4xf32, strided<[8, 1], offset: ?>>
    %z = arith.mulf %x, %scale : f32
    linalg.yield %z : f32
  }
  return
}

// -----

// CHECK-LABEL: func.func @copy
// CHECK-NOT: memref.copy
// CHECK: call @qk_cuda_launch
func.func @copy(%a: memref<4x4xi1>, %b: memref<4x4xi1, strided<[8, 2]>>) {
  memref.copy %a, %b : memref<4x4xi1> to memref<4x4xi1, strided<[8, 2]>>
  return
}
// i1 takes a byte.
// CHECK: gpu.func @loop0
// CHECK: llvm.load %{{.*}} {alignment = 1 : i64} : !llvm.ptr<1> -> i8
// CHECK: llvm.store %{{.*}} {alignment = 1 : i64} : i8

// -----

func.func @effects(%a: memref<4xf32>, %b: memref<4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%a : memref<4xf32>) outs(%b : memref<4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %i = linalg.index 0 : index
    // expected-error@+1 {{a GPU kernel can't do 'memref.store' (model=device); lower with model=host}}
    memref.store %x, %a[%i] : memref<4xf32>
    linalg.yield %x : f32
  }
  return
}

// -----

// What has no effects, but no lowering in a kernel either.
func.func @pure(%a: memref<4xf32>, %b: memref<4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%a : memref<4xf32>) outs(%b : memref<4xf32>) {
  ^bb0(%x: f32, %y: f32):
    // expected-error@+1 {{a GPU kernel can't do 'complex.create' (model=device); lower with model=host}}
    %z = complex.create %x, %x : complex<f32>
    %r = complex.re %z : complex<f32>
    linalg.yield %r : f32
  }
  return
}

// -----

func.func @complex(%a: memref<4xcomplex<f32>>, %b: memref<4xcomplex<f32>>) {
  // expected-error@+1 {{a GPU kernel can't compute on elements of 'complex<f32>' (model=device)}}
  linalg.copy ins(%a : memref<4xcomplex<f32>>) outs(%b : memref<4xcomplex<f32>>)
  return
}
