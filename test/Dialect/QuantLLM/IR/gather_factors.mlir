// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// Every second head of four elements; a repeated one.

// CHECK-LABEL: func.func @heads(
// CHECK: quant_llm.gather_factors %{{.*}} sizes = [2, 4] strides = [8, 1] : tensor<16xf32> -> tensor<8xf32>{{$}}
// CHECK: quant_llm.gather_factors %{{.*}} sizes = [3, 16] strides = [0, 1] : tensor<16xf32> -> tensor<48xf32>{{$}}
func.func @heads(%s: tensor<16xf32>) -> (tensor<8xf32>, tensor<48xf32>) {
  %0 = quant_llm.gather_factors %s sizes = [2, 4] strides = [8, 1] : tensor<16xf32> -> tensor<8xf32>
  %1 = quant_llm.gather_factors %s sizes = [3, 16] strides = [0, 1] : tensor<16xf32> -> tensor<48xf32>
  return %0, %1 : tensor<8xf32>, tensor<48xf32>
}

// The last of three parts.
// CHECK-LABEL: func.func @part(
// CHECK: quant_llm.gather_factors %{{.*}} sizes = [3, 8] strides = [0, 1] within first = [2, 0] count = [1, 8] : tensor<8xf32> -> tensor<24xf32>{{$}}
func.func @part(%s: tensor<8xf32>) -> tensor<24xf32> {
  %0 = quant_llm.gather_factors %s sizes = [3, 8] strides = [0, 1] within first = [2, 0] count = [1, 8] : tensor<8xf32> -> tensor<24xf32>
  return %0 : tensor<24xf32>
}
