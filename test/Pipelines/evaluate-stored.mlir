// RUN: qk-opt --rtn="bits=4 group-size=2 symmetric scale-type=f32" %s | FileCheck %s
// Weights that a checkpoint has with dimensions of size one (TOSA folds [1,K,N]), or in
// another float type than the layer reads: binding reshapes and converts the
// parameter, and evaluating does the same.

// The rows are those of evaluate.mlir: codes 15 (8 + 7, clamped), 1, 8, 8.
// CHECK-LABEL: func.func @shape
// CHECK-NOT: collapse_shape
// CHECK-NOT: transpose
// CHECK: quant_llm.matmul
// 7.5 + 2^-12 is 7.5 in f16.
// CHECK-LABEL: func.func @narrowed
// CHECK-NOT: truncf
// CHECK: quant_llm.matmul
// CHECK-LABEL: func.func @widened
// CHECK-NOT: extf
// CHECK: quant_llm.matmul
// CHECK-DAG: a.codes: "0x100000001F88"
// CHECK-DAG: a.scales: "0x100000000000803F0000803F"
// CHECK-DAG: b.codes: "0x100000001F88"
// CHECK-DAG: b.scales: "0x100000000000803F0000803F"
// CHECK-DAG: c.codes: "0x100000001F88"
func.func @shape(%x: tensor<?x4xf32>) -> tensor<?x1xf32> {
  %p = quant_llm.parameter ""::"a.weight" : tensor<1x4x1xf32> = dense<[[[7.5], [-7.0], [0.0], [0.0]]]> : tensor<1x4x1xf32>
  %c = tensor.collapse_shape %p [[0, 1], [2]] : tensor<1x4x1xf32> into tensor<4x1xf32>
  %w = quant_llm.transpose %c : tensor<4x1xf32>
  %0 = quant_llm.linear %x, %w name("a") : (tensor<?x4xf32>, tensor<1x4xf32>) -> tensor<?x1xf32>
  return %0 : tensor<?x1xf32>
}
func.func @narrowed(%x: tensor<?x4xf16>) -> tensor<?x1xf16> {
  %p = quant_llm.parameter ""::"b.weight" : tensor<4xf32> = dense<[7.500244140625, -7.0, 0.0, 0.0]> : tensor<4xf32>
  %t = arith.truncf %p : tensor<4xf32> to tensor<4xf16>
  %w = tensor.expand_shape %t [[0, 1]] output_shape [1, 4] : tensor<4xf16> into tensor<1x4xf16>
  %0 = quant_llm.linear %x, %w name("b") : (tensor<?x4xf16>, tensor<1x4xf16>) -> tensor<?x1xf16>
  return %0 : tensor<?x1xf16>
}
func.func @widened(%x: tensor<?x4xf32>) -> tensor<?x1xf32> {
  %p = quant_llm.parameter ""::"c.weight" : tensor<1x4xbf16> = dense<[[7.5, -7.0, 0.0, 0.0]]> : tensor<1x4xbf16>
  %w = arith.extf %p : tensor<1x4xbf16> to tensor<1x4xf32>
  %0 = quant_llm.linear %x, %w name("c") : (tensor<?x4xf32>, tensor<1x4xf32>) -> tensor<?x1xf32>
  return %0 : tensor<?x1xf32>
}
