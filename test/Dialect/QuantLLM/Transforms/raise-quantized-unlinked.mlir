// RUN: qk-opt %s -split-input-file --quant-llm-raise-quantized --allow-unregistered-dialect | FileCheck %s

// Packed bytes, lowest bits first, zero points as floats.
// CHECK-LABEL: func.func @rhs_group
// CHECK: %[[X:.*]] = "torch_c.to_builtin_tensor"(%{{.*}}) : (!torch.vtensor<[1,1,8],f16>) -> tensor<1x1x8xf16>
// CHECK: %[[Y:.*]] = quant_llm.matmul %[[X]], %{{.*}} zero_points(%{{.*}}) scheme(<u4, group = 4, scale = f16>) name("rhs_group.0") : (tensor<1x1x8xf16>, tensor<2x8xi4>, tensor<2x2xf16>, tensor<2x2xi8>) -> tensor<1x1x2xf16>
// CHECK: %[[R:.*]] = "torch_c.from_builtin_tensor"(%[[Y]])
// CHECK: return %[[R]]
// CHECK: rhs_group.0.codes: "0x{{........}}1032547698BADCFE"
func.func @rhs_group(%x: !torch.vtensor<[1,1,8],f16>) -> !torch.vtensor<[1,1,2],f16> {
  %q = "torch.vtensor.literal"() <{value = dense<[[16, 50, 84, 118], [152, 186, 220, 254]]> : tensor<2x4xui8>}> : () -> !torch.vtensor<[2,4],ui8>
  %s = "torch.vtensor.literal"() <{value = dense<0.5> : tensor<2x2x1xf16>}> : () -> !torch.vtensor<[2,2,1],f16>
  %z = "torch.vtensor.literal"() <{value = dense<3.0> : tensor<2x2x1xf16>}> : () -> !torch.vtensor<[2,2,1],f16>
  %b = "torch.constant.int"() <{value = 4 : i64}> : () -> !torch.int
  %g = "torch.constant.int"() <{value = 4 : i64}> : () -> !torch.int
  %y = "torch.operator"(%x, %q, %s, %z, %b, %g) <{name = "quant.matmul_rhs_group_quant"}> : (!torch.vtensor<[1,1,8],f16>, !torch.vtensor<[2,4],ui8>, !torch.vtensor<[2,2,1],f16>, !torch.vtensor<[2,2,1],f16>, !torch.int, !torch.int) -> !torch.vtensor<[1,1,2],f16>
  return %y : !torch.vtensor<[1,1,2],f16>
}

// -----

