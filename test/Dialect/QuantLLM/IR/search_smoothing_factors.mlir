// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// Two weights; weights and activations per tensor, heads that share factors.

// CHECK-LABEL: func.func @search(
// CHECK: quant_llm.search_smoothing_factors %{{.*}}, %{{.*}}, (%{{.*}}, %{{.*}}) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) grid = 20 symmetric : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>, tensor<2x8xf16>){{$}}
// CHECK: quant_llm.search_smoothing_factors %{{.*}}, %{{.*}}, (%{{.*}}) scheme(<u8, group = -1, scale = f16>) x_scheme(<8, per_tensor>) grid = 5 {per_tensor, shared = array<i64: 2, 2>} :
func.func @search(%a: tensor<8xf32>, %h: tensor<8x8xf32>, %q: tensor<4x8xf32>, %k: tensor<2x8xf16>) -> (tensor<8xf32>, tensor<8xf32>) {
  %s = quant_llm.search_smoothing_factors %a, %h, (%q, %k) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) grid = 20 symmetric : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>, tensor<2x8xf16>)
  %t = quant_llm.search_smoothing_factors %a, %h, (%q) scheme(<u8, group = -1, scale = f16>) x_scheme(<8, per_tensor>) grid = 5 {per_tensor, shared = array<i64: 2, 2>} : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>)
  return %s, %t : tensor<8xf32>, tensor<8xf32>
}
