// RUN: qk-opt %s --quant-llm-emit-nvvm-kernels | FileCheck %s
// RUN: qk-opt %s --quant-llm-emit-nvvm-kernels --quant-llm-serialize-nvvm-kernels | FileCheck %s --check-prefix=IMAGE
// host=launch: a declared function gets a body that launches.

// CHECK-DAG: llvm.mlir.global external constant @qk_kernels_image() {{.*}}!llvm.array<0 x i8>
// CHECK-DAG: llvm.mlir.global private constant @qk_matmul_u4_k10_g4_sf16_perm_bf16_xf32_simt_1x32.name("qk_matmul_u4_k10_g4_sf16_perm_bf16_xf32_simt_1x32\00")
// CHECK-DAG: func.func private @qk_cuda_launch(i64, i64, i64, i64, i64, i64)

// CHECK-LABEL: func.func private @matmul(
// CHECK-SAME: %[[X:.*]]: memref<?x?xf32, strided<[?, 1], offset: ?>>, %[[W:.*]]: memref<?xi8>, %[[P:.*]]: memref<?xi32>, %[[B:.*]]: memref<?xf16>, %[[Y:.*]]: memref<?x?xf32, strided<[?, 1], offset: ?>>)
// CHECK-NOT: qk_kernel.nvvm_matmul
// The kernel for this M.
// CHECK: %[[M:.*]] = arith.index_cast %{{.*}} : index to i64
// CHECK: %[[N:.*]] = arith.index_cast
// CHECK: %[[MANY:.*]] = llvm.mlir.addressof @qk_matmul_u4_k10_g4_sf16_perm_bf16_xf32_simt_8x64.name
// CHECK: %[[ISONE:.*]] = arith.cmpi sle, %[[M]], %c1
// CHECK: %[[ONE:.*]] = llvm.mlir.addressof @qk_matmul_u4_k10_g4_sf16_perm_bf16_xf32_simt_1x32.name
// CHECK: %[[NAME:.*]] = arith.select %[[ISONE]], %[[ONE]], %[[MANY]]
// CHECK: call @qk_cuda_begin(%{{.*}}, %[[NAME]])
// Parameters in the kernel's order.
// CHECK: extract_strided_metadata %[[X]]
// CHECK: call @qk_cuda_input(
// CHECK: extract_strided_metadata %[[W]]
// CHECK: call @qk_cuda_constant(
// CHECK: extract_strided_metadata %[[P]]
// CHECK: call @qk_cuda_constant(
// CHECK: extract_strided_metadata %[[B]]
// CHECK: call @qk_cuda_input(
// CHECK: extract_strided_metadata %[[Y]]
// CHECK: call @qk_cuda_output(
// CHECK: %[[M32:.*]] = arith.trunci %[[M]]
// CHECK: call @qk_cuda_i32(%[[M32]])
// CHECK: %[[N32:.*]] = arith.trunci %[[N]]
// CHECK: call @qk_cuda_i32(%[[N32]])
// CHECK: %[[GX:.*]] = arith.ceildivui %[[M]]
// CHECK: %[[GY:.*]] = arith.ceildivui %[[N]]
// CHECK: call @qk_cuda_launch(%[[GX]], %[[GY]]
// CHECK: return
func.func private @matmul(memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?xi8>, memref<?xi32>, memref<?xf16>, memref<?x?xf32, strided<[?, 1], offset: ?>>) attributes {qk_kernel.nvvm_matmul = {bias = f16, element = f32, k = 10 : i64, permutation, scheme = #quant_llm.scheme<u4, group = 4, scale = f16>}}

// CHECK: gpu.module @qk_kernels

// The compiled kernels take the place of the declaration; PTX ends in a NUL.
// IMAGE: llvm.mlir.global internal constant @qk_kernels_image("{{.*}}.target sm_80{{.*}}\00")
// IMAGE-SAME: alignment = 64
// IMAGE-NOT: gpu.module
// IMAGE-NOT: gpu.binary
