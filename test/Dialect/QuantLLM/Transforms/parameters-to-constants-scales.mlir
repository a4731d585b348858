// RUN: qk-opt --allow-unregistered-dialect --quant-llm-parameters-to-constants --split-input-file --verify-diagnostics %s | FileCheck %s

// Scales of activations that were not folded, in the dialect of the module.

// CHECK-LABEL: @linalg
// CHECK: %[[S:.*]] = arith.constant dense<2.000000e+00> : tensor<4xf32>
// CHECK: %[[Y:.*]] = linalg.generic {{.*}} ins(%arg0, %[[S]] : tensor<?x4xf16>, tensor<4xf32>)
// CHECK: arith.extf
// CHECK: arith.divf
// CHECK: arith.truncf
// CHECK: return %[[Y]]
func.func @linalg(%x: tensor<?x4xf16>) -> tensor<?x4xf16> {
  %s = quant_llm.parameter ""::"s" : tensor<4xf32> = dense<2.0> : tensor<4xf32>
  %y = quant_llm.scale_columns %x by inverse %s : tensor<?x4xf16>, tensor<4xf32>
  return %y : tensor<?x4xf16>
}

// -----

// CHECK-LABEL: @stablehlo
// CHECK: %[[S:.*]] = "stablehlo.constant"
// CHECK: %[[B:.*]] = "stablehlo.broadcast_in_dim"(%[[S]]) <{broadcast_dimensions = array<i64: 1>}> : (tensor<4xf32>) -> tensor<3x4xf32>
// CHECK: %[[Y:.*]] = "stablehlo.divide"(%{{.*}}, %[[B]])
// CHECK-NOT: quant_llm
func.func @stablehlo(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %s = quant_llm.parameter ""::"s" : tensor<4xf32> = dense<2.0> : tensor<4xf32>
  %0 = "stablehlo.negate"(%x) : (tensor<3x4xf32>) -> tensor<3x4xf32>
  %y = quant_llm.scale_columns %0 by inverse %s : tensor<3x4xf32>, tensor<4xf32>
  return %y : tensor<3x4xf32>
}

// -----

func.func @dynamic(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %s = quant_llm.parameter ""::"s" : tensor<4xf32> = dense<2.0> : tensor<4xf32>
  %0 = "stablehlo.negate"(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  // expected-error @+1 {{expected a static shape of a scaled activation in StableHLO, got 'tensor<?x4xf32>'; quantise with layers=foldable}}
  %y = quant_llm.scale_columns %0 by inverse %s : tensor<?x4xf32>, tensor<4xf32>
  return %y : tensor<?x4xf32>
}
