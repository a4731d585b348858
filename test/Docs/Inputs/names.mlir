func.func @main() -> (tensor<2x3xf32>, tensor<3x2xf32>, tensor<2xf32>) {
  %0 = arith.constant dense_resource<torch_tensor_64_64_torch.float32_9> : tensor<2x3xf32>
  %1 = arith.constant dense_resource<onnx_const_1> : tensor<3x2xf32>
  %2 = arith.constant dense_resource<onnx_const_4> : tensor<2xf32>
  return %0, %1, %2 : tensor<2x3xf32>, tensor<3x2xf32>, tensor<2xf32>
}
{-#
  dialect_resources: {
    builtin: {
      onnx_const_4: "0x040000000000803F00000040"
    }
  }
#-}
