// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// Codes as bytes in a layout.

// CHECK-LABEL: func.func @pack(
// CHECK: quant_llm.pack %{{.*}}, %{{.*}} scheme(<u4, group = 4, scale = f16>) layout("example") : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<128xi8>{{$}}
// CHECK: quant_llm.pack %{{.*}}, %{{.*}} zero_points(%{{.*}} : tensor<4x3xi8>) scheme(<u4, group = 4, scale = f16>) layout("example") : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<128xi8>{{$}}
func.func @pack(%c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %z: tensor<4x3xi8>) -> (tensor<128xi8>, tensor<128xi8>) {
  %b = quant_llm.pack %c, %s scheme(<u4, group = 4, scale = f16>) layout("example") : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<128xi8>
  %d = quant_llm.pack %c, %s zero_points(%z : tensor<4x3xi8>) scheme(<u4, group = 4, scale = f16>) layout("example") : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<128xi8>
  return %b, %d : tensor<128xi8>, tensor<128xi8>
}
