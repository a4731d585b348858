// RUN: qk-opt %s --quant-llm-to-torch --allow-unregistered-dialect | FileCheck %s
// RUN: qk-opt %s --quant-llm-to-onnx --allow-unregistered-dialect | FileCheck %s --check-prefix=ONNX

// Codes as bytes, lowest bits first; x in three dimensions.
// CHECK-LABEL: func.func @torch
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf16>)
// CHECK: %[[X3:.*]] = tensor.expand_shape %[[X]] {{.*}} into tensor<1x?x8xf16>
// CHECK: %[[C:.*]] = "torch.vtensor.literal"() <{value = dense<{{.*}}> : tensor<2x4xui8>}> : () -> !torch.vtensor<[2,4],ui8>
// CHECK: %[[XT:.*]] = "torch_c.from_builtin_tensor"(%[[X3]]) : (tensor<1x?x8xf16>) -> !torch.vtensor<[1,?,8],f16>
// CHECK: %[[S:.*]] = "torch.vtensor.literal"() <{value = dense<{{.*}}> : tensor<2x2x1xf16>}>
// CHECK: %[[Z:.*]] = "torch.vtensor.literal"() <{value = dense<{{.*}}1.000000e+00{{.*}}> : tensor<2x2x1xf16>}>
// CHECK: %[[BITS:.*]] = "torch.constant.int"() <{value = 4 : i64}> : () -> !torch.int
// CHECK: %[[GROUP:.*]] = "torch.constant.int"() <{value = 4 : i64}> : () -> !torch.int
// CHECK: %[[Y:.*]] = "torch.operator"(%[[XT]], %[[C]], %[[S]], %[[Z]], %[[BITS]], %[[GROUP]]) <{name = "quant.matmul_rhs_group_quant"}>
// CHECK-SAME: -> !torch.vtensor<[1,?,2],f16>
// CHECK: "torch_c.to_builtin_tensor"(%[[Y]])
// CHECK-NOT: quant_llm

// Groups of four are none that MatMulNBits has.
// ONNX-LABEL: func.func @torch
// ONNX-SAME: torch.onnx_meta.opset_version = 21 : si64
// ONNX: "torch.operator"() <{name = "onnx.Constant"}> {torch.onnx.value = dense<{{.*}}> : tensor<2x8xui8>}
// ONNX: %[[D:.*]] = "torch.operator"({{.*}}) <{name = "onnx.DequantizeLinear"}> {torch.onnx.axis = 1 : si64, torch.onnx.block_size = 4 : si64}
// ONNX: %[[T:.*]] = "torch.operator"(%[[D]]) <{name = "onnx.Transpose"}> {torch.onnx.perm = [1 : si64, 0 : si64]}
// ONNX: "torch.operator"(%{{.*}}, %[[T]]) <{name = "onnx.MatMul"}>
func.func @torch(%x: tensor<?x8xf16>) -> tensor<?x2xf16> {
  %c = quant_llm.parameter ""::"a.codes" : tensor<2x8xi4> = dense<0x21> : tensor<2x4xi8>
  %s = quant_llm.parameter ""::"a.scales" : tensor<2x2xf16> = dense<[[0.5, 1.0], [2.0, 0.25]]> : tensor<2x2xf16>
  %z = quant_llm.parameter ""::"a.zero_points" : tensor<2x2xi8> = dense<[[1, 2], [3, 4]]> : tensor<2x2xi8>
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<u4, group = 4, scale = f16>) name("a") : (tensor<?x8xf16>, tensor<2x8xi4>, tensor<2x2xf16>, tensor<2x2xi8>) -> tensor<?x2xf16>
  return %y : tensor<?x2xf16>
}

// Signed codes become unsigned ones with a zero point of 128, which is ONNX's
// default; a bias is added.
// CHECK-LABEL: func.func @bytes
// CHECK: dense<125> : tensor<2x32xui8>
// CHECK: dense<1.280000e+02> : tensor<2x1x1xf16>
// CHECK: arith.addf
// ONNX-LABEL: func.func @bytes
// ONNX: dense<125> : tensor<2x1x32xui8>
// ONNX: dense<5.000000e-01> : tensor<2x1xf16>
// ONNX: "torch.operator"(%{{.*}}, %{{.*}}, %{{.*}}) <{name = "onnx.MatMulNBits"}> {torch.onnx.K = 32 : si64, torch.onnx.N = 2 : si64, torch.onnx.bits = 8 : si64, torch.onnx.block_size = 32 : si64}
// ONNX: arith.addf
func.func @bytes(%x: tensor<1x3x32xf16>) -> tensor<1x3x2xf16> {
  %c = quant_llm.parameter ""::"b.codes" : tensor<2x32xi8> = dense<-3> : tensor<2x32xi8>
  %s = quant_llm.parameter ""::"b.scales" : tensor<2x1xf16> = dense<0.5> : tensor<2x1xf16>
  %b = arith.constant dense<[1.0, 2.0]> : tensor<2xf16>
  %y = quant_llm.matmul %x, %c, %s bias(%b) scheme(<s8, group = 32, scale = f16>) name("b") : (tensor<1x3x32xf16>, tensor<2x32xi8>, tensor<2x1xf16>, tensor<2xf16>) -> tensor<1x3x2xf16>
  return %y : tensor<1x3x2xf16>
}

// Zero points of MatMulNBits are packed as the codes are.
// ONNX-LABEL: func.func @zeros
// ONNX: %[[Z:.*]] = "torch.operator"() <{name = "onnx.Constant"}> {torch.onnx.value = dense<{{\[\[}}33], [67]]> : tensor<2x1xui8>}
// ONNX: "torch.operator"(%{{.*}}, %{{.*}}, %{{.*}}, %[[Z]]) <{name = "onnx.MatMulNBits"}> {torch.onnx.K = 32 : si64, torch.onnx.N = 2 : si64, torch.onnx.bits = 4 : si64, torch.onnx.block_size = 16 : si64}
func.func @zeros(%x: tensor<3x32xf16>) -> tensor<3x2xf16> {
  %c = quant_llm.parameter ""::"c.codes" : tensor<2x32xi4> = dense<0x21> : tensor<2x16xi8>
  %s = quant_llm.parameter ""::"c.scales" : tensor<2x2xf16> = dense<0.5> : tensor<2x2xf16>
  %z = quant_llm.parameter ""::"c.zero_points" : tensor<2x2xi8> = dense<[[1, 2], [3, 4]]> : tensor<2x2xi8>
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<u4, group = 16, scale = f16>) name("c") : (tensor<3x32xf16>, tensor<2x32xi4>, tensor<2x2xf16>, tensor<2x2xi8>) -> tensor<3x2xf16>
  return %y : tensor<3x2xf16>
}
