// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// Statistics after a column scaling.

// CHECK-LABEL: func.func @hessian(
// CHECK: quant_llm.scale_statistic %{{.*}} by %{{.*}} : tensor<8x8xf32>, tensor<8xf32>{{$}}
func.func @hessian(%h: tensor<8x8xf32>, %s: tensor<8xf32>) -> tensor<8x8xf32> {
  %0 = quant_llm.scale_statistic %h by %s : tensor<8x8xf32>, tensor<8xf32>
  return %0 : tensor<8x8xf32>
}

// CHECK-LABEL: func.func @absmax(
// CHECK: quant_llm.scale_statistic %{{.*}} by %{{.*}} : tensor<8xf32>, tensor<8xf32>{{$}}
func.func @absmax(%a: tensor<8xf32>, %s: tensor<8xf32>) -> tensor<8xf32> {
  %0 = quant_llm.scale_statistic %a by %s : tensor<8xf32>, tensor<8xf32>
  return %0 : tensor<8xf32>
}

// CHECK-LABEL: func.func @residual(
// CHECK: quant_llm.scale_statistic columns %{{.*}} by %{{.*}} : tensor<4x8xf32>, tensor<8xf32>{{$}}
func.func @residual(%r: tensor<4x8xf32>, %s: tensor<8xf32>) -> tensor<4x8xf32> {
  %0 = quant_llm.scale_statistic columns %r by %s : tensor<4x8xf32>, tensor<8xf32>
  return %0 : tensor<4x8xf32>
}
