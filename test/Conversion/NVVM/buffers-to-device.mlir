// RUN: qk-opt %s --split-input-file --verify-diagnostics --quant-llm-buffers-to-device | FileCheck %s
// Buffers live on the GPU; arguments, results and constants go over.

memref.global "private" constant @weight : memref<2x3xf32> = dense<1.0>

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:.*]]: memref<?x3xf32>) -> memref<?x3xf32>
// CHECK: %[[DEVICE:.*]] = call @qk_cuda_upload(
// CHECK: memref.get_global @weight
// CHECK: %[[WEIGHT:.*]] = call @qk_cuda_constant_address(
// CHECK: %[[Y:.*]] = call @qk_cuda_allocate(
// CHECK: %[[TEMPORARY:.*]] = call @qk_cuda_allocate(
// CHECK: call @use
// CHECK: call @qk_cuda_release(
// The one allocation on the host is the result's.
// CHECK: %[[RESULT:.*]] = memref.alloc(%{{.*}}) : memref<?x3xf32>
// CHECK: call @qk_cuda_download(
// CHECK: call @qk_cuda_release(
// CHECK: call @qk_cuda_release(%[[DEVICE]])
// CHECK: return %[[RESULT]]
func.func private @use(memref<?x3xf32>, memref<2x3xf32>, memref<?x3xf32>, memref<4xf32>)
func.func @main(%x: memref<?x3xf32>) -> memref<?x3xf32> {
  %c0 = arith.constant 0 : index
  %w = memref.get_global @weight : memref<2x3xf32>
  %n = memref.dim %x, %c0 : memref<?x3xf32>
  %y = memref.alloc(%n) : memref<?x3xf32>
  %t = memref.alloc() : memref<4xf32>
  call @use(%x, %w, %y, %t) : (memref<?x3xf32>, memref<2x3xf32>, memref<?x3xf32>, memref<4xf32>) -> ()
  memref.dealloc %t : memref<4xf32>
  return %y : memref<?x3xf32>
}

// -----

// What the host reads and writes goes over element by element.
// CHECK-LABEL: func.func @scalars
// CHECK: %[[BITS:.*]] = call @qk_cuda_read(%{{.*}}, %c2_i64
// CHECK: %[[NARROW:.*]] = arith.trunci %[[BITS]] : i64 to i16
// CHECK: arith.bitcast %[[NARROW]] : i16 to f16
// CHECK: call @qk_cuda_write(
// CHECK-NOT: memref.load
// CHECK-NOT: memref.store
func.func @scalars(%a: memref<4xf16>, %i: index) -> f16 {
  %x = memref.load %a[%i] : memref<4xf16>
  %y = arith.addf %x, %x : f16
  memref.store %y, %a[%i] : memref<4xf16>
  return %y : f16
}

// -----

// A shape that lies in memory is the host's: it reads the sizes, and no kernel
// does.
// CHECK-LABEL: func.func @reshape
// CHECK: %[[DEVICE:.*]] = builtin.unrealized_conversion_cast %{{.*}} to memref<?x6xf32>
// CHECK: %[[SHAPE:.*]] = memref.alloc() : memref<3xindex>
// CHECK-COUNT-3: memref.store %{{.*}}, %[[SHAPE]][
// CHECK: %[[LAST:.*]] = memref.load %[[SHAPE]][%c2
// CHECK: %[[STRIDE:.*]] = arith.muli %[[LAST]], %
// CHECK: %[[FIRST:.*]] = memref.load %[[SHAPE]][%c0
// CHECK: memref.reinterpret_cast %[[DEVICE]] to offset: [0], sizes: [%[[FIRST]], 2, %[[LAST]]], strides: [%[[STRIDE]], %[[LAST]], 1] : memref<?x6xf32> to memref<?x2x?xf32>
// CHECK: memref.dealloc %[[SHAPE]] : memref<3xindex>
func.func private @use(memref<?x2x?xf32>)
func.func @reshape(%x: memref<?x6xf32>, %m: index, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %shape = memref.alloc() : memref<3xindex>
  memref.store %m, %shape[%c0] : memref<3xindex>
  memref.store %c2, %shape[%c1] : memref<3xindex>
  memref.store %n, %shape[%c2] : memref<3xindex>
  %y = memref.reshape %x(%shape) : (memref<?x6xf32>, memref<3xindex>) -> memref<?x2x?xf32>
  memref.dealloc %shape : memref<3xindex>
  call @use(%y) : (memref<?x2x?xf32>) -> ()
  return
}

// -----

// One that a kernel computes comes from the GPU, element by element, and what is
// constant from the host's memory.
memref.global "private" constant @table : memref<4xindex> = dense<[1, 2, 3, 4]>

// CHECK-LABEL: func.func @computed
// CHECK: memref.load %{{.*}} : memref<4xindex>
// CHECK: call @qk_cuda_read(
// CHECK: memref.reinterpret_cast
func.func private @compute(memref<2xi32>)
func.func private @use2(memref<?x3xf32>)
func.func @computed(%x: memref<?xf32>, %i: index) -> index {
  %t = memref.get_global @table : memref<4xindex>
  %n = memref.load %t[%i] : memref<4xindex>
  %shape = memref.alloc() : memref<2xi32>
  call @compute(%shape) : (memref<2xi32>) -> ()
  %y = memref.reshape %x(%shape) : (memref<?xf32>, memref<2xi32>) -> memref<?x3xf32>
  call @use2(%y) : (memref<?x3xf32>) -> ()
  return %n : index
}

// -----

func.func @strided(%a: memref<4xf32, strided<[2]>>) -> memref<4xf32> {
  %b = memref.alloc() : memref<4xf32>
  // expected-error@-2 {{argument 0: expected contiguous memory, got 'memref<4xf32, strided<[2]>>'}}
  %c0 = arith.constant 0 : index
  %x = memref.load %a[%c0] : memref<4xf32, strided<[2]>>
  memref.store %x, %b[%c0] : memref<4xf32>
  return %b : memref<4xf32>
}

// -----

func.func @callee(%a: memref<4xf32>) {
  return
}
func.func @caller(%a: memref<4xf32>) {
  // expected-error@+1 {{calls 'callee', which callers outside the module call too: its memory can't be the host's and the GPU's (model=device); call a private function}}
  call @callee(%a) : (memref<4xf32>) -> ()
  return
}

// -----

func.func @stack() {
  // expected-error@+1 {{'memref.alloca' has no form on the GPU (model=device)}}
  %a = memref.alloca() : memref<4xf32>
  return
}
