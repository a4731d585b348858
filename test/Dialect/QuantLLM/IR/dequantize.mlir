// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// The weight that codes stand for.

// CHECK-LABEL: func.func @dequantize(
// CHECK: quant_llm.dequantize %{{.*}}, %{{.*}} scheme(<u4, group = 4, scale = f16>) : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<4x10xf32>{{$}}
// CHECK: quant_llm.dequantize %{{.*}}, %{{.*}} zero_points(%{{.*}} : tensor<4x3xi8>) scheme(<u4, group = 4, scale = f16>) : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<4x10xbf16>{{$}}
func.func @dequantize(%c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %z: tensor<4x3xi8>) -> (tensor<4x10xf32>, tensor<4x10xbf16>) {
  %w = quant_llm.dequantize %c, %s scheme(<u4, group = 4, scale = f16>) : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<4x10xf32>
  %v = quant_llm.dequantize %c, %s zero_points(%z : tensor<4x3xi8>) scheme(<u4, group = 4, scale = f16>) : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<4x10xbf16>
  return %w, %v : tensor<4x10xf32>, tensor<4x10xbf16>
}
