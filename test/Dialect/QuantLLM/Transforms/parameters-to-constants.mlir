// RUN: qk-opt --allow-unregistered-dialect --quant-llm-parameters-to-constants --split-input-file --verify-diagnostics %s | FileCheck %s
// What is left of the dialect in a module that another compiler reads.

// CHECK-LABEL: func.func @inline_and_file
// CHECK-DAG: arith.constant dense<[1, 2]> : tensor<2xi8>
// CHECK-DAG: arith.constant dense_resource<norm.weight> : tensor<8xf32>
func.func @inline_and_file() -> (tensor<2xi8>, tensor<8xf32>) {
  %0 = quant_llm.parameter ""::"packed" : tensor<2xi8> = dense<[1, 2]> : tensor<2xi8>
  %1 = quant_llm.parameter "model"::"norm.weight" : tensor<8xf32>
  return %0, %1 : tensor<2xi8>, tensor<8xf32>
}

// -----

// CHECK-LABEL: func.func @stablehlo
// CHECK: "stablehlo.constant"() <{value = dense<[1, 2]> : tensor<2xi8>}> : () -> tensor<2xi8>
func.func @stablehlo(%x: tensor<f32>) -> (tensor<2xi8>, tensor<f32>) {
  %0 = quant_llm.parameter ""::"packed" : tensor<2xi8> = dense<[1, 2]> : tensor<2xi8>
  %1 = "stablehlo.negate"(%x) : (tensor<f32>) -> tensor<f32>
  return %0, %1 : tensor<2xi8>, tensor<f32>
}

// -----

// TFLite's converter leaves constants of StableHLO in TOSA.
// CHECK-LABEL: func.func @tosa
// CHECK: arith.constant dense<[1, 2]> : tensor<2xi8>
func.func @tosa() -> (tensor<2xi8>, tensor<f32>) {
  %0 = quant_llm.parameter ""::"packed" : tensor<2xi8> = dense<[1, 2]> : tensor<2xi8>
  %1 = "stablehlo.constant"() <{value = dense<3.0> : tensor<f32>}> : () -> tensor<f32>
  return %0, %1 : tensor<2xi8>, tensor<f32>
}

// -----

// Raising says so where no op is left to see.
// CHECK: module {
module attributes {quant_llm.host_dialect = "stablehlo"} {
  // CHECK: "stablehlo.constant"
  func.func @said() -> tensor<2xi8> {
    %0 = quant_llm.parameter ""::"packed" : tensor<2xi8> = dense<[1, 2]> : tensor<2xi8>
    return %0 : tensor<2xi8>
  }
}

// -----

"util.global"() <{initial_value = #flow.parameter.named<"model"::"fc.bias"> : tensor<2xf32>, sym_name = "__auto.fc.bias", type = tensor<2xf32>}> : () -> ()
// CHECK: "util.func"
"util.func"() <{function_type = () -> tensor<2xf32>, sym_name = "main"}> ({
  // CHECK-NEXT: "util.global.load"() <{global = @__auto.fc.bias}> : () -> tensor<2xf32>
  %0 = quant_llm.parameter "model"::"fc.bias" : tensor<2xf32>
  "util.return"(%0) : (tensor<2xf32>) -> ()
}) : () -> ()

// -----

func.func @codes() -> tensor<2x2xi4> {
  // expected-error @below {{parameter 'fc.codes' of type 'tensor<2x2xi4>' has no form outside quant_llm; pack the codes that it holds}}
  %0 = quant_llm.parameter ""::"fc.codes" : tensor<2x2xi4> = dense<17> : tensor<2x1xi8>
  return %0 : tensor<2x2xi4>
}
