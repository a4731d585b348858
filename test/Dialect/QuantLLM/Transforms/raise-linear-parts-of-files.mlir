// RUN: %python %S/../../../Inputs/make_safetensors.py %t.safetensors stack.weight=F32[2x3x2]:ramp heads.weight=F32[2x3x2]:ramp wide.weight=F32[3x4]:ramp
// RUN: qk-opt --weights=%t.safetensors --quant-llm-raise-linear --split-input-file %s | FileCheck %s
// Weights that are a part of a file's tensor, or all of it in another order:
// nothing is copied, a parameter says which elements it is.

// Heads by K by head size (Gemma's einsum "btd,ndh->btnh"), in a file, and its
// slices: nothing is copied.
// CHECK-LABEL: func.func @heads(
// CHECK-DAG: %[[H:.*]] = quant_llm.parameter "model"::"heads.weight" {part = #quant_llm.part<offset = 0, sizes = [2, 2, 3], strides = [6, 1, 2]>} : tensor<4x3xf32>
// CHECK-DAG: %[[S:.*]] = quant_llm.parameter "model"::"stack.weight" {part = #quant_llm.part<offset = 6, sizes = [2, 3], strides = [1, 2]>} : tensor<2x3xf32>
// CHECK-DAG: quant_llm.linear %{{.*}}, %[[H]] name("heads")
// CHECK-DAG: quant_llm.linear %{{.*}}, %[[S]] name("stack.1")
func.func @heads(%x: tensor<4x3xf32>) -> (tensor<4x2x2xf32>, tensor<4x2xf32>) {
  %w = arith.constant dense_resource<heads.weight> : tensor<2x3x2xf32>
  %z = arith.constant dense<0.0> : tensor<4x2x2xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, h, k) -> (m, k)>, affine_map<(m, n, h, k) -> (n, k, h)>, affine_map<(m, n, h, k) -> (m, n, h)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %w : tensor<4x3xf32>, tensor<2x3x2xf32>) outs(%z : tensor<4x2x2xf32>) {
  ^bb0(%a: f32, %c: f32, %d: f32):
    %p = arith.mulf %a, %c : f32
    %s = arith.addf %d, %p : f32
    linalg.yield %s : f32
  } -> tensor<4x2x2xf32>
  %stack = arith.constant dense_resource<stack.weight> : tensor<2x3x2xf32>
  %s1 = tensor.extract_slice %stack[1, 0, 0] [1, 3, 2] [1, 1, 1] : tensor<2x3x2xf32> to tensor<3x2xf32>
  %z1 = arith.constant dense<0.0> : tensor<4x2xf32>
  %y1 = linalg.matmul ins(%x, %s1 : tensor<4x3xf32>, tensor<3x2xf32>) outs(%z1 : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y, %y1 : tensor<4x2x2xf32>, tensor<4x2xf32>
}
