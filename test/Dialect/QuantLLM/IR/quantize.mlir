// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// Activations: every granularity, dynamic and static.

// CHECK-LABEL: func.func @group(
// CHECK: quant_llm.quantize %{{.*}} scheme(<16, per_token_group, group = 4>) : tensor<?x10xf32> -> tensor<?x10xi16>, tensor<?x3xf32>{{$}}
func.func @group(%x: tensor<?x10xf32>) -> (tensor<?x10xi16>, tensor<?x3xf32>) {
  %c, %s = quant_llm.quantize %x scheme(<16, per_token_group, group = 4>) : tensor<?x10xf32> -> tensor<?x10xi16>, tensor<?x3xf32>
  return %c, %s : tensor<?x10xi16>, tensor<?x3xf32>
}

// CHECK-LABEL: func.func @token(
// CHECK: quant_llm.quantize %{{.*}} scheme(<8, per_token>) : tensor<1x?x10xf16> -> tensor<1x?x10xi8>, tensor<1x?x1xf32>{{$}}
func.func @token(%x: tensor<1x?x10xf16>) -> (tensor<1x?x10xi8>, tensor<1x?x1xf32>) {
  %c, %s = quant_llm.quantize %x scheme(<8, per_token>) : tensor<1x?x10xf16> -> tensor<1x?x10xi8>, tensor<1x?x1xf32>
  return %c, %s : tensor<1x?x10xi8>, tensor<1x?x1xf32>
}

// CHECK-LABEL: func.func @tensor(
// CHECK: quant_llm.quantize %{{.*}} static_scale(%{{.*}} : tensor<1x1x1xf32>) scheme(<8, per_tensor>) : tensor<1x?x10xf16> -> tensor<1x?x10xi8>, tensor<1x1x1xf32>{{$}}
func.func @tensor(%x: tensor<1x?x10xf16>, %f: tensor<1x1x1xf32>) -> (tensor<1x?x10xi8>, tensor<1x1x1xf32>) {
  %c, %s = quant_llm.quantize %x static_scale(%f : tensor<1x1x1xf32>) scheme(<8, per_tensor>) : tensor<1x?x10xf16> -> tensor<1x?x10xi8>, tensor<1x1x1xf32>
  return %c, %s : tensor<1x?x10xi8>, tensor<1x1x1xf32>
}

// CHECK-LABEL: func.func @divided(
// CHECK: quant_llm.quantize %{{.*}} divided_by(%{{.*}} : tensor<10xf32>) static_scale(%{{.*}} : tensor<1x1xf32>) scheme(<8, per_tensor>) : tensor<?x10xf16> -> tensor<?x10xi8>, tensor<1x1xf32>{{$}}
// CHECK: quant_llm.quantize %{{.*}} divided_by(%{{.*}} : tensor<10xf32>) scheme(<8, per_token>) : tensor<?x10xf16> -> tensor<?x10xi8>, tensor<?x1xf32>{{$}}
func.func @divided(%x: tensor<?x10xf16>, %f: tensor<10xf32>, %s: tensor<1x1xf32>) -> (tensor<?x10xi8>, tensor<?x10xi8>) {
  %a, %as = quant_llm.quantize %x divided_by(%f : tensor<10xf32>) static_scale(%s : tensor<1x1xf32>) scheme(<8, per_tensor>) : tensor<?x10xf16> -> tensor<?x10xi8>, tensor<1x1xf32>
  %b, %bs = quant_llm.quantize %x divided_by(%f : tensor<10xf32>) scheme(<8, per_token>) : tensor<?x10xf16> -> tensor<?x10xi8>, tensor<?x1xf32>
  return %a, %b : tensor<?x10xi8>, tensor<?x10xi8>
}
