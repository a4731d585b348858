// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// Of 8 and of 16 bits, for activations of two and three dimensions.

// CHECK-LABEL: func.func @scales(
// CHECK: quant_llm.activation_scale %{{.*}} scheme(<8, per_tensor>) : tensor<8xf32> -> tensor<1x1xf32>{{$}}
// CHECK: quant_llm.activation_scale %{{.*}} scheme(<16, per_tensor>) : tensor<8xf32> -> tensor<1x1x1xf32>{{$}}
func.func @scales(%a: tensor<8xf32>) -> (tensor<1x1xf32>, tensor<1x1x1xf32>) {
  %0 = quant_llm.activation_scale %a scheme(<8, per_tensor>) : tensor<8xf32> -> tensor<1x1xf32>
  %1 = quant_llm.activation_scale %a scheme(<16, per_tensor>) : tensor<8xf32> -> tensor<1x1x1xf32>
  return %0, %1 : tensor<1x1xf32>, tensor<1x1x1xf32>
}
