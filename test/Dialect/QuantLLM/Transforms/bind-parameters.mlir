// RUN: %python %S/../../../Inputs/make_safetensors.py %t.safetensors fc.weight=F32[4x8]:ramp other=F32[2]:1
// RUN: qk-opt --weights=%t.safetensors %s | FileCheck %s
// Resources, with data or without, become parameters, one a function and name;
// small literals stay.

// CHECK: module attributes {quant_llm.weights = {model = "{{.*}}.safetensors"}}
// CHECK-LABEL: func.func @main
// CHECK-DAG: quant_llm.parameter "model"::"fc.weight" : tensor<4x8xf32>
// CHECK-DAG: quant_llm.parameter ""::"inline" : tensor<2xf32> = dense_resource<inline> : tensor<2xf32>
// CHECK-DAG: arith.constant dense<[1.000000e+00, 2.000000e+00]>
// CHECK-NOT: "fc.weight"
func.func @main() -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<2xf32>, tensor<2xf32>) {
  %0 = arith.constant dense_resource<fc.weight> : tensor<4x8xf32>
  %1 = arith.constant dense_resource<fc.weight> : tensor<4x8xf32>
  %2 = arith.constant dense_resource<inline> : tensor<2xf32>
  %3 = arith.constant dense<[1., 2.]> : tensor<2xf32>
  return %0, %1, %2, %3 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<2xf32>, tensor<2xf32>
}

{-#
  dialect_resources: {
    builtin: {
      inline: "0x040000000000803F00000040"
    }
  }
#-}
