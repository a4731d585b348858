// RUN: qk-opt %s --quant-llm-outline-loops --split-input-file | FileCheck %s

// Two layers that differ in their weight only are one function, with constants
// inside; a loop that does something else is another one.
// CHECK-LABEL: func @layers(
// CHECK-SAME: %[[X:.*]]: memref<?xf32>, %[[V:.*]]: memref<?xf32>, %[[W:.*]]: memref<?xf32>
// CHECK: %[[N:.*]] = memref.dim
// CHECK-NOT: scf
// CHECK: call @layers.loop(%[[N]], %[[X]], %[[V]]) :
// CHECK-NEXT: call @layers.loop(%[[N]], %[[X]], %[[W]]) :
// CHECK-NEXT: call @layers.loop_0(%[[N]], %[[X]], %[[W]]) :
// CHECK: return
// CHECK: func private @layers.loop(%{{.*}}: index, %{{.*}}: memref<?xf32>, %{{.*}}: memref<?xf32>)
// CHECK-SAME: llvm.linkage = #llvm.linkage<internal>
// CHECK-SAME: passthrough = ["noinline"]
// CHECK-SAME: quant_llm.loop_kind = "mulf"
// CHECK: arith.constant 0 : index
// CHECK: scf.parallel
// CHECK: arith.mulf
// CHECK: func private @layers.loop_0(
// CHECK: arith.addf
// CHECK-NOT: @layers.loop_1
func.func @layers(%x: memref<?xf32>, %v: memref<?xf32>, %w: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.dim %x, %c0 : memref<?xf32>
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %a = memref.load %x[%i] : memref<?xf32>
    %b = memref.load %v[%i] : memref<?xf32>
    %c = arith.mulf %a, %b : f32
    memref.store %c, %x[%i] : memref<?xf32>
    scf.reduce
  }
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %a = memref.load %x[%i] : memref<?xf32>
    %b = memref.load %w[%i] : memref<?xf32>
    %c = arith.mulf %a, %b : f32
    memref.store %c, %x[%i] : memref<?xf32>
    scf.reduce
  }
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %a = memref.load %x[%i] : memref<?xf32>
    %b = memref.load %w[%i] : memref<?xf32>
    %c = arith.addf %a, %b : f32
    memref.store %c, %x[%i] : memref<?xf32>
    scf.reduce
  }
  return
}

// -----

// A constant of another value makes another function; a loop with results
// stays, and so does one inside another operation.
// CHECK-LABEL: func @others(
// CHECK: call @others.loop(
// CHECK: call @others.loop_0(
// CHECK: scf.for {{.*}} iter_args
// CHECK: scf.if
// CHECK: scf.for
// CHECK: func private @others.loop(
// CHECK: constant 2.0
// CHECK: func private @others.loop_0(
// CHECK: constant 3.0
// CHECK-NOT: @others.loop_1
func.func @others(%x: memref<8xf32>, %condition: i1) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %two = arith.constant 2.0 : f32
  %three = arith.constant 3.0 : f32
  scf.for %i = %c0 to %c8 step %c1 {
    memref.store %two, %x[%i] : memref<8xf32>
  }
  scf.for %i = %c0 to %c8 step %c1 {
    memref.store %three, %x[%i] : memref<8xf32>
  }
  %sum = scf.for %i = %c0 to %c8 step %c1 iter_args(%s = %two) -> f32 {
    %v = memref.load %x[%i] : memref<8xf32>
    %t = arith.addf %s, %v : f32
    scf.yield %t : f32
  }
  scf.if %condition {
    scf.for %i = %c0 to %c8 step %c1 {
      memref.store %sum, %x[%i] : memref<8xf32>
    }
  }
  return %sum : f32
}

// -----

// A kernel is compiled for instructions of its own: its loops stay in it.
// CHECK-LABEL: func.func private @kernel(
// CHECK: scf.for
// CHECK-NOT: @kernel.loop
func.func private @kernel(%x: memref<8xf32>, %y: memref<8xf32>) attributes {qk_kernel.level = "avx2", target_cpu = "x86-64-v3"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %c8 step %c1 {
    %v = memref.load %x[%i] : memref<8xf32>
    memref.store %v, %y[%i] : memref<8xf32>
  }
  return
}

// -----

// What tells loops apart in a profile: functions and divisions before sums.
// CHECK-LABEL: func @kinds(
// CHECK: func private @kinds.loop({{.*}}quant_llm.loop_kind = "divf exp"
// CHECK: func private @kinds.loop_0({{.*}}quant_llm.loop_kind = "copy"
func.func @kinds(%x: memref<8xf32>, %y: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.for %i = %c0 to %c8 step %c1 {
    %a = memref.load %x[%i] : memref<8xf32>
    %b = math.exp %a : f32
    %c = arith.addf %a, %b : f32
    %d = arith.divf %b, %c : f32
    memref.store %d, %y[%i] : memref<8xf32>
  }
  scf.for %i = %c0 to %c8 step %c1 {
    %a = memref.load %y[%i] : memref<8xf32>
    memref.store %a, %x[%i] : memref<8xf32>
  }
  return
}
