// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// A weight moved towards the float output on quantised inputs.

// CHECK-LABEL: func.func @retarget(
// CHECK: quant_llm.retarget %{{.*}}, %{{.*}}, %{{.*}} alpha = 5.000000e-01 : tensor<4x8xf16>, tensor<8x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>{{$}}
// CHECK: quant_llm.retarget %{{.*}}, %{{.*}}, %{{.*}} alpha = 2.500000e-01 optional {damping = 5.000000e-02 : f64} : tensor<4x8xf32>, tensor<8x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>{{$}}
// CHECK: quant_llm.retarget %{{.*}}, %{{.*}}, %{{.*}} residual %{{.*}} alpha = 5.000000e-01 : tensor<4x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>{{$}}
func.func @retarget(%w: tensor<4x8xf16>, %h: tensor<8x8xf32>, %c: tensor<8x8xf32>, %r: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %0 = quant_llm.retarget %w, %h, %c alpha = 0.5 : tensor<4x8xf16>, tensor<8x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %1 = quant_llm.retarget %0, %h, %c alpha = 0.25 optional {damping = 0.05 : f64} : tensor<4x8xf32>, tensor<8x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %2 = quant_llm.retarget %1, %h, %c residual %r alpha = 0.5 : tensor<4x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>
  return %2 : tensor<4x8xf32>
}
