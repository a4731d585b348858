// Arithmetic in bf16 is done in f32 and each result rounded, by instructions
// that every CPU has: LLVM's own expansion calls `__truncsfbf2` on CPUs without
// bf16, which no library of a JIT on Debian 12 has.

// RUN: qk-opt %s --quant-llm-host-to-llvm | FileCheck %s --implicit-check-not="llvm.fptrunc"

// CHECK-LABEL: llvm.func @scale
// CHECK: llvm.fmul {{.*}} : f32
// CHECK: llvm.intr.sqrt{{.*}} : (f32) -> f32
func.func @scale(%x: tensor<4xbf16>, %s: tensor<4xbf16>) -> tensor<4xbf16> attributes {llvm.emit_c_interface} {
  %empty = tensor.empty() : tensor<4xbf16>
  %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x, %s : tensor<4xbf16>, tensor<4xbf16>) outs(%empty : tensor<4xbf16>) {
  ^bb0(%a: bf16, %b: bf16, %out: bf16):
    %m = arith.mulf %a, %b : bf16
    %q = math.sqrt %m : bf16
    linalg.yield %q : bf16
  } -> tensor<4xbf16>
  return %r : tensor<4xbf16>
}
