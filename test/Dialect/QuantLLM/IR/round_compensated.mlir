// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// RUN: qk-opt %s | FileCheck %s --strict-whitespace --check-prefix=SPACE
// GPTQ's rounding: orders, groups and settings.

// Defaults are not printed.
// CHECK-LABEL: func.func @defaults(
// CHECK: quant_llm.round_compensated %{{.*}}, %{{.*}} scheme(<u4, group = 4, scale = f16>) static_groups : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>{{$}}
func.func @defaults(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) -> (tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>) {
  %c, %s, %z = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) static_groups : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return %c, %s, %z : tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
}

// Order by activation without static groups has a permutation.
// CHECK-LABEL: func.func @permuted(
// CHECK: quant_llm.round_compensated %{{.*}}, %{{.*}} scheme(<u4, group = 4, scale = f16>) : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8> permutation tensor<10xi32>{{$}}
func.func @permuted(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) -> (tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>, tensor<10xi32>) {
  %c, %s, %z, %p = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8> permutation tensor<10xi32>
  return %c, %s, %z, %p : tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>, tensor<10xi32>
}

// Symmetric and permuted: no zero points.
// CHECK-LABEL: func.func @symmetric_permuted(
// CHECK: quant_llm.round_compensated %{{.*}}, %{{.*}} scheme(<u4, group = 4, scale = f16>) symmetric : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16> permutation tensor<10xi32>{{$}}
func.func @symmetric_permuted(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) -> (tensor<4x10xi4>, tensor<4x3xf16>, tensor<10xi32>) {
  %c, %s, %p = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) symmetric : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16> permutation tensor<10xi32>
  return %c, %s, %p : tensor<4x10xi4>, tensor<4x3xf16>, tensor<10xi32>
}

// CHECK-LABEL: func.func @all(
// SPACE: symmetric order = none scale_search = mse {
// CHECK: quant_llm.round_compensated %{{.*}}, %{{.*}} scheme(<u4, group = 4, scale = f16>) symmetric order = none scale_search = mse {block = 64 : i64, damping = 5.000000e-02 : f64} : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>{{$}}
func.func @all(%w: tensor<4x10xf32>, %h: tensor<10x10xf32>) -> (tensor<4x10xi4>, tensor<4x3xf16>) {
  %c, %s = quant_llm.round_compensated %w, %h scheme(<u4, group = 4, scale = f16>) symmetric order = none scale_search = mse {block = 64 : i64, damping = 5.000000e-02 : f64} : tensor<4x10xf32>, tensor<10x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>
  return %c, %s : tensor<4x10xi4>, tensor<4x3xf16>
}
