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

// What binding made of a file's tensors and noted on constants.
module attributes {quant_llm.host_dialect = "stablehlo"} {
  // CHECK-LABEL: func.func @bound
  func.func @bound() -> (tensor<1x3x2xf32>, tensor<2xf32>) {
    // CHECK: %[[W:.*]] = "stablehlo.constant"() <{value = dense_resource<fc.weight> : tensor<2x3xf16>}>
    // CHECK: %[[T:.*]] = "stablehlo.transpose"(%[[W]]) <{permutation = array<i64: 1, 0>}> : (tensor<2x3xf16>) -> tensor<3x2xf16>
    // CHECK: %[[C:.*]] = "stablehlo.convert"(%[[T]]) : (tensor<3x2xf16>) -> tensor<3x2xf32>
    // CHECK: "stablehlo.reshape"(%[[C]]) : (tensor<3x2xf32>) -> tensor<1x3x2xf32>
    %0 = quant_llm.parameter "model"::"fc.weight" : tensor<2x3xf16>
    %1 = quant_llm.transpose %0 : tensor<2x3xf16>
    %2 = arith.extf %1 : tensor<3x2xf16> to tensor<3x2xf32>
    %3 = tensor.expand_shape %2 [[0, 1], [2]] output_shape [1, 3, 2] : tensor<3x2xf32> into tensor<1x3x2xf32>
    // CHECK-NOT: quant_llm.binding
    %4 = "stablehlo.constant"() <{value = dense<[1., 2.]> : tensor<2xf32>}> {quant_llm.binding = {name = "norm.weight", scope = "model"}} : () -> tensor<2xf32>
    return %3, %4 : tensor<1x3x2xf32>, tensor<2xf32>
  }
}

// -----

// CHECK-LABEL: func.func @transposed
func.func @transposed() -> tensor<3x2xf32> {
  // CHECK: linalg.transpose ins({{.*}} : tensor<2x3xf32>) outs({{.*}} : tensor<3x2xf32>) permutation = [1, 0]
  %0 = quant_llm.parameter "model"::"other.weight" : tensor<2x3xf32>
  %1 = quant_llm.transpose %0 : tensor<2x3xf32>
  return %1 : tensor<3x2xf32>
}

// -----

func.func @codes() -> tensor<2x2xi4> {
  // expected-error @below {{parameter 'fc.codes' of type 'tensor<2x2xi4>' has no form outside quant_llm; pack the codes that it holds}}
  %0 = quant_llm.parameter ""::"fc.codes" : tensor<2x2xi4> = dense<17> : tensor<2x1xi8>
  return %0 : tensor<2x2xi4>
}
