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

// With 16 registers: two rows by two vectors, one row by four.
// VEX: function qk_matmul_u4_g128_f16_k4096_int16_f32.avx-vnni.tile
// VEX-NEXT: loop: dots 16 loads 2 unpack 6 scalar 0 stack 0
// VEX-NEXT: loop: dots 16 loads 4 unpack 12 scalar 0 stack 0 prefetch 0
// VEX-NOT: loop:

// Without VNNI a dot is a vpmaddubsw and an addition to a sum of 16 bits, and
// four units go by before those are added to 32 bits. Four rows by one vector:
// eight sums of 16 bits; the four of 32 may wait on the stack meanwhile, loaded
// and stored once an iteration.
// AVX2: function qk_matmul_u4_g128_f16_k4096_int16_f32.avx2.tile
// AVX2-NEXT: loop: dots 64 loads {{[4-7]}} unpack 12 scalar 0 stack {{[0-8]}} prefetch 4
// One row by eight vectors, which take turns: eight accumulators. The 16 words
// of x that all use may wait on the stack, from where a dot takes them as it
// would take them from x; weights are read once, a prefetch a line.
// AVX2-NEXT: loop: dots 128 loads {{.*}} unpack 96 scalar 0 stack {{[0-9]?[0-9]}} prefetch 16
// AVX2-NOT: loop:
func.func private @qk_matmul_u4_g128_f16_k4096_int16_f32(memref<?x?xi16, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?xi8>, memref<?x?xf32, strided<[?, 1], offset: ?>>) attributes {qk_kernel.matmul = array<i64: 2, 128, 0, 4096, 0, 0, 1, 0, 0>}
