// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// A float linear layer with any leading dimensions.

// CHECK-LABEL: func.func @linear(
// CHECK: quant_llm.linear %{{.*}}, %{{.*}} bias(%{{.*}}) name("fc") : (tensor<?x8xf16>, tensor<4x8xf16>, tensor<4xf16>) -> tensor<?x4xf16>{{$}}
func.func @linear(%x: tensor<?x8xf16>, %w: tensor<4x8xf16>, %b: tensor<4xf16>) -> tensor<?x4xf16> {
  %y = quant_llm.linear %x, %w bias(%b) name("fc") : (tensor<?x8xf16>, tensor<4x8xf16>, tensor<4xf16>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// CHECK-LABEL: func.func @no_bias(
// CHECK: quant_llm.linear %{{.*}}, %{{.*}} name("model.layers.0.mlp.up_proj") : (tensor<1x?x8xbf16>, tensor<4x8xbf16>) -> tensor<1x?x4xbf16>{{$}}
func.func @no_bias(%x: tensor<1x?x8xbf16>, %w: tensor<4x8xbf16>) -> tensor<1x?x4xbf16> {
  %y = quant_llm.linear %x, %w name("model.layers.0.mlp.up_proj") : (tensor<1x?x8xbf16>, tensor<4x8xbf16>) -> tensor<1x?x4xbf16>
  return %y : tensor<1x?x4xbf16>
}

// One token without leading dimensions; a K that is not known; other attributes.
// CHECK-LABEL: func.func @vector(
// CHECK: quant_llm.linear %{{.*}}, %{{.*}} name("fc") {a.note = 1 : i64} : (tensor<?xf32>, tensor<4x8xf32>) -> tensor<4xf32>{{$}}
func.func @vector(%x: tensor<?xf32>, %w: tensor<4x8xf32>) -> tensor<4xf32> {
  %y = quant_llm.linear %x, %w name("fc") {a.note = 1 : i64} : (tensor<?xf32>, tensor<4x8xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
