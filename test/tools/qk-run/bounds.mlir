// Tokens beyond the table and inputs whose sizes don't fit are errors with both
// numbers, though the module asserts nothing.
// RUN: rm -rf %t && split-file %s %t && cd %t
// RUN: qk-opt --lower-to-cpu model.mlir -o lowered.mlir
// RUN: %python %S/Inputs/safetensors.py good.safetensors arg0:I64:3:0,2,1 arg1:F32:3:1,0,1
// RUN: qk-run lowered.mlir --inputs=good.safetensors | FileCheck %s --check-prefix=GOOD
// GOOD: out0: F32[3x64], from 0 to 2, mean 1
// RUN: %python %S/Inputs/safetensors.py token.safetensors arg0:I64:3:0,2000000000,1 arg1:F32:3:1,0,1
// RUN: not qk-run lowered.mlir --inputs=token.safetensors 2>&1 | FileCheck %s --check-prefix=TOKEN
// TOKEN: error: function 'main': assertion of the model failed: index out of range in dimension 0 of tensor<3xf32> (model.mlir:11:10): expected 0 <= 2000000000 < 3
// RUN: %python %S/Inputs/safetensors.py negative.safetensors arg0:I64:3:0,-1,1 arg1:F32:3:1,0,1
// RUN: not qk-run lowered.mlir --inputs=negative.safetensors 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// NEGATIVE: index out of range in dimension 0 of tensor<3xf32> (model.mlir:11:10): expected 0 <= -1 < 3
// RUN: %python %S/Inputs/safetensors.py mask.safetensors arg0:I64:3:0,2,1 arg1:F32:2:1,0
// RUN: not qk-run lowered.mlir --inputs=mask.safetensors 2>&1 | FileCheck %s --check-prefix=MASK
// MASK: error: function 'main': assertion of the model failed: dimension 0 of argument 1 must have the size of dimension 0 of argument 0 in linalg.generic (model.mlir:14:8): expected 2 == 3

// Nothing is left of the checks where a token can't be wrong.
// RUN: qk-opt --lower-to-cpu clamped.mlir | FileCheck %s --check-prefix=CLAMPED
// CLAMPED-NOT: qk_assert

//--- model.mlir
#row = affine_map<(d0, d1) -> (d0)>
#all = affine_map<(d0, d1) -> (d0, d1)>
func.func @main(%ids: tensor<?xi64>, %mask: tensor<?xf32>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %table = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %n = tensor.dim %ids, %c0 : tensor<?xi64>
  %e = tensor.empty(%n) : tensor<?x64xf32>
  %0 = linalg.generic {indexing_maps = [#row, #all], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<?xi64>) outs(%e : tensor<?x64xf32>) {
  ^bb0(%in: i64, %out: f32):
    %i = arith.index_cast %in : i64 to index
    %v = tensor.extract %table[%i] : tensor<3xf32>
    linalg.yield %v : f32
  } -> tensor<?x64xf32>
  %1 = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]} ins(%0, %mask : tensor<?x64xf32>, tensor<?xf32>) outs(%e : tensor<?x64xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %m = arith.mulf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<?x64xf32>
  return %1 : tensor<?x64xf32>
}

//--- clamped.mlir
#row = affine_map<(d0, d1) -> (d0)>
#all = affine_map<(d0, d1) -> (d0, d1)>
func.func @main(%ids: tensor<?xi64>) -> tensor<?x64xf32> {
  %c0 = arith.constant 0 : index
  %least = arith.constant 0 : i64
  %most = arith.constant 2 : i64
  %table = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %n = tensor.dim %ids, %c0 : tensor<?xi64>
  %e = tensor.empty(%n) : tensor<?x64xf32>
  %0 = linalg.generic {indexing_maps = [#row, #all], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<?xi64>) outs(%e : tensor<?x64xf32>) {
  ^bb0(%in: i64, %out: f32):
    %low = arith.maxsi %in, %least : i64
    %high = arith.minsi %low, %most : i64
    %i = arith.index_cast %high : i64 to index
    %v = tensor.extract %table[%i] : tensor<3xf32>
    linalg.yield %v : f32
  } -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}
