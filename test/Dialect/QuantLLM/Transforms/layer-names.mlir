// RUN: %python %S/../../../Inputs/make_safetensors.py %t.safetensors torch_tensor_2_2_torch.float32=F32[2x2]:1 "onnx::MatMul_12=F32[2x2]:2" w=F32[2x2]:3 "['layers'][0]['q_proj']['kernel']=F32[2x2]:4" params/Dense_0/kernel=F32[2x2]:5 "['kernel']=F32[2x2]:6" m.fc.weight=F32[2x2]:7
// RUN: qk-opt --weights=%t.safetensors --quant-llm-raise-linear %s | FileCheck %s
// RUN: qk-opt --weights=%t.safetensors --quant-llm-raise-linear %s | qk-opt --quant-llm-raise-linear | FileCheck %s
// Layers are called what their weights are: in the file, less `.weight` and in
// one spelling; by a location; else by function and number, in every run.

// CHECK: name("main.0")
// CHECK: name("main.1")
// CHECK: name("w")
// CHECK: name("layers.0.q_proj")
// CHECK: name("Dense_0")
// CHECK: name("kernel")
// CHECK: name("m.fc")
// CHECK: name("named.here")
func.func @main(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w0 = arith.constant dense_resource<torch_tensor_2_2_torch.float32> : tensor<2x2xf32>
  %w1 = arith.constant dense_resource<"onnx::MatMul_12"> : tensor<2x2xf32>
  %w2 = arith.constant dense_resource<w> : tensor<2x2xf32>
  %w3 = arith.constant dense_resource<"['layers'][0]['q_proj']['kernel']"> : tensor<2x2xf32>
  %w4 = arith.constant dense_resource<"params/Dense_0/kernel"> : tensor<2x2xf32>
  %w5 = arith.constant dense_resource<"['kernel']"> : tensor<2x2xf32>
  %w6 = arith.constant dense_resource<m.fc.weight> : tensor<2x2xf32>
  %w7 = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32> loc("named.here.weight")
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<3x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<3x2xf32>) -> tensor<3x2xf32>
  %0 = linalg.matmul ins(%x, %w0 : tensor<3x2xf32>, tensor<2x2xf32>) outs(%init : tensor<3x2xf32>) -> tensor<3x2xf32>
  %1 = linalg.matmul ins(%0, %w1 : tensor<3x2xf32>, tensor<2x2xf32>) outs(%init : tensor<3x2xf32>) -> tensor<3x2xf32>
  %2 = linalg.matmul ins(%1, %w2 : tensor<3x2xf32>, tensor<2x2xf32>) outs(%init : tensor<3x2xf32>) -> tensor<3x2xf32>
  %3 = linalg.matmul ins(%2, %w3 : tensor<3x2xf32>, tensor<2x2xf32>) outs(%init : tensor<3x2xf32>) -> tensor<3x2xf32>
  %4 = linalg.matmul ins(%3, %w4 : tensor<3x2xf32>, tensor<2x2xf32>) outs(%init : tensor<3x2xf32>) -> tensor<3x2xf32>
  %5 = linalg.matmul ins(%4, %w5 : tensor<3x2xf32>, tensor<2x2xf32>) outs(%init : tensor<3x2xf32>) -> tensor<3x2xf32>
  %6 = linalg.matmul ins(%5, %w6 : tensor<3x2xf32>, tensor<2x2xf32>) outs(%init : tensor<3x2xf32>) -> tensor<3x2xf32>
  %7 = linalg.matmul ins(%6, %w7 : tensor<3x2xf32>, tensor<2x2xf32>) outs(%init : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %7 : tensor<3x2xf32>
}
