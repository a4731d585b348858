// RUN: qk-opt --quant-llm-raise-linear %s | FileCheck %s
// Names that an earlier raising gave are taken, numbers go on after them.

// CHECK: quant_llm.linear {{.*}} name("main.0")
// CHECK: quant_llm.linear {{.*}} name("main.4")
// CHECK: quant_llm.linear {{.*}} name("main.5")
// CHECK: quant_llm.linear {{.*}} name("fc_1")
func.func @main(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w0 = quant_llm.parameter ""::"0" : tensor<2x2xf32> = dense<1.0> : tensor<2x2xf32>
  %w1 = quant_llm.parameter ""::"fc" : tensor<2x2xf32> = dense<2.0> : tensor<2x2xf32>
  %a = quant_llm.linear %x, %w0 name("main.0") : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %b = quant_llm.linear %a, %w0 name("main.4") : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %b1 = quant_llm.linear %b, %w1 name("fc") : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = linalg.matmul ins(%b1, %w : tensor<3x2xf32>, tensor<2x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  %v = arith.constant dense_resource<fc.weight> : tensor<2x2xf32>
  %z = linalg.matmul ins(%y, %v : tensor<3x2xf32>, tensor<2x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %z : tensor<3x2xf32>
}
{-#
  dialect_resources: { builtin: { "fc.weight": "0x080000000000803F000000400000404000008040" } }
#-}
