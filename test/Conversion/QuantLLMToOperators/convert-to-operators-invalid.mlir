// RUN: qk-opt %s -split-input-file -verify-diagnostics --quant-llm-convert-to-operators=form=torch --allow-unregistered-dialect
// RUN: not qk-opt %s -split-input-file --quant-llm-convert-to-operators=form=onnx --allow-unregistered-dialect 2>&1 | FileCheck %s
// RUN: not qk-opt %s --quant-llm-convert-to-operators=form=tf --allow-unregistered-dialect 2>&1 | FileCheck %s --check-prefix=FORM
// FORM: error: expected form to be torch or onnx, got 'tf'
// CHECK: error: 'quant_llm.matmul' op of layer 'fc' has a quantised input, which MatMulNBits has no form for; quant-llm-to-linalg has one
// CHECK: error: 'quant_llm.matmul' op of layer 'fc' has codes of e4m3, which MatMulNBits has no form for; quant-llm-to-linalg has one
// CHECK: error: 'quant_llm.matmul' op of layer 'fc' has a zero point of -3; ONNX has 0 to 15
// CHECK: error: 'quant_llm.matmul' op of layer 'fc' has a scale of {{.*}}, which is not exact in 'f16', the type of x
// CHECK: error: 'quant_llm.matmul' op of layer 'fc' is in a function of ONNX opset 17; expected 21 or later: convert the model first

func.func @input(%x: tensor<1x4xi8>, %sx: tensor<1x1xf32>) -> tensor<1x2xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x4xi8> = dense<-3> : tensor<2x4xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x1xf32> = dense<0.5> : tensor<2x1xf32>
  // expected-error @+1 {{of layer 'fc' has a quantised input, which quant.matmul_rhs_group_quant has no form for; quant-llm-to-linalg has one}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%sx) scheme(<s8, group = -1, scale = f32>) x_scheme(<8, per_token>) name("fc") : (tensor<1x4xi8>, tensor<2x4xi8>, tensor<2x1xf32>, tensor<1x1xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

func.func @floats(%x: tensor<1x4xf16>) -> tensor<1x2xf16> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x4xi8> = dense<3> : tensor<2x4xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x1xf16> = dense<0.5> : tensor<2x1xf16>
  // expected-error @+1 {{of layer 'fc' has codes of e4m3, which quant.matmul_rhs_group_quant has no form for; quant-llm-to-linalg has one}}
  %y = quant_llm.matmul %x, %c, %s scheme(<e4m3, group = -1, scale = f16>) name("fc") : (tensor<1x4xf16>, tensor<2x4xi8>, tensor<2x1xf16>) -> tensor<1x2xf16>
  return %y : tensor<1x2xf16>
}

// -----

func.func @permutation(%x: tensor<1x4xf16>) -> tensor<1x2xf16> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x4xi4> = dense<3> : tensor<2x2xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x1xf16> = dense<0.5> : tensor<2x1xf16>
  %p = quant_llm.parameter ""::"fc.permutation" : tensor<4xi32> = dense<[1, 0, 3, 2]> : tensor<4xi32>
  // expected-error @+1 {{of layer 'fc' has a permutation, which}}
  %y = quant_llm.matmul %x, %c, %s permutation(%p) scheme(<u4, group = -1, scale = f16>) name("fc") : (tensor<1x4xf16>, tensor<2x4xi4>, tensor<2x1xf16>, tensor<4xi32>) -> tensor<1x2xf16>
  return %y : tensor<1x2xf16>
}

// -----

func.func @three(%x: tensor<1x8xf16>) -> tensor<1x2xf16> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x8xi3> = dense<3> : tensor<2x3xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x1xf16> = dense<0.5> : tensor<2x1xf16>
  // expected-error @+1 {{of layer 'fc' has codes of 3 bits, which}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u3, group = -1, scale = f16>) name("fc") : (tensor<1x8xf16>, tensor<2x8xi3>, tensor<2x1xf16>) -> tensor<1x2xf16>
  return %y : tensor<1x2xf16>
}

// -----

func.func @tail(%x: tensor<1x6xf16>) -> tensor<1x2xf16> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x6xi4> = dense<3> : tensor<2x3xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x2xf16> = dense<0.5> : tensor<2x2xf16>
  // expected-error @+1 {{of layer 'fc' has groups of 4 that don't divide 6, which}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<1x6xf16>, tensor<2x6xi4>, tensor<2x2xf16>) -> tensor<1x2xf16>
  return %y : tensor<1x2xf16>
}

// -----

func.func @odd(%x: tensor<1x5xf16>) -> tensor<1x2xf16> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x5xi4> = dense<3> : tensor<2x3xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x1xf16> = dense<0.5> : tensor<2x1xf16>
  // expected-error @+1 {{of layer 'fc' has rows of 5 codes of 4 bits, which}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = -1, scale = f16>) name("fc") : (tensor<1x5xf16>, tensor<2x5xi4>, tensor<2x1xf16>) -> tensor<1x2xf16>
  return %y : tensor<1x2xf16>
}

// -----

func.func @type(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x4xi4> = dense<3> : tensor<2x2xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x1xf16> = dense<0.5> : tensor<2x1xf16>
  %z = quant_llm.parameter ""::"fc.zero_points" : tensor<2x1xi8> = dense<-3> : tensor<2x1xi8>
  // expected-error @+1 {{of layer 'fc' computes in 'f32'; torch-mlir lowers quant.matmul_rhs_group_quant in f16 only}}
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<u4, group = -1, scale = f16>) name("fc") : (tensor<1x4xf32>, tensor<2x4xi4>, tensor<2x1xf16>, tensor<2x1xi8>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

func.func @exact(%x: tensor<1x4xf16>) -> tensor<1x2xf16> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x4xi4> = dense<3> : tensor<2x2xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x1xf32> = dense<0.1> : tensor<2x1xf32>
  // expected-error @+1 {{of layer 'fc' has a scale of 1.000000e-01, which is not exact in 'f16', the type of x}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = -1, scale = f32>) name("fc") : (tensor<1x4xf16>, tensor<2x4xi4>, tensor<2x1xf32>) -> tensor<1x2xf16>
  return %y : tensor<1x2xf16>
}

// -----

func.func @opset(%x: tensor<1x4xf32>) -> tensor<1x2xf32> attributes {torch.onnx_meta.opset_version = 17 : si64} {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x4xi4> = dense<3> : tensor<2x2xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x1xf32> = dense<0.5> : tensor<2x1xf32>
  // expected-error @+1 {{of layer 'fc' computes in 'f32'}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = -1, scale = f32>) name("fc") : (tensor<1x4xf32>, tensor<2x4xi4>, tensor<2x1xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}
