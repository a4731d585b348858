// RUN: qk-opt --allow-unregistered-dialect --quant-llm-check-known-ops --split-input-file --verify-diagnostics %s
// RUN: not qk-run %s 2>&1 | FileCheck %s
// Each op of another compiler is named once, with the way round it. qk-run
// says the same, of the whole file.

// CHECK: check-known-ops-invalid.mlir:[[#@LINE+3]]:{{[0-9]+}}: error: can't compile 'tm_tensor.scan' (2 of them), an op that MLIR 22 doesn't know: it is a running sum
func.func @scan(%a: tensor<1x8xi64>, %b: tensor<1xi64>) -> tensor<1x8xi64> {
  // expected-error @below {{can't compile 'tm_tensor.scan' (2 of them), an op that MLIR 22 doesn't know: it is a running sum, by which the model counts positions: export again with what it computes from given as an input (a 4-D attention mask that is added to the scores, position_ids), or by way of TOSA}}
  %0:2 = "tm_tensor.scan"(%a, %a, %b) <{dimension = 1 : i64, inclusive = true}> ({
  ^bb0(%x: i64, %y: i64):
    %s = arith.addi %x, %y : i64
    "tm_tensor.yield"(%s) : (i64) -> ()
  }) : (tensor<1x8xi64>, tensor<1x8xi64>, tensor<1xi64>) -> (tensor<1x8xi64>, tensor<1xi64>)
  %1:2 = "tm_tensor.scan"(%0#0, %a, %b) <{dimension = 1 : i64, inclusive = true}> ({
  ^bb0(%x: i64, %y: i64):
    %s = arith.addi %x, %y : i64
    "tm_tensor.yield"(%s) : (i64) -> ()
  }) : (tensor<1x8xi64>, tensor<1x8xi64>, tensor<1xi64>) -> (tensor<1x8xi64>, tensor<1xi64>)
  return %1#0 : tensor<1x8xi64>
}

// -----

func.func @top(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{can't compile 'tm_tensor.sort', an op that MLIR 22 doesn't know: torch-mlir has no lowering of it to linalg}}
  %0 = "tm_tensor.sort"(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @torch(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{can't compile 'torch.aten.relu', an op that MLIR 22 doesn't know: lower the module to linalg with torch-mlir's own tools (output_type="linalg-on-tensors") and give that}}
  %0 = "torch.aten.relu"(%a) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @below {{can't compile 'onnx.Relu'}}
  %1 = "torch.operator"(%0) <{name = "onnx.Relu"}> : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

func.func @stablehlo(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{can't compile 'stablehlo.custom_call', an op that MLIR 22 doesn't know: lower the module to linalg first}}
  %0 = "stablehlo.custom_call"(%a) <{call_target_name = "mine"}> : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @iree(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{can't compile 'util.optimization_barrier', an op that MLIR 22 doesn't know: IREE compiles it: quantise the module and give it back to IREE, or export the same model with torch-mlir to run it here}}
  %0 = "util.optimization_barrier"(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @tflite(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{can't compile 'tfl.relu', an op that MLIR 22 doesn't know: convert the model to TOSA (tosa-converter-for-tflite) and give that}}
  %0 = "tfl.relu"(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @other(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{can't compile 'mine.relu', an op that MLIR 22 doesn't know: no lowering of it is known here; lower it to linalg with the compiler that made it}}
  %0 = "mine.relu"(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
