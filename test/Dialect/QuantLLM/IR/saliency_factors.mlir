// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// AWQ's factors, with both flags.

// CHECK-LABEL: func.func @plain(
// CHECK: quant_llm.saliency_factors %{{.*}}, %{{.*}}, (%{{.*}}) scheme(<u4, group = 4, scale = f16>) grid = 20 : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>){{$}}
func.func @plain(%a: tensor<8xf32>, %h: tensor<8x8xf32>, %w: tensor<4x8xf32>) -> tensor<8xf32> {
  %s = quant_llm.saliency_factors %a, %h, (%w) scheme(<u4, group = 4, scale = f16>) grid = 20 : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>)
  return %s : tensor<8xf32>
}

// CHECK-LABEL: func.func @flags(
// CHECK: quant_llm.saliency_factors %{{.*}}, %{{.*}}, (%{{.*}}, %{{.*}}) scheme(<u3, group = -1, scale = bf16>) grid = 1 duo symmetric : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>, tensor<2x8xf32>){{$}}
func.func @flags(%a: tensor<8xf32>, %h: tensor<8x8xf32>, %w: tensor<4x8xf32>, %v: tensor<2x8xf32>) -> tensor<8xf32> {
  %s = quant_llm.saliency_factors %a, %h, (%w, %v) scheme(<u3, group = -1, scale = bf16>) grid = 1 duo symmetric : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>, tensor<2x8xf32>)
  return %s : tensor<8xf32>
}
