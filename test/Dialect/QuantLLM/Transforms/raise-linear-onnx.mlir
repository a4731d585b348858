// RUN: qk-opt --allow-unregistered-dialect --quant-llm-raise-linear --split-input-file %s | FileCheck %s
// ONNX ops in generic form, as torch-mlir's importer and onnx-mlir write them.

// CHECK-LABEL: func.func @gemm
// CHECK-SAME: (%[[A:.*]]: !torch.vtensor<[5,3],f32>)
// CHECK: %[[X:.*]] = "torch_c.to_builtin_tensor"(%[[A]])
// CHECK: %[[Y:.*]] = quant_llm.linear %[[X]], %{{.*}} bias(%{{.*}}) name("gemm.0") : (tensor<5x3xf32>, tensor<2x3xf32>, tensor<2xf32>) -> tensor<5x2xf32>
// CHECK-NEXT: %[[R:.*]] = "torch_c.from_builtin_tensor"(%[[Y]])
// CHECK-NEXT: return %[[R]]
func.func @gemm(%x: !torch.vtensor<[5,3],f32>) -> !torch.vtensor<[5,2],f32> {
  %w = "torch.operator"() <{name = "onnx.Constant"}> {torch.onnx.value = dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>} : () -> !torch.vtensor<[2,3],f32>
  %b = "torch.operator"() <{name = "onnx.Constant"}> {torch.onnx.value = dense<[1., 2.]> : tensor<2xf32>} : () -> !torch.vtensor<[2],f32>
  %y = "torch.operator"(%x, %w, %b) <{name = "onnx.Gemm"}> {torch.onnx.alpha = 1.000000e+00 : f32, torch.onnx.beta = 1.000000e+00 : f32, torch.onnx.transA = 0 : si64, torch.onnx.transB = 1 : si64} : (!torch.vtensor<[5,3],f32>, !torch.vtensor<[2,3],f32>, !torch.vtensor<[2],f32>) -> !torch.vtensor<[5,2],f32>
  return %y : !torch.vtensor<[5,2],f32>
}

// -----

// A product of three dimensions and a bias on the left; a transposed
// initialiser.
// CHECK-LABEL: func.func @matmul
// CHECK: %[[A:.*]] = quant_llm.linear %{{.*}}, %{{.*}} bias(%{{.*}}) name("matmul.0") : (tensor<2x5x3xf16>, tensor<3x3xf16>, tensor<3xf16>) -> tensor<2x5x3xf16>
// CHECK-NEXT: %[[B:.*]] = quant_llm.linear %[[A]], %{{[^ ]*}} name("matmul.1")
// CHECK-NEXT: "torch_c.from_builtin_tensor"(%[[B]])
func.func @matmul(%x: !torch.vtensor<[2,5,3],f16>) -> !torch.vtensor<[2,5,3],f16> {
  %b = "torch.operator"() <{name = "onnx.Constant"}> {torch.onnx.value = dense<[1., 2., 3.]> : tensor<3xf16>} : () -> !torch.vtensor<[3],f16>
  %w = "torch.operator"() <{name = "onnx.Constant"}> {torch.onnx.value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf16>} : () -> !torch.vtensor<[3,3],f16>
  %p = "torch.operator"(%x, %w) <{name = "onnx.MatMul"}> : (!torch.vtensor<[2,5,3],f16>, !torch.vtensor<[3,3],f16>) -> !torch.vtensor<[2,5,3],f16>
  %y = "torch.operator"(%b, %p) <{name = "onnx.Add"}> : (!torch.vtensor<[3],f16>, !torch.vtensor<[2,5,3],f16>) -> !torch.vtensor<[2,5,3],f16>
  %t = "torch.operator"(%w) <{name = "onnx.Transpose"}> {torch.onnx.perm = [1 : si64, 0 : si64]} : (!torch.vtensor<[3,3],f16>) -> !torch.vtensor<[3,3],f16>
  %z = "torch.operator"(%y, %t) <{name = "onnx.MatMul"}> : (!torch.vtensor<[2,5,3],f16>, !torch.vtensor<[3,3],f16>) -> !torch.vtensor<[2,5,3],f16>
  return %z : !torch.vtensor<[2,5,3],f16>
}

// -----

