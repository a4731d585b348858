// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// Columns of weights and activations, multiplied and divided.

// CHECK-LABEL: func.func @both(
// CHECK: quant_llm.scale_columns %{{.*}} by %{{.*}} : tensor<4x8xf16>, tensor<8xf32>{{$}}
// CHECK: quant_llm.scale_columns %{{.*}} by inverse %{{.*}} : tensor<1x?x8xf16>, tensor<8xf32>{{$}}
func.func @both(%w: tensor<4x8xf16>, %x: tensor<1x?x8xf16>, %s: tensor<8xf32>) -> (tensor<4x8xf16>, tensor<1x?x8xf16>) {
  %0 = quant_llm.scale_columns %w by %s : tensor<4x8xf16>, tensor<8xf32>
  %1 = quant_llm.scale_columns %x by inverse %s : tensor<1x?x8xf16>, tensor<8xf32>
  return %0, %1 : tensor<4x8xf16>, tensor<1x?x8xf16>
}

// The weight of a norm that multiplies by 1 + w.
// CHECK-LABEL: func.func @offset(
// CHECK: quant_llm.scale_columns %{{.*}} by inverse %{{.*}} {offset = 1.000000e+00 : f64} : tensor<8xf16>, tensor<8xf32>{{$}}
func.func @offset(%w: tensor<8xf16>, %s: tensor<8xf32>) -> tensor<8xf16> {
  %0 = quant_llm.scale_columns %w by inverse %s {offset = 1.000000e+00 : f64} : tensor<8xf16>, tensor<8xf32>
  return %0 : tensor<8xf16>
}
