func.func @main(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %w = quant_llm.parameter ""::"model.layers.0.mlp.down_proj.weight" : tensor<4x4xf32> = dense<1.0> : tensor<4x4xf32>
  %0 = quant_llm.linear %x, %w name("model.layers.0.mlp.down_proj") : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  %w1 = quant_llm.parameter ""::"model.layers.1.mlp.up_proj.weight" : tensor<4x4xf32> = dense<2.0> : tensor<4x4xf32>
  %1 = quant_llm.linear %0, %w1 name("model.layers.1.mlp.up_proj") : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}
