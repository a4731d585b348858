// RUN: rm -rf %t && split-file %s %t && cd %t
// RUN: %python %S/Inputs/safetensors.py w.safetensors "layers_0/kernel:F32:2x2:1,2,3,4"
// Weights that are arguments, as in JAX's modules: named by a map, or by their
// locations; what is left are the real inputs.
// RUN: qk-opt x.mlir --lower-to-cpu | qk-run -O0 - --output=x.npy
// RUN: qk-run -O0 bare.mlir --weights=w.safetensors --weight-names=names.json --input=x.npy | FileCheck %s
// RUN: qk-run -O0 located.mlir --weights=w.safetensors --input=x.npy | FileCheck %s
// CHECK: out0: F32[1x2], from 4 to 6, mean 5
// RUN: not qk-run -O0 bare.mlir --weight-names=names.json --input=x.npy 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: --weight-names needs one --weights, got 0
// RUN: not qk-run -O0 bare.mlir --weights=w.safetensors --input=x.npy 2>&1 | FileCheck %s --check-prefix=UNBOUND
// UNBOUND: error: x.npy: argument 0 of 'main': expected F32[2x2], got F32[1x2]

//--- x.mlir
func.func @main() -> tensor<1x2xf32> {
  %0 = arith.constant dense<1.0> : tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}
//--- names.json
{"arg0": "layers_0/kernel"}
//--- bare.mlir
func.func @main(%w: tensor<2x2xf32>, %x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %z = arith.constant dense<0.0> : tensor<1x2xf32>
  %y = linalg.matmul ins(%x, %w : tensor<1x2xf32>, tensor<2x2xf32>) outs(%z : tensor<1x2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}
//--- located.mlir
func.func @main(%w: tensor<2x2xf32> loc("params['layers'][0]['kernel']"), %x: tensor<1x2xf32> loc("x")) -> tensor<1x2xf32> {
  %z = arith.constant dense<0.0> : tensor<1x2xf32>
  %y = linalg.matmul ins(%x, %w : tensor<1x2xf32>, tensor<2x2xf32>) outs(%z : tensor<1x2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}
