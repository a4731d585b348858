// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// Two parts of a weight.

// CHECK-LABEL: func.func @parts(
// CHECK: quant_llm.salient_columns %{{.*}}, %{{.*}} count = 1 : tensor<4x8xf16>, tensor<8xf32>{{$}}
// CHECK: quant_llm.salient_columns %{{.*}}, %{{.*}} count = 1 rest : tensor<4x8xf16>, tensor<8xf32>{{$}}
func.func @parts(%w: tensor<4x8xf16>, %a: tensor<8xf32>) -> (tensor<4x8xf16>, tensor<4x8xf16>) {
  %0 = quant_llm.salient_columns %w, %a count = 1 : tensor<4x8xf16>, tensor<8xf32>
  %1 = quant_llm.salient_columns %w, %a count = 1 rest : tensor<4x8xf16>, tensor<8xf32>
  return %0, %1 : tensor<4x8xf16>, tensor<4x8xf16>
}
