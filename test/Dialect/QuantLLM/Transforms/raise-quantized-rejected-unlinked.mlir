// RUN: qk-opt %s -split-input-file -verify-diagnostics --quant-llm-raise-quantized --allow-unregistered-dialect -o /dev/null

func.func @torch(%x: !torch.vtensor<[1,1,8],f16>, %group: !torch.int, %a: !torch.vtensor<[2,8],ui8>, %number: !torch.float, %any: !torch.tensor) -> !torch.vtensor<[1,1,2],f16> {
  %q = "torch.vtensor.literal"() <{value = dense<3> : tensor<2x4xui8>}> : () -> !torch.vtensor<[2,4],ui8>
  %s = "torch.vtensor.literal"() <{value = dense<0.5> : tensor<2x1x1xf16>}> : () -> !torch.vtensor<[2,1,1],f16>
  %z = "torch.vtensor.literal"() <{value = dense<3.0> : tensor<2x1x1xf16>}> : () -> !torch.vtensor<[2,1,1],f16>
  %b = "torch.constant.int"() <{value = 4 : i64}> : () -> !torch.int
  %three = "torch.constant.int"() <{value = 3 : i64}> : () -> !torch.int
  %none = "torch.constant.none"() : () -> !torch.none
  // expected-remark @+1 {{not a quantised weight: it has 2 scales; expected 4}}
  %r = "torch.operator"(%x, %q, %s, %z, %b, %b) <{name = "quant.matmul_rhs_group_quant"}> : (!torch.vtensor<[1,1,8],f16>, !torch.vtensor<[2,4],ui8>, !torch.vtensor<[2,1,1],f16>, !torch.vtensor<[2,1,1],f16>, !torch.int, !torch.int) -> !torch.vtensor<[1,1,2],f16>
  // expected-remark @+1 {{not a quantised weight: its bits are not 2, 4 or 8, or its group size is no constant of at least 1}}
  %r1 = "torch.operator"(%x, %q, %s, %z, %three, %b) <{name = "quant.matmul_rhs_group_quant"}> : (!torch.vtensor<[1,1,8],f16>, !torch.vtensor<[2,4],ui8>, !torch.vtensor<[2,1,1],f16>, !torch.vtensor<[2,1,1],f16>, !torch.int, !torch.int) -> !torch.vtensor<[1,1,2],f16>
  // expected-remark @+1 {{not a quantised weight: its group size is no constant of at least 1, or its codes have other than two dimensions}}
  %r2 = "torch.quantized_decomposed.dequantize_per_channel_group"(%q, %s, %none, %b, %b, %b, %group, %none) : (!torch.vtensor<[2,4],ui8>, !torch.vtensor<[2,1,1],f16>, !torch.none, !torch.int, !torch.int, !torch.int, !torch.int, !torch.none) -> !torch.vtensor<[2,4],f16>
  // expected-remark @+1 {{not a quantised weight: its axis is no constant of its dimensions}}
  %r3 = "torch.quantized_decomposed.dequantize_per_channel"(%q, %s, %none, %b, %b, %b, %b, %none) : (!torch.vtensor<[2,4],ui8>, !torch.vtensor<[2,1,1],f16>, !torch.none, !torch.int, !torch.int, !torch.int, !torch.int, !torch.none) -> !torch.vtensor<[2,4],f16>
  // expected-remark @+1 {{not a quantised weight: expected 6 operands, got 5}}
  %r4 = "torch.operator"(%x, %q, %s, %z, %b) <{name = "quant.matmul_rhs_group_quant"}> : (!torch.vtensor<[1,1,8],f16>, !torch.vtensor<[2,4],ui8>, !torch.vtensor<[2,1,1],f16>, !torch.vtensor<[2,1,1],f16>, !torch.int) -> !torch.vtensor<[1,1,2],f16>
  %q3 = "torch.vtensor.literal"() <{value = dense<3> : tensor<2x2x4xui8>}> : () -> !torch.vtensor<[2,2,4],ui8>
  // expected-remark @+1 {{not a quantised weight: its codes have 3 dimensions; expected 2}}
  %r5 = "torch.operator"(%x, %q3, %s, %z, %b, %b) <{name = "quant.matmul_rhs_group_quant"}> : (!torch.vtensor<[1,1,8],f16>, !torch.vtensor<[2,2,4],ui8>, !torch.vtensor<[2,1,1],f16>, !torch.vtensor<[2,1,1],f16>, !torch.int, !torch.int) -> !torch.vtensor<[1,1,2],f16>
  %q4 = "torch.vtensor.literal"() <{value = dense<3> : tensor<2x8xsi4>}> : () -> !torch.vtensor<[2,8],si4>
  // expected-remark @+1 {{not a quantised weight: its codes are signed; the op extends them without a sign}}
  %r6 = "torch.operator"(%x, %q4, %s, %z, %b, %b) <{name = "quant.matmul_rhs_group_quant"}> : (!torch.vtensor<[1,1,8],f16>, !torch.vtensor<[2,8],si4>, !torch.vtensor<[2,1,1],f16>, !torch.vtensor<[2,1,1],f16>, !torch.int, !torch.int) -> !torch.vtensor<[1,1,2],f16>
  // expected-remark @+1 {{not a quantised weight: its codes are no constant}}
  %r7 = "torch.operator"(%x, %a, %s, %z, %b, %b) <{name = "quant.matmul_rhs_group_quant"}> : (!torch.vtensor<[1,1,8],f16>, !torch.vtensor<[2,8],ui8>, !torch.vtensor<[2,1,1],f16>, !torch.vtensor<[2,1,1],f16>, !torch.int, !torch.int) -> !torch.vtensor<[1,1,2],f16>
  // expected-remark @+1 {{not a quantised weight: expected at least 7 operands, got 6}}
  %r8 = "torch.quantized_decomposed.dequantize_per_channel"(%q, %s, %none, %b, %b, %b) : (!torch.vtensor<[2,4],ui8>, !torch.vtensor<[2,1,1],f16>, !torch.none, !torch.int, !torch.int, !torch.int) -> !torch.vtensor<[2,4],f16>
  // expected-remark @+1 {{not a quantised weight: its scale or zero point is no constant number}}
  %r9 = "torch.quantized_decomposed.dequantize_per_tensor"(%q, %number, %b, %b, %b, %b, %none) : (!torch.vtensor<[2,4],ui8>, !torch.float, !torch.int, !torch.int, !torch.int, !torch.int, !torch.none) -> !torch.vtensor<[2,4],f16>
  %one = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %blocks = "torch.prim.ListConstruct"(%one, %three) : (!torch.int, !torch.int) -> !torch.list<int>
  // expected-remark @+1 {{not a quantised weight: its block_size of 3 does not divide 4}}
  %r10 = "torch.torchao.dequantize_affine"(%q, %blocks, %s, %none, %b) : (!torch.vtensor<[2,4],ui8>, !torch.list<int>, !torch.vtensor<[2,1,1],f16>, !torch.none, !torch.int) -> !torch.vtensor<[2,4],f16>
  %list = "torch.prim.ListConstruct"(%one) : (!torch.int) -> !torch.list<int>
  // expected-remark @+1 {{not a quantised weight: its block_size is no list of constants, one a dimension}}
  %r11 = "torch.torchao.dequantize_affine"(%q, %list, %s, %none, %b) : (!torch.vtensor<[2,4],ui8>, !torch.list<int>, !torch.vtensor<[2,1,1],f16>, !torch.none, !torch.int) -> !torch.vtensor<[2,4],f16>
  %q8 = "torch.vtensor.literal"() <{value = dense<3> : tensor<2x8xui8>}> : () -> !torch.vtensor<[2,8],ui8>
  %eight = "torch.constant.int"() <{value = 8 : i64}> : () -> !torch.int
  // expected-remark @+1 {{not a quantised matmul: the type of its input or result can't be read}}
  %r12 = "torch.operator"(%any, %q8, %s, %z, %eight, %eight) <{name = "quant.matmul_rhs_group_quant"}> : (!torch.tensor, !torch.vtensor<[2,8],ui8>, !torch.vtensor<[2,1,1],f16>, !torch.vtensor<[2,1,1],f16>, !torch.int, !torch.int) -> !torch.vtensor<[1,1,2],f16>
  return %r : !torch.vtensor<[1,1,2],f16>
}

