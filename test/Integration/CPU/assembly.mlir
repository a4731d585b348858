// RUN: qk-opt %s --quant-llm-lower-to-cpu=isa=avx512-vnni | mlir-translate --mlir-to-llvmir | opt -O3 | llc -O3 | %python %S/Inputs/hot_loops.py | FileCheck %s
// RUN: qk-opt %s --quant-llm-lower-to-cpu=isa=avx-vnni | mlir-translate --mlir-to-llvmir | opt -O3 | llc -O3 | %python %S/Inputs/hot_loops.py | FileCheck %s --check-prefix=VEX
// RUN: qk-opt %s --quant-llm-lower-to-cpu=isa=avx2 | mlir-translate --mlir-to-llvmir | opt -O3 | llc -O3 | %python %S/Inputs/hot_loops.py | FileCheck %s --check-prefix=AVX2
// What is hot in a kernel of 4-bit weights and int16 activations.

// Six rows by two vectors: a unit is 2 loads and 48 dots (2 fields x 2 halves x
// 6 rows x 2 vectors), unrolled by two; 24 accumulators and nothing on the
// stack.
// CHECK: function qk_matmul_u4_g128_f16_k4096_int16_f32.avx512-vnni.tile
// CHECK-NEXT: loop: dots 96 loads 4 unpack 12 scalar 0 stack 0
// Two rows by four vectors.
// CHECK-NEXT: loop: dots 32 loads 4 unpack 12 scalar 0 stack 0
// One row: 256 bytes of weights a unit, each nibble masked by one instruction,
// no prefetch; two dots a weight byte for two halves.
// CHECK-NEXT: loop: dots 32 loads 8 unpack 16 scalar 0 stack 0 prefetch 0
// CHECK-NOT: loop:

// With 16 registers: two rows by two vectors, one row by two.
// VEX: function qk_matmul_u4_g128_f16_k4096_int16_f32.avx-vnni.tile
// VEX-NEXT: loop: dots 16 loads 2 unpack 6 scalar 0 stack 0
// VEX-NEXT: loop: dots 8 loads 2 unpack 6 scalar 0 stack 0 prefetch 0
// VEX-NOT: loop:

// Without VNNI: four units of three rows by one vector, eight vpmaddubsw to a
// sum of 16 bits, which is half of the 12 accumulators; the others may wait on
// the stack meanwhile, three of them, loaded and stored once an iteration.
// AVX2: function qk_matmul_u4_g128_f16_k4096_int16_f32.avx2.tile
// AVX2-NEXT: loop: dots 48 loads {{[4-7]}} unpack 12 scalar 0 stack {{[0-6]}} prefetch 4
// One row.
// AVX2-NEXT: loop: dots 16 loads 4 unpack 12 scalar 0 stack 0 prefetch 0
// AVX2-NOT: loop:
func.func private @qk_matmul_u4_g128_f16_k4096_int16_f32(memref<?x?xi16, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?xi8>, memref<?x?xf32, strided<[?, 1], offset: ?>>) attributes {qk_kernel.matmul = array<i64: 2, 128, 0, 4096, 0, 0, 1, 0, 0>}