// onnx-mlir: builtin tensors, no value for an absent operand, defaults left out.
// A bias of one row.
// CHECK-LABEL: func.func @onnx_mlir
// CHECK-SAME: (%[[X:.*]]: tensor<5x3xf32>)
// CHECK-DAG: %[[T:.*]] = quant_llm.transpose
// CHECK-DAG: %[[B:.*]] = quant_llm.parameter ""::"onnx_mlir.0.bias" : tensor<3xf32>
// CHECK: %[[A:.*]] = quant_llm.linear %[[X]], %[[T]] name("onnx_mlir.0")
// CHECK-NEXT: %[[Y:.*]] = quant_llm.linear %[[A]], %[[T]] bias(%[[B]]) name("onnx_mlir.0")
// CHECK-NEXT: return %[[Y]]
func.func @onnx_mlir(%x: tensor<5x3xf32>) -> tensor<5x3xf32> {
  %w = "onnx.Constant"() {value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>} : () -> tensor<3x3xf32>
  %b = "onnx.Constant"() {value = dense<[[1., 2., 3.]]> : tensor<1x3xf32>} : () -> tensor<1x3xf32>
  %none = "onnx.NoValue"() {value} : () -> none
  %p = "onnx.Gemm"(%x, %w, %none) {alpha = 1.0 : f32, beta = 2.0 : f32} : (tensor<5x3xf32>, tensor<3x3xf32>, none) -> tensor<5x3xf32>
  %q = "onnx.MatMul"(%p, %w) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  %y = "onnx.Add"(%q, %b) : (tensor<5x3xf32>, tensor<1x3xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}

// -----

// The angles of a rotary embedding are no layer: constants times positions.
// CHECK-LABEL: func.func @rotary
// CHECK-NOT: quant_llm
func.func @rotary(%positions: !torch.vtensor<[1,1,5],f32>) -> !torch.vtensor<[1,2,5],f32> {
  %f = "torch.operator"() <{name = "onnx.Constant"}> {torch.onnx.value = dense<[[[1.0], [0.5]]]> : tensor<1x2x1xf32>} : () -> !torch.vtensor<[1,2,1],f32>
  %y = "torch.operator"(%f, %positions) <{name = "onnx.MatMul"}> : (!torch.vtensor<[1,2,1],f32>, !torch.vtensor<[1,1,5],f32>) -> !torch.vtensor<[1,2,5],f32>
  return %y : !torch.vtensor<[1,2,5],f32>
}

// -----

// Einsum; one that contracts two dimensions.
// CHECK-LABEL: func.func @einsum
// CHECK: quant_llm.linear %{{.*}}, %{{.*}} name("einsum.0")
// CHECK: %[[H:.*]] = tensor.collapse_shape %{{.*}} {{\[\[}}0], [1, 2]] : tensor<5x3x2xf32> into tensor<5x6xf32>
// CHECK: quant_llm.linear %[[H]], %{{.*}} name("einsum.1") : (tensor<5x6xf32>, tensor<2x6xf32>) -> tensor<5x2xf32>
// CHECK-NOT: onnx.Einsum
func.func @einsum(%x: !torch.vtensor<[2,5,3],f32>, %h: !torch.vtensor<[5,3,2],f32>) -> (!torch.vtensor<[2,5,4],f32>, !torch.vtensor<[5,2],f32>) {
  %w = "torch.operator"() <{name = "onnx.Constant"}> {torch.onnx.value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.], [1., 2., 3.]]> : tensor<4x3xf32>} : () -> !torch.vtensor<[4,3],f32>
  %y = "torch.operator"(%x, %w) <{name = "onnx.Einsum"}> {torch.onnx.equation = "btd,fd->btf"} : (!torch.vtensor<[2,5,3],f32>, !torch.vtensor<[4,3],f32>) -> !torch.vtensor<[2,5,4],f32>
  %v = "torch.operator"() <{name = "onnx.Constant"}> {torch.onnx.value = dense<[[[1., 2.], [3., 4.]], [[1., 2.], [3., 4.]], [[1., 2.], [3., 4.]]]> : tensor<3x2x2xf32>} : () -> !torch.vtensor<[3,2,2],f32>
  %z = "torch.operator"(%h, %v) <{name = "onnx.Einsum"}> {torch.onnx.equation = "thk,hkd->td"} : (!torch.vtensor<[5,3,2],f32>, !torch.vtensor<[3,2,2],f32>) -> !torch.vtensor<[5,2],f32>
  return %y, %z : !torch.vtensor<[2,5,4],f32>, !torch.vtensor<[5,2],f32>
}