// -----

#id = affine_map<(n, k) -> (n, k)>
#kn = affine_map<(n, k) -> (k, n)>
#ng = affine_map<(n, k) -> (n, k floordiv 4)>
#one = affine_map<(n, k) -> ()>
func.func @iree(%scale: f32, %zero: i32) {
  %c = arith.constant dense<3> : tensor<2x8xi8>
  %s = arith.constant 0.5 : f32
  %few = arith.constant dense<0.5> : tensor<2x1xf32>
  %far = arith.constant 40000 : i32
  %e = tensor.empty() : tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised weight: its scale is no constant}}
  %0 = "iree_linalg_ext.dequantize_affine"(%c, %scale, %e) <{indexing_maps = [#id, #one, #id]}> : (tensor<2x8xi8>, f32, tensor<2x8xf32>) -> tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised weight: its zero point is no constant}}
  %1 = "iree_linalg_ext.dequantize_affine"(%c, %s, %zero, %e) <{indexing_maps = [#id, #one, #one, #id]}> : (tensor<2x8xi8>, f32, i32, tensor<2x8xf32>) -> tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised weight: it has a zero point of 40000; expected at most 32767 in magnitude}}
  %2 = "iree_linalg_ext.dequantize_affine"(%c, %s, %far, %e) <{indexing_maps = [#id, #one, #one, #id]}> : (tensor<2x8xi8>, f32, i32, tensor<2x8xf32>) -> tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised weight: can't read its indexing_maps; expected one an operand}}
  %3 = "iree_linalg_ext.dequantize_affine"(%c, %s, %e) <{indexing_maps = [#id, #one]}> : (tensor<2x8xi8>, f32, tensor<2x8xf32>) -> tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised weight: its codes or its result are not indexed in order}}
  %4 = "iree_linalg_ext.dequantize_affine"(%c, %s, %e) <{indexing_maps = [#kn, #one, #id]}> : (tensor<2x8xi8>, f32, tensor<2x8xf32>) -> tensor<2x8xf32>
  return
}

// -----

#id = affine_map<(n, k) -> (n, k)>
#ng = affine_map<(n, k) -> (n, k floordiv 4)>
func.func @iree_few(%x: tensor<3x8xf32>) -> tensor<3x2xf32> {
  %c = arith.constant dense<3> : tensor<2x8xi8>
  %few = arith.constant dense<0.5> : tensor<2x1xf32>
  %e = tensor.empty() : tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised matmul: its scales or zero points are fewer than its groups}}
  %w = "iree_linalg_ext.dequantize_affine"(%c, %few, %e) <{indexing_maps = [#id, #ng, #id]}> : (tensor<2x8xi8>, tensor<2x1xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %f0 = arith.constant 0.0 : f32
  %ye = tensor.empty() : tensor<3x2xf32>
  %yf = linalg.fill ins(%f0 : f32) outs(%ye : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] ins(%x, %w : tensor<3x8xf32>, tensor<2x8xf32>) outs(%yf : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// -----

func.func @onnx(%x: tensor<3x20xf32>, %g: tensor<20xi32>, %bytes: tensor<2x2x8xui8>, %b: tensor<2xf32>) {
  %q = "onnx.Constant"() {value = dense<3> : tensor<2x2x8xui8>} : () -> tensor<2x2x8xui8>
  %s = "onnx.Constant"() {value = dense<0.5> : tensor<4xf32>} : () -> tensor<4xf32>
  %few = "onnx.Constant"() {value = dense<0.5> : tensor<3xf32>} : () -> tensor<3xf32>
  %z = "onnx.Constant"() {value = dense<1> : tensor<3xui8>} : () -> tensor<3xui8>
  %n = "onnx.NoValue"() : () -> none
  // expected-remark @+1 {{not a quantised weight: it has 3 scales; expected 4}}
  %0 = "onnx.MatMulNBits"(%x, %q, %few) {K = 20 : si64, N = 2 : si64, bits = 4 : si64, block_size = 16 : si64} : (tensor<3x20xf32>, tensor<2x2x8xui8>, tensor<3xf32>) -> tensor<3x2xf32>
  // expected-remark @+1 {{not a quantised weight: it has 32 bytes of codes; expected 16}}
  %1 = "onnx.MatMulNBits"(%x, %q, %s) {K = 20 : si64, N = 1 : si64, bits = 4 : si64, block_size = 16 : si64} : (tensor<3x20xf32>, tensor<2x2x8xui8>, tensor<4xf32>) -> tensor<3x2xf32>
  // expected-remark @+1 {{not a quantised weight: it has 3 bytes of zero points; expected 2}}
  %2 = "onnx.MatMulNBits"(%x, %q, %s, %z) {K = 20 : si64, N = 2 : si64, bits = 4 : si64, block_size = 16 : si64} : (tensor<3x20xf32>, tensor<2x2x8xui8>, tensor<4xf32>, tensor<3xui8>) -> tensor<3x2xf32>
  // expected-remark @+1 {{not a quantised weight: its columns are grouped by a g_idx; expected blocks in order}}
  %3 = "onnx.MatMulNBits"(%x, %q, %s, %n, %g) {K = 20 : si64, N = 2 : si64, bits = 4 : si64, block_size = 16 : si64} : (tensor<3x20xf32>, tensor<2x2x8xui8>, tensor<4xf32>, none, tensor<20xi32>) -> tensor<3x2xf32>
  // expected-remark @+1 {{not a quantised weight: its codes have 5 bits; expected 2, 4 or 8}}
  %4 = "onnx.MatMulNBits"(%x, %q, %s) {K = 20 : si64, N = 2 : si64, bits = 5 : si64, block_size = 16 : si64} : (tensor<3x20xf32>, tensor<2x2x8xui8>, tensor<4xf32>) -> tensor<3x2xf32>
  // expected-remark @+1 {{not a quantised weight: expected three operands and the attributes N, K and block_size}}
  %5 = "onnx.MatMulNBits"(%x, %q, %s) {N = 2 : si64, bits = 4 : si64} : (tensor<3x20xf32>, tensor<2x2x8xui8>, tensor<4xf32>) -> tensor<3x2xf32>
  // expected-remark @+1 {{not a quantised matmul: its input and result are no tensors of one float type that end in 20 and 2}}
  %6 = "onnx.MatMulNBits"(%x, %q, %s) {K = 20 : si64, N = 2 : si64, bits = 4 : si64, block_size = 16 : si64} : (tensor<3x20xf32>, tensor<2x2x8xui8>, tensor<4xf32>) -> tensor<3x4xf32>
  %c = "onnx.Constant"() {value = dense<3> : tensor<8x2xui8>} : () -> tensor<8x2xui8>
  // expected-remark @+1 {{not a quantised weight: it has 3 scales; expected 8}}
  %7 = "onnx.DequantizeLinear"(%c, %few) {axis = 0 : si64} : (tensor<8x2xui8>, tensor<3xf32>) -> tensor<8x2xf32>
  // expected-remark @+1 {{not a quantised weight: its axis is none of its dimensions}}
  %8 = "onnx.DequantizeLinear"(%c, %few) {axis = 5 : si64} : (tensor<8x2xui8>, tensor<3xf32>) -> tensor<8x2xf32>
  %two = "onnx.Constant"() {value = dense<0.5> : tensor<2xf32>} : () -> tensor<2xf32>
  // expected-remark @+1 {{not a quantised weight: it has 3 zero points; expected 2}}
  %9 = "onnx.DequantizeLinear"(%c, %two, %z) {axis = 1 : si64} : (tensor<8x2xui8>, tensor<2xf32>, tensor<3xui8>) -> tensor<8x2xf32>
  // expected-remark @+1 {{not a quantised weight: its result isn't a float tensor of the shape of its codes}}
  %10 = "onnx.DequantizeLinear"(%c, %two) {axis = 1 : si64} : (tensor<8x2xui8>, tensor<2xf32>) -> tensor<2x8xf32>
  %wide = "onnx.Constant"() {value = dense<3> : tensor<8x2xi16>} : () -> tensor<8x2xi16>
  // expected-remark @+1 {{not a quantised weight: its codes have 16 bits; expected at most 8}}
  %11 = "onnx.DequantizeLinear"(%wide, %two) {axis = 1 : si64} : (tensor<8x2xi16>, tensor<2xf32>) -> tensor<8x2xf32>
  // expected-remark @+1 {{not a quantised weight: its codes: it isn't a constant of integers}}
  %12 = "onnx.DequantizeLinear"(%two, %two) {axis = 0 : si64} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  // expected-remark @+1 {{not a quantised weight: its scales are no constant of floats that can be read: it isn't a constant of floats}}
  %13 = "onnx.DequantizeLinear"(%c, %z) {axis = 1 : si64} : (tensor<8x2xui8>, tensor<3xui8>) -> tensor<8x2xf32>
  // expected-remark @+1 {{not a quantised weight: its codes are no constant that can be read}}
  %14 = "onnx.MatMulNBits"(%x, %bytes, %s) {K = 20 : si64, N = 2 : si64, bits = 4 : si64, block_size = 16 : si64} : (tensor<3x20xf32>, tensor<2x2x8xui8>, tensor<4xf32>) -> tensor<3x2xf32>
  // expected-remark @+1 {{not a quantised weight: its zero points are no constant that can be read}}
  %15 = "onnx.MatMulNBits"(%x, %q, %s, %g) {K = 20 : si64, N = 2 : si64, bits = 4 : si64, block_size = 16 : si64} : (tensor<3x20xf32>, tensor<2x2x8xui8>, tensor<4xf32>, tensor<20xi32>) -> tensor<3x2xf32>
  %whole = "onnx.Constant"() {value = dense<3.0> : tensor<2xf32>} : () -> tensor<2xf32>
  // expected-remark @+1 {{not a quantised weight: it has 2 zero points; expected 4}}
  %16 = "onnx.MatMulNBits"(%x, %q, %s, %whole) {K = 20 : si64, N = 2 : si64, bits = 4 : si64, block_size = 16 : si64} : (tensor<3x20xf32>, tensor<2x2x8xui8>, tensor<4xf32>, tensor<2xf32>) -> tensor<3x2xf32>
  // expected-remark @+1 {{not a quantised weight: its bias is no constant}}
  %17 = "onnx.MatMulNBits"(%x, %q, %s, %n, %n, %b) {K = 20 : si64, N = 2 : si64, bits = 4 : si64, block_size = 16 : si64} : (tensor<3x20xf32>, tensor<2x2x8xui8>, tensor<4xf32>, none, none, tensor<2xf32>) -> tensor<3x2xf32>
  return
}