// PT2E and torchao dequantise, then there is any product.
// CHECK-LABEL: func.func @decomposed
// CHECK: quant_llm.matmul %{{.*}} zero_points(%{{.*}}) scheme(<u4, group = 4, scale = f32>) name("decomposed.{{.}}") : (tensor<?x8xf32>, tensor<2x8xi4>
// CHECK: quant_llm.matmul %{{[^)]*}} scheme(<s8, group = -1, scale = f32>) name("decomposed.{{.}}") : (tensor<?x2xf32>, tensor<2x2xi8>
// CHECK: quant_llm.matmul %{{.*}} zero_points(%{{.*}}) scheme(<s8, group = -1, scale = f32>) name("decomposed.{{.}}") : (tensor<?x2xf32>, tensor<2x2xi8>
// CHECK-NOT: dequantize
// CHECK: return
func.func @decomposed(%x: !torch.vtensor<[?,8],f32>) -> !torch.vtensor<[?,2],f32> {
  %min = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
  %max = "torch.constant.int"() <{value = 15 : i64}> : () -> !torch.int
  %low = "torch.constant.int"() <{value = -128 : i64}> : () -> !torch.int
  %high = "torch.constant.int"() <{value = 127 : i64}> : () -> !torch.int
  %one = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %four = "torch.constant.int"() <{value = 4 : i64}> : () -> !torch.int
  %two = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %scale = "torch.constant.float"() <{value = 2.5e-01 : f64}> : () -> !torch.float
  %six = "torch.constant.int"() <{value = 6 : i64}> : () -> !torch.int
  %none = "torch.constant.none"() : () -> !torch.none
  %q = "torch.vtensor.literal"() <{value = dense<[[0, 1, 2, 3, 4, 5, 6, 7], [8, 9, 10, 11, 12, 13, 14, 15]]> : tensor<2x8xui8>}> : () -> !torch.vtensor<[2,8],ui8>
  %s = "torch.vtensor.literal"() <{value = dense<0.5> : tensor<2x2xf32>}> : () -> !torch.vtensor<[2,2],f32>
  %z = "torch.vtensor.literal"() <{value = dense<[[3, 4], [5, 6]]> : tensor<2x2xsi64>}> : () -> !torch.vtensor<[2,2],si64>
  %w = "torch.quantized_decomposed.dequantize_per_channel_group"(%q, %s, %z, %min, %max, %min, %four, %six) : (!torch.vtensor<[2,8],ui8>, !torch.vtensor<[2,2],f32>, !torch.vtensor<[2,2],si64>, !torch.int, !torch.int, !torch.int, !torch.int, !torch.int) -> !torch.vtensor<[2,8],f32>
  %y = "torch.aten.linear"(%x, %w, %none) : (!torch.vtensor<[?,8],f32>, !torch.vtensor<[2,8],f32>, !torch.none) -> !torch.vtensor<[?,2],f32>
  // One scale a channel, [K,N].
  %q1 = "torch.vtensor.literal"() <{value = dense<[[-128, 1], [2, 127]]> : tensor<2x2xsi8>}> : () -> !torch.vtensor<[2,2],si8>
  %s1 = "torch.vtensor.literal"() <{value = dense<[0.5, 0.25]> : tensor<2xf32>}> : () -> !torch.vtensor<[2],f32>
  %w1 = "torch.quantized_decomposed.dequantize_per_channel"(%q1, %s1, %none, %one, %low, %high, %one, %none) : (!torch.vtensor<[2,2],si8>, !torch.vtensor<[2],f32>, !torch.none, !torch.int, !torch.int, !torch.int, !torch.int, !torch.none) -> !torch.vtensor<[2,2],f32>
  %y1 = "torch.aten.mm"(%y, %w1) : (!torch.vtensor<[?,2],f32>, !torch.vtensor<[2,2],f32>) -> !torch.vtensor<[?,2],f32>
  // One for all.
  %w2 = "torch.quantized_decomposed.dequantize_per_tensor"(%q1, %scale, %four, %low, %high, %one, %none) : (!torch.vtensor<[2,2],si8>, !torch.float, !torch.int, !torch.int, !torch.int, !torch.int, !torch.none) -> !torch.vtensor<[2,2],f32>
  %y2 = "torch.aten.mm"(%y1, %w2) : (!torch.vtensor<[?,2],f32>, !torch.vtensor<[2,2],f32>) -> !torch.vtensor<[?,2],f32>
  return %y2 : !torch.vtensor<[?,2],f32>
}

// -----

// torchao's blocks of each dimension.
// CHECK-LABEL: func.func @torchao
// CHECK: quant_llm.matmul %{{.*}} zero_points(%{{.*}}) scheme(<u4, group = 4, scale = f32>) name("torchao.0") : (tensor<?x8xf32>, tensor<2x8xi4>
func.func @torchao(%x: !torch.vtensor<[?,8],f32>) -> !torch.vtensor<[?,2],f32> {
  %min = "torch.constant.int"() <{value = -8 : i64}> : () -> !torch.int
  %max = "torch.constant.int"() <{value = 7 : i64}> : () -> !torch.int
  %one = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %four = "torch.constant.int"() <{value = 4 : i64}> : () -> !torch.int
  %none = "torch.constant.none"() : () -> !torch.none
  %blocks = "torch.prim.ListConstruct"(%one, %four) : (!torch.int, !torch.int) -> !torch.list<int>
  %q = "torch.vtensor.literal"() <{value = dense<[[-8, 1, 2, 3, 4, 5, 6, 7], [-7, -6, -5, -4, -3, -2, -1, 0]]> : tensor<2x8xsi8>}> : () -> !torch.vtensor<[2,8],si8>
  %s = "torch.vtensor.literal"() <{value = dense<0.5> : tensor<2x2xf32>}> : () -> !torch.vtensor<[2,2],f32>
  %z = "torch.vtensor.literal"() <{value = dense<[[3, 4], [5, 6]]> : tensor<2x2xsi8>}> : () -> !torch.vtensor<[2,2],si8>
  %w = "torch.operator"(%q, %blocks, %s, %z, %one, %min, %max, %none) <{name = "torch.torchao.dequantize_affine"}> : (!torch.vtensor<[2,8],si8>, !torch.list<int>, !torch.vtensor<[2,2],f32>, !torch.vtensor<[2,2],si8>, !torch.int, !torch.int, !torch.int, !torch.none) -> !torch.vtensor<[2,8],f32>
  %y = "torch.aten.linear"(%x, %w, %none) : (!torch.vtensor<[?,8],f32>, !torch.vtensor<[2,8],f32>, !torch.none) -> !torch.vtensor<[?,2],f32>
  return %y : !torch.vtensor<[?,2],f32>
}

// -----

