// RUN: qk-opt %s --quant-llm-contractions-to-blas --quant-llm-linalg-to-parallel-loops --quant-llm-expand-math | FileCheck %s
// RUN: sed 's/attributes {quant_llm.plain_arithmetic}//' %s | qk-opt --quant-llm-contractions-to-blas --quant-llm-linalg-to-parallel-loops --quant-llm-expand-math | FileCheck %s --check-prefix=FAST
// Arithmetic as the module writes it: the product that sums in order, sums that
// may not be reordered, functions of the C library.

// CHECK: func.func private @qk_sgemm_ordered_batch(
// CHECK-NOT: qk_sgemm_batch
// CHECK: call @qk_sgemm_ordered_batch(
// CHECK: math.exp
// CHECK: arith.addf
// CHECK-NOT: fastmath

// FAST: call @qk_sgemm_batch(
// FAST-NOT: math.exp
// FAST: fastmath<reassoc>

// Few terms are summed in order in any case.
// RUN: sed 's/attributes {quant_llm.plain_arithmetic}//; s/128x/64x/g; s/x128/x64/g' %s | qk-opt --quant-llm-contractions-to-blas --quant-llm-linalg-to-parallel-loops --quant-llm-expand-math | FileCheck %s --check-prefix=SHORT
// SHORT: arith.addf
// SHORT-NOT: fastmath
module attributes {quant_llm.plain_arithmetic} {
  func.func @main(%x: memref<4x8xf32>, %w: memref<8x128xf32>, %y: memref<4x128xf32>, %s: memref<4xf32>) {
    linalg.matmul ins(%x, %w : memref<4x8xf32>, memref<8x128xf32>) outs(%y : memref<4x128xf32>)
    linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
        ins(%y : memref<4x128xf32>) outs(%s : memref<4xf32>) {
    ^bb0(%in: f32, %sum: f32):
      %e = math.exp %in : f32
      %0 = arith.addf %sum, %e : f32
      linalg.yield %0 : f32
    }
    return
  }
}
