// RUN: qk-opt --quant-llm-raise-linear --split-input-file --verify-diagnostics %s | FileCheck %s
// A weight that is used in several places of a function is one layer; what uses
// it in another function is a layer of its own, which is told.

// CHECK-LABEL: @twice
// CHECK: [[P:%.+]] = quant_llm.parameter "m"::"a.weight"
// CHECK: [[W:%.+]] = quant_llm.transpose [[P]]
// CHECK: quant_llm.linear %{{.*}}, [[W]] name("a")
// CHECK: quant_llm.linear %{{.*}}, [[W]] name("a")
func.func @twice(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w = quant_llm.parameter "m"::"a.weight" : tensor<2x2xf32>
  %zero = arith.constant dense<0.0> : tensor<3x2xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<3x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<3x2xf32>) -> tensor<3x2xf32>
  %1 = linalg.matmul ins(%0, %w : tensor<3x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %1 : tensor<3x2xf32>
}

// -----

// CHECK-LABEL: @prefill
// CHECK: quant_llm.linear {{.*}} name("a")
// CHECK: quant_llm.linear {{.*}} name("b")
func.func @prefill(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w = quant_llm.parameter "m"::"a.weight" : tensor<2x2xf32>
  %v = quant_llm.parameter "m"::"b.weight" : tensor<2x2xf32>
  %zero = arith.constant dense<0.0> : tensor<3x2xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<3x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<3x2xf32>) -> tensor<3x2xf32>
  %1 = linalg.matmul ins(%0, %v : tensor<3x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %1 : tensor<3x2xf32>
}
// CHECK-LABEL: @decode
// CHECK: quant_llm.linear {{.*}} name("a_1")
// CHECK: quant_llm.linear {{.*}} name("b_1")
func.func @decode(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = quant_llm.parameter "m"::"a.weight" : tensor<2x2xf32>
  %v = quant_llm.parameter "m"::"b.weight" : tensor<2x2xf32>
  %zero = arith.constant dense<0.0> : tensor<1x2xf32>
  // expected-remark @below {{layer 'a_1' has the weight of layer 'a' in another function, and is quantised and stored by itself (layers like it: 2); to have one of both, export one function, of dynamic sizes, or let both call one}}
  %0 = linalg.matmul ins(%x, %w : tensor<1x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<1x2xf32>) -> tensor<1x2xf32>
  %1 = linalg.matmul ins(%0, %v : tensor<1x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<1x2xf32>) -> tensor<1x2xf32>
  return %1 : tensor<1x2xf32>
}

// -----

// Both call one.
// CHECK-LABEL: @prefill
// CHECK-NOT: name("a_1")
func.func @prefill(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %d = tensor.cast %x : tensor<3x2xf32> to tensor<?x2xf32>
  %0 = func.call @model(%d) : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %y = tensor.cast %0 : tensor<?x2xf32> to tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}
func.func @decode(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %d = tensor.cast %x : tensor<1x2xf32> to tensor<?x2xf32>
  %0 = func.call @model(%d) : (tensor<?x2xf32>) -> tensor<?x2xf32>
  %y = tensor.cast %0 : tensor<?x2xf32> to tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}
func.func private @model(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %w = quant_llm.parameter "m"::"a.weight" : tensor<2x2xf32>
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x2xf32>
  %e = tensor.empty(%n) : tensor<?x2xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x2xf32>) -> tensor<?x2xf32>
  %0 = linalg.matmul ins(%x, %w : tensor<?x2xf32>, tensor<2x2xf32>) outs(%z : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}
