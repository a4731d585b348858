// RUN: qk-opt %s | FileCheck %s
// Assembly of the op that a recipe ends in.

// CHECK-LABEL: func.func @matmul
// CHECK: quant_llm.matmul %{{.*}}, %{{.*}}, %{{.*}} zero_points(%{{.*}}) scheme(<u4, group = 4, scale = f16>) name("fc")
func.func @matmul(%x: tensor<?x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %z: tensor<4x3xi8>) -> tensor<?x4xf32> {
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
