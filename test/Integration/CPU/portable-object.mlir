// RUN: qk-opt %s --quant-llm-lower-to-cpu=isa=portable | mlir-translate --mlir-to-llvmir | opt -O3 -o %t.bc
// RUN: llc -O3 -mtriple=aarch64-linux-gnu %t.bc -o - | FileCheck %s --check-prefix=ARM
// RUN: llc -O3 -mtriple=x86_64-linux-gnu %t.bc -o - | FileCheck %s --check-prefix=X86
// Portable kernels compile for other machines, and their loops call nothing.

// ARM-LABEL: qk_matmul_u4_g32_f32_k172_float_f32.portable.tile:
// ARM-NOT: {{^}}	bl	
// ARM: fmla
// ARM-NOT: {{^}}	bl	
// ARM: .size	qk_matmul_u4_g32_f32_k172_float_f32.portable.tile

// Without fused multiply-add: a product and a sum, no call of fmaf.
// X86-LABEL: qk_matmul_u4_g32_f32_k172_float_f32.portable.tile:
// X86-NOT: call
// X86: mulps
// X86-NOT: call
// X86: .size	qk_matmul_u4_g32_f32_k172_float_f32.portable.tile
func.func private @qk_matmul_u4_g32_f32_k172_float_f32(memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?xi8>, memref<?x?xf32, strided<[?, 1], offset: ?>>) attributes {qk_kernel.matmul = array<i64: 2, 32, 2, 172, 0, 0, 0, 0, 0>}
func.func private @qk_matmul_u4_g32_f32_k172_int16_f32(memref<?x?xi16, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?xi8>, memref<?x?xf32, strided<[?, 1], offset: ?>>) attributes {qk_kernel.matmul = array<i64: 2, 32, 2, 172, 0, 0, 1, 0, 0>}
