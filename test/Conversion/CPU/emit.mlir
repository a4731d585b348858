// RUN: qk-opt %s --quant-llm-emit-cpu-kernels=isa=avx512-vnni,portable | FileCheck %s
// RUN: qk-opt %s --quant-llm-emit-cpu-kernels=isa=avx2 | FileCheck %s --check-prefix=ONE
// RUN: qk-opt %s --quant-llm-emit-cpu-kernels=isa=portable | FileCheck %s --check-prefix=PORTABLE
// RUN: not qk-opt %s --quant-llm-emit-cpu-kernels=isa=avx9 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not qk-opt %s --quant-llm-emit-cpu-kernels=isa=portable,avx2,neon-i8mm 2>&1 | FileCheck %s --check-prefix=MIXED
// Bodies of declared kernels, per level, and the dispatch between them.

// UNKNOWN: unknown isa 'avx9', expected avx512-vnni, avx-vnni, avx2, neon-i8mm, neon-dotprod or portable
// MIXED: isa: expected levels of one architecture, got avx2 and neon-i8mm

// CHECK: func.func private @qk_choose_cpu_level(i32) -> i32
// CHECK-LABEL: func.func private @kernel(
// CHECK: %[[LEVEL:.*]] = call @qk_choose_cpu_level(%c9_i32)
// CHECK: %[[HAS:.*]] = arith.cmpi eq, %[[LEVEL]], %c3_i32
// CHECK: scf.if %[[HAS]]
// CHECK: call @"kernel.avx512-vnni"
// CHECK: else
// CHECK: call @kernel.portable

// CHECK-LABEL: func.func private @kernel.portable.tile
// CHECK-NOT: vpdpbusd
// CHECK-LABEL: func.func private @"kernel.avx512-vnni"
// CHECK-SAME: target_cpu = "x86-64-v4"
// CHECK: scf.parallel
// CHECK: func.call @"kernel.avx512-vnni.tile"
// CHECK: memref.dealloc
// CHECK-LABEL: func.func private @"kernel.avx512-vnni.tile"
// CHECK-SAME: target_features = #llvm.target_features<["+avx512f"
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"

// A single level is called directly, after a check that the machine has it; the
// portable one without.
// PORTABLE-NOT: qk_choose_cpu_level
// PORTABLE-LABEL: func.func private @kernel(
// PORTABLE-NEXT: call @kernel.portable(
// PORTABLE-NEXT: return
// ONE-LABEL: func.func private @kernel(
// ONE-NEXT: %[[KNOWN:.*]] = arith.constant 2 : i32
// ONE-NEXT: call @qk_choose_cpu_level(%[[KNOWN]])
// ONE-NEXT: call @kernel.avx2(
// ONE-NEXT: return
// ONE-LABEL: func.func private @kernel.avx2.tile
// ONE-NOT: qk_kernel.dot
// ONE: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"
func.func private @kernel(memref<?x?xi16, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?xi8>, memref<?x?xf32, strided<[?, 1], offset: ?>>) attributes {qk_kernel.matmul = array<i64: 2, 4, 0, 10, 0, 0, 1, 0, 0>}
