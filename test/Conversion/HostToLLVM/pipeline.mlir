// RUN: qk-opt %s --quant-llm-host-to-llvm | FileCheck %s --check-prefixes=CHECK,THREADS
// RUN: qk-opt %s --quant-llm-host-to-llvm="parallel=false" | FileCheck %s --check-prefixes=CHECK,ALONE

// Everything is in the LLVM dialect; threads by OpenMP, or none.
// CHECK: llvm.func @main
// CHECK-SAME: quant_llm.signature = (tensor<?x64xf32>, tensor<64x64xf32>) -> tensor<?x64xf32>
// CHECK: llvm.call @qk_sgemm_batch
// ALONE-NOT: omp.
// What a public function returns is the caller's; nothing else stays allocated.
// CHECK: llvm.call @free
// CHECK: llvm.return
// CHECK: llvm.func @_mlir_ciface_main
// THREADS: omp.parallel
// ALONE-NOT: omp.
func.func @main(%x: tensor<?x64xf32>, %w: tensor<64x64xf32>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %z = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x64xf32>
  %e = tensor.empty(%n) : tensor<?x64xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
  %y = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x64xf32>) outs(%f : tensor<?x64xf32>) -> tensor<?x64xf32>
  %g = linalg.fill ins(%z : f32) outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
  %v = linalg.matmul ins(%y, %w : tensor<?x64xf32>, tensor<64x64xf32>) outs(%g : tensor<?x64xf32>) -> tensor<?x64xf32>
  %r = linalg.exp ins(%v : tensor<?x64xf32>) outs(%e : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %r : tensor<?x64xf32>
}
