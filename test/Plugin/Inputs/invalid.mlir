func.func @main(%x: tensor<2x8xf32>, %w: tensor<4x9xf32>) -> tensor<2x4xf32> {
  %y = quant_llm.linear %x, %w name("l") : (tensor<2x8xf32>, tensor<4x9xf32>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}
