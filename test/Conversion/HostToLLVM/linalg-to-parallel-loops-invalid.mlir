// RUN: qk-opt %s --quant-llm-linalg-to-parallel-loops --split-input-file --verify-diagnostics

func.func @tensors(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{expected buffers, got tensors: bufferize first}}
  %0 = linalg.exp ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @aggregate(%x: memref<4x4xf32>, %y: memref<4x4xf32>) {
  // expected-error @+1 {{no loops are known here for 'linalg.softmax': lower it to linalg.generic with the compiler that made it}}
  linalg.softmax dimension(1) ins(%x : memref<4x4xf32>) outs(%y : memref<4x4xf32>)
  return
}