// ONNX as torch-mlir's importer writes it: K that blocks don't divide, zero
// points in nibbles; the default zero point is none.
// CHECK-LABEL: func.func @nbits
// CHECK: quant_llm.matmul %{{[^)]*}} scheme(<u4, group = 16, scale = f32>) name("nbits.0") : (tensor<?x20xf32>, tensor<2x20xi4>, tensor<2x2xf32>) -> tensor<?x2xf32>
// CHECK: quant_llm.matmul %{{.*}} zero_points(%{{.*}}) scheme(<u4, group = 16, scale = f32>) name("nbits.1")
// CHECK: nbits.1.zero_points: "0x{{........}}01020304"
func.func @nbits(%x: !torch.vtensor<[?,20],f32>) -> (!torch.vtensor<[?,2],f32>, !torch.vtensor<[?,2],f32>) {
  %b = "torch.operator"() <{name = "onnx.Constant"}> {torch.onnx.value = dense<171> : tensor<2x2x8xui8>} : () -> !torch.vtensor<[2,2,8],ui8>
  %s = "torch.operator"() <{name = "onnx.Constant"}> {torch.onnx.value = dense<0.5> : tensor<4xf32>} : () -> !torch.vtensor<[4],f32>
  %z = "torch.operator"() <{name = "onnx.Constant"}> {torch.onnx.value = dense<[33, 67]> : tensor<2xui8>} : () -> !torch.vtensor<[2],ui8>
  %y = "torch.operator"(%x, %b, %s) <{name = "onnx.MatMulNBits"}> {torch.onnx.K = 20 : si64, torch.onnx.N = 2 : si64, torch.onnx.bits = 4 : si64, torch.onnx.block_size = 16 : si64} : (!torch.vtensor<[?,20],f32>, !torch.vtensor<[2,2,8],ui8>, !torch.vtensor<[4],f32>) -> !torch.vtensor<[?,2],f32>
  %y1 = "torch.operator"(%x, %b, %s, %z) <{name = "onnx.MatMulNBits"}> {torch.onnx.K = 20 : si64, torch.onnx.N = 2 : si64, torch.onnx.block_size = 16 : si64} : (!torch.vtensor<[?,20],f32>, !torch.vtensor<[2,2,8],ui8>, !torch.vtensor<[4],f32>, !torch.vtensor<[2],ui8>) -> !torch.vtensor<[?,2],f32>
  return %y, %y1 : !torch.vtensor<[?,2],f32>, !torch.vtensor<[?,2],f32>
}

// -----

// Blocks along K of [K,N], as onnx-mlir has the ops.
// CHECK-LABEL: func.func @blocks
// CHECK: quant_llm.matmul %{{.*}} zero_points(%{{.*}}) scheme(<u4, group = 4, scale = f32>) name("blocks.0") : (tensor<3x8xf32>, tensor<2x8xi4>, tensor<2x2xf32>, tensor<2x2xi8>) -> tensor<3x2xf32>
func.func @blocks(%x: tensor<3x8xf32>) -> tensor<3x2xf32> {
  %q = "onnx.Constant"() {value = dense<[[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11], [12, 13], [14, 15]]> : tensor<8x2xui8>} : () -> tensor<8x2xui8>
  %s = "onnx.Constant"() {value = dense<[[0.5, 1.0], [2.0, 0.25]]> : tensor<2x2xf32>} : () -> tensor<2x2xf32>
  %z = "onnx.Constant"() {value = dense<[[1, 2], [3, 4]]> : tensor<2x2xui8>} : () -> tensor<2x2xui8>
  %w = "onnx.DequantizeLinear"(%q, %s, %z) {axis = 0 : si64, block_size = 4 : si64} : (tensor<8x2xui8>, tensor<2x2xf32>, tensor<2x2xui8>) -> tensor<8x2xf32>
  %y = "onnx.MatMul"(%x, %w) : (tensor<3x8xf32>, tensor<8x2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// -----

// onnx-mlir's int8 is an i8 without a sign; one scale for all.
// CHECK-LABEL: func.func @int8
// CHECK: quant_llm.matmul %{{.*}} zero_points(%{{.*}}) scheme(<s8, group = -1, scale = f32>) name("int8.0")
// CHECK: int8.0.codes: "0x{{........}}80FE7FFC"
// CHECK: int8.0.zero_points: "0x{{........}}FDFD"
func.func @int8(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %q = "onnx.Constant"() {value = dense<[[-128, 127], [-2, -4]]> : tensor<2x2xi8>} : () -> tensor<2x2xi8>
  %s = "onnx.Constant"() {value = dense<0.5> : tensor<f32>} : () -> tensor<f32>
  %z = "onnx.Constant"() {value = dense<-3> : tensor<i8>} : () -> tensor<i8>
  %w = "onnx.DequantizeLinear"(%q, %s, %z) : (tensor<2x2xi8>, tensor<f32>, tensor<i8>) -> tensor<2x2xf32>
  %y = "onnx.MatMul"(%x, %w) : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}
