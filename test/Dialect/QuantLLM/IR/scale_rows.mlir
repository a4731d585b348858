// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// Rows of a weight, multiplied and divided.

// CHECK-LABEL: func.func @both(
// CHECK: quant_llm.scale_rows %{{.*}} by %{{.*}} : tensor<4x8xf16>, tensor<4xf32>{{$}}
// CHECK: quant_llm.scale_rows %{{.*}} by inverse %{{.*}} : tensor<4x8xf32>, tensor<4xf32>{{$}}
func.func @both(%w: tensor<4x8xf16>, %v: tensor<4x8xf32>, %s: tensor<4xf32>) -> (tensor<4x8xf16>, tensor<4x8xf32>) {
  %0 = quant_llm.scale_rows %w by %s : tensor<4x8xf16>, tensor<4xf32>
  %1 = quant_llm.scale_rows %v by inverse %s : tensor<4x8xf32>, tensor<4xf32>
  return %0, %1 : tensor<4x8xf16>, tensor<4x8xf32>
}
