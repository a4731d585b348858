// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// The op that a recipe ends in, with every operand.

// CHECK-LABEL: func.func @zero_points(
// CHECK: quant_llm.matmul %{{.*}}, %{{.*}}, %{{.*}} zero_points(%{{.*}}) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>) -> tensor<?x4xf32>{{$}}
func.func @zero_points(%x: tensor<?x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %z: tensor<4x3xi8>) -> tensor<?x4xf32> {
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// A permutation and a bias.
// CHECK-LABEL: func.func @permutation(
// CHECK: quant_llm.matmul %{{.*}}, %{{.*}}, %{{.*}} permutation(%{{.*}}) bias(%{{.*}}) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<1x?x10xf16>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<10xi32>, tensor<4xf16>) -> tensor<1x?x4xf16>{{$}}
func.func @permutation(%x: tensor<1x?x10xf16>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>, %p: tensor<10xi32>, %b: tensor<4xf16>) -> tensor<1x?x4xf16> {
  %y = quant_llm.matmul %x, %c, %s permutation(%p) bias(%b) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<1x?x10xf16>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<10xi32>, tensor<4xf16>) -> tensor<1x?x4xf16>
  return %y : tensor<1x?x4xf16>
}

// A quantised input: per token and group, per token with zero points, per tensor.
// CHECK-LABEL: func.func @quantised(
// CHECK: quant_llm.matmul %{{.*}}, %{{.*}}, %{{.*}} x_scales(%{{.*}}) scheme(<u4, group = 4, scale = f16>) x_scheme(<16, per_token_group, group = 4>) name("fc") : (tensor<?x10xi16>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<?x3xf32>) -> tensor<?x4xf32>{{$}}
// CHECK: quant_llm.matmul %{{.*}}, %{{.*}}, %{{.*}} x_scales(%{{.*}}) x_zero_points(%{{.*}}) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_token>) name("fc") : (tensor<?x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<?x1xf32>, tensor<?x1xi8>) -> tensor<?x4xf16>{{$}}
// CHECK: quant_llm.matmul %{{.*}}, %{{.*}}, %{{.*}} x_scales(%{{.*}}) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_tensor>) name("fc") : (tensor<?x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<1x1xf32>) -> tensor<?x4xf32>{{$}}
func.func @quantised(%x: tensor<?x10xi16>, %t: tensor<?x3xf32>, %x8: tensor<?x10xi8>, %t1: tensor<?x1xf32>, %u: tensor<?x1xi8>, %one: tensor<1x1xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>) -> (tensor<?x4xf32>, tensor<?x4xf16>, tensor<?x4xf32>) {
  %y = quant_llm.matmul %x, %c, %s x_scales(%t) scheme(<u4, group = 4, scale = f16>) x_scheme(<16, per_token_group, group = 4>) name("fc") : (tensor<?x10xi16>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<?x3xf32>) -> tensor<?x4xf32>
  %v = quant_llm.matmul %x8, %c, %s x_scales(%t1) x_zero_points(%u) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_token>) name("fc") : (tensor<?x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<?x1xf32>, tensor<?x1xi8>) -> tensor<?x4xf16>
  %w = quant_llm.matmul %x8, %c, %s x_scales(%one) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_tensor>) name("fc") : (tensor<?x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<1x1xf32>) -> tensor<?x4xf32>
  return %y, %v, %w : tensor<?x4xf32>, tensor<?x4xf16>, tensor<?x4xf32>
}
