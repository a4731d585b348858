// RUN: qk-opt %s --quant-llm-to-reference | %run-linalg | FileCheck %s
// Numbers of quant_llm.round_to_nearest and quant_llm.quantize. Expected values
// are numpy's, in f32 with np.round (half to even), by the formulas of the ops'
// descriptions. Printed are codes, scales and, where there are any, zero points.

func.func private @printMemrefF32(tensor<*xf32>) attributes {llvm.emit_c_interface}

// Asymmetric, with groups of zeros (scale 1, default zero point), one-sided groups and a tail whose f16 scale would be 0.
func.func @u4(%w: tensor<3x10xf32>) -> (tensor<3x10xi4>, tensor<3x3xf16>, tensor<3x3xi8>) {
  %r:3 = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) : tensor<3x10xf32> -> tensor<3x10xi4>, tensor<3x3xf16>, tensor<3x3xi8>
  return %r#0, %r#1, %r#2 : tensor<3x10xi4>, tensor<3x3xf16>, tensor<3x3xi8>
}

// Symmetric: no zero points.
func.func @u4_symmetric(%w: tensor<3x10xf32>) -> (tensor<3x10xi4>, tensor<3x3xf16>) {
  %r:2 = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) symmetric : tensor<3x10xf32> -> tensor<3x10xi4>, tensor<3x3xf16>
  return %r#0, %r#1 : tensor<3x10xi4>, tensor<3x3xf16>
}

func.func @u2_bf16(%w: tensor<3x10xf32>) -> (tensor<3x10xi2>, tensor<3x1xbf16>, tensor<3x1xi8>) {
  %r:3 = quant_llm.round_to_nearest %w scheme(<u2, group = -1, scale = bf16>) : tensor<3x10xf32> -> tensor<3x10xi2>, tensor<3x1xbf16>, tensor<3x1xi8>
  return %r#0, %r#1, %r#2 : tensor<3x10xi2>, tensor<3x1xbf16>, tensor<3x1xi8>
}

func.func @u3(%w: tensor<3x10xf32>) -> (tensor<3x10xi3>, tensor<3x2xf32>, tensor<3x2xi8>) {
  %r:3 = quant_llm.round_to_nearest %w scheme(<u3, group = 5, scale = f32>) : tensor<3x10xf32> -> tensor<3x10xi3>, tensor<3x2xf32>, tensor<3x2xi8>
  return %r#0, %r#1, %r#2 : tensor<3x10xi3>, tensor<3x2xf32>, tensor<3x2xi8>
}

// Zero points in i16.
func.func @u8(%w: tensor<3x10xf32>) -> (tensor<3x10xi8>, tensor<3x3xf16>, tensor<3x3xi16>) {
  %r:3 = quant_llm.round_to_nearest %w scheme(<u8, group = 4, scale = f16>) : tensor<3x10xf32> -> tensor<3x10xi8>, tensor<3x3xf16>, tensor<3x3xi16>
  return %r#0, %r#1, %r#2 : tensor<3x10xi8>, tensor<3x3xf16>, tensor<3x3xi16>
}

// Signed codes: zero points in -128 .. 127.
func.func @s8(%w: tensor<3x10xf32>) -> (tensor<3x10xi8>, tensor<3x3xf32>, tensor<3x3xi8>) {
  %r:3 = quant_llm.round_to_nearest %w scheme(<s8, group = 4, scale = f32>) : tensor<3x10xf32> -> tensor<3x10xi8>, tensor<3x3xf32>, tensor<3x3xi8>
  return %r#0, %r#1, %r#2 : tensor<3x10xi8>, tensor<3x3xf32>, tensor<3x3xi8>
}

func.func @s8_symmetric(%w: tensor<3x10xf32>) -> (tensor<3x10xi8>, tensor<3x1xf16>) {
  %r:2 = quant_llm.round_to_nearest %w scheme(<s8, group = 128, scale = f16>) symmetric : tensor<3x10xf32> -> tensor<3x10xi8>, tensor<3x1xf16>
  return %r#0, %r#1 : tensor<3x10xi8>, tensor<3x1xf16>
}

// A scale beyond f16 is its largest finite value.
func.func @large(%w: tensor<1x4xf32>) -> (tensor<1x4xi2>, tensor<1x1xf16>, tensor<1x1xi8>) {
  %r:3 = quant_llm.round_to_nearest %w scheme(<u2, group = -1, scale = f16>) : tensor<1x4xf32> -> tensor<1x4xi2>, tensor<1x1xf16>, tensor<1x1xi8>
  return %r#0, %r#1, %r#2 : tensor<1x4xi2>, tensor<1x1xf16>, tensor<1x1xi8>
}

// Per token; a token of zeros has scale 1.
func.func @token8(%x: tensor<3x7xf32>) -> (tensor<3x7xi8>, tensor<3x1xf32>) {
  %r:2 = quant_llm.quantize %x scheme(<8, per_token>) : tensor<3x7xf32> -> tensor<3x7xi8>, tensor<3x1xf32>
  return %r#0, %r#1 : tensor<3x7xi8>, tensor<3x1xf32>
}

func.func @token16(%x: tensor<3x7xf32>) -> (tensor<3x7xi16>, tensor<3x1xf32>) {
  %r:2 = quant_llm.quantize %x scheme(<16, per_token>) : tensor<3x7xf32> -> tensor<3x7xi16>, tensor<3x1xf32>
  return %r#0, %r#1 : tensor<3x7xi16>, tensor<3x1xf32>
}

// Per token and group of 3, the last of 1.
func.func @group16(%x: tensor<3x7xf32>) -> (tensor<3x7xi16>, tensor<3x3xf32>) {
  %r:2 = quant_llm.quantize %x scheme(<16, per_token_group, group = 3>) : tensor<3x7xf32> -> tensor<3x7xi16>, tensor<3x3xf32>
  return %r#0, %r#1 : tensor<3x7xi16>, tensor<3x3xf32>
}

// Per tensor, three dimensions.
func.func @tensor8(%x: tensor<1x3x7xf32>) -> (tensor<1x3x7xi8>, tensor<1x1x1xf32>) {
  %r:2 = quant_llm.quantize %x scheme(<8, per_tensor>) : tensor<1x3x7xf32> -> tensor<1x3x7xi8>, tensor<1x1x1xf32>
  return %r#0, %r#1 : tensor<1x3x7xi8>, tensor<1x1x1xf32>
}

// Per tensor, one dimension.
func.func @tensor16(%x: tensor<7xf32>) -> (tensor<7xi16>, tensor<1xf32>) {
  %r:2 = quant_llm.quantize %x scheme(<16, per_tensor>) : tensor<7xf32> -> tensor<7xi16>, tensor<1xf32>
  return %r#0, %r#1 : tensor<7xi16>, tensor<1xf32>
}

// A given scale; what is beyond it saturates.
func.func @static8(%x: tensor<3x7xf32>, %s: tensor<1x1xf32>) -> (tensor<3x7xi8>, tensor<1x1xf32>) {
  %r:2 = quant_llm.quantize %x static_scale(%s : tensor<1x1xf32>) scheme(<8, per_tensor>) : tensor<3x7xf32> -> tensor<3x7xi8>, tensor<1x1xf32>
  return %r#0, %r#1 : tensor<3x7xi8>, tensor<1x1xf32>
}

// Half to even: 0.5, 1.5 and 2.5 steps are 0, 2 and 2.
func.func @half(%x: tensor<7xf32>, %s: tensor<1xf32>) -> (tensor<7xi16>, tensor<1xf32>) {
  %r:2 = quant_llm.quantize %x static_scale(%s : tensor<1xf32>) scheme(<16, per_tensor>) : tensor<7xf32> -> tensor<7xi16>, tensor<1xf32>
  return %r#0, %r#1 : tensor<7xi16>, tensor<1xf32>
}

// Divided by factors first: codes 127, 64 and -32 in the second token.
func.func @divided8(%x: tensor<2x3xf32>, %f: tensor<3xf32>) -> (tensor<2x3xi8>, tensor<2x1xf32>) {
  %r:2 = quant_llm.quantize %x divided_by(%f : tensor<3xf32>) scheme(<8, per_token>) : tensor<2x3xf32> -> tensor<2x3xi8>, tensor<2x1xf32>
  return %r#0, %r#1 : tensor<2x3xi8>, tensor<2x1xf32>
}

func.func @main() {
  // divided8
  // CHECK: [127, 127, 127]
  // CHECK: [127, 64, -32]
  // CHECK: [1]
  // CHECK: [0.5]
  %divided8_x = arith.constant dense<[[127.0, 254.0, 508.0], [63.5, 64.0, -64.0]]> : tensor<2x3xf32>
  %divided8_f = arith.constant dense<[1.0, 2.0, 4.0]> : tensor<3xf32>
  %divided8:2 = call @divided8(%divided8_x, %divided8_f) : (tensor<2x3xf32>, tensor<3xf32>) -> (tensor<2x3xi8>, tensor<2x1xf32>)
  %d1f = arith.sitofp %divided8#0 : tensor<2x3xi8> to tensor<2x3xf32>
  %d1 = tensor.cast %d1f : tensor<2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%d1) : (tensor<*xf32>) -> ()
  %d2 = tensor.cast %divided8#1 : tensor<2x1xf32> to tensor<*xf32>
  call @printMemrefF32(%d2) : (tensor<*xf32>) -> ()

  // u4
  // CHECK: [0, 8, 15, 6, 8, 8, 8, 8, 6, 15]
  // CHECK: [0, 7, 13, 11, 15, 5, 3, 1, 0, 0]
  // CHECK: [6, 0, 15, 9, 5, 15, 11, 0, 10, 15]
  // CHECK: [0.0999756, 1, 0.0466614]
  // CHECK: [0.133301, 0.199951, 5.96046e-08]
  // CHECK: [0.0966797, 0.104675, 0.0499878]
  // CHECK: [5, 8, 0]
  // CHECK: [15, 0, 0]
  // CHECK: [5, 9, 0]
  %u4_w = arith.constant dense<[[-0.5, 0.25, 1.0, 0.125, 0.0, 0.0, 0.0, 0.0, 0.300000012, 0.699999988], [-2.0, -1.0, -0.25, -0.5, 3.0, 1.0, 0.5, 0.100000001, 1.0e-30, -1.0e-30], [0.109999999, -0.519999981, 0.930000007, 0.370000005, -0.439999998, 0.660000026, 0.180000007, -0.910000026, 0.5, 0.75]]> : tensor<3x10xf32>
  %u4:3 = call @u4(%u4_w) : (tensor<3x10xf32>) -> (tensor<3x10xi4>, tensor<3x3xf16>, tensor<3x3xi8>)
  %u4_one = arith.constant dense<1.0> : tensor<3x1xf32>
  %u4_zero = arith.constant dense<0> : tensor<3x1xi8>
  %u4_c = quant_llm.dequantize %u4#0, %u4_one zero_points(%u4_zero : tensor<3x1xi8>) scheme(<u4, group = -1, scale = f32>) : tensor<3x10xi4>, tensor<3x1xf32> -> tensor<3x10xf32>
  %p1 = tensor.cast %u4_c : tensor<3x10xf32> to tensor<*xf32>
  call @printMemrefF32(%p1) : (tensor<*xf32>) -> ()
  %p2f = arith.extf %u4#1 : tensor<3x3xf16> to tensor<3x3xf32>
  %p2 = tensor.cast %p2f : tensor<3x3xf32> to tensor<*xf32>
  call @printMemrefF32(%p2) : (tensor<*xf32>) -> ()
  %p3f = arith.sitofp %u4#2 : tensor<3x3xi8> to tensor<3x3xf32>
  %p3 = tensor.cast %p3f : tensor<3x3xf32> to tensor<*xf32>
  call @printMemrefF32(%p3) : (tensor<*xf32>) -> ()

  // u4_symmetric
  // CHECK: [4, 10, 15, 9, 8, 8, 8, 8, 11, 15]
  // CHECK: [0, 4, 7, 6, 15, 11, 9, 8, 8, 8]
  // CHECK: [9, 4, 15, 11, 4, 13, 9, 1, 13, 15]
  // CHECK: [0.133301, 1, 0.0933228]
  // CHECK: [0.266602, 0.399902, 5.96046e-08]
  // CHECK: [0.124023, 0.121338, 0.0999756]
  %u4_symmetric_w = arith.constant dense<[[-0.5, 0.25, 1.0, 0.125, 0.0, 0.0, 0.0, 0.0, 0.300000012, 0.699999988], [-2.0, -1.0, -0.25, -0.5, 3.0, 1.0, 0.5, 0.100000001, 1.0e-30, -1.0e-30], [0.109999999, -0.519999981, 0.930000007, 0.370000005, -0.439999998, 0.660000026, 0.180000007, -0.910000026, 0.5, 0.75]]> : tensor<3x10xf32>
  %u4_symmetric:2 = call @u4_symmetric(%u4_symmetric_w) : (tensor<3x10xf32>) -> (tensor<3x10xi4>, tensor<3x3xf16>)
  %u4_symmetric_one = arith.constant dense<1.0> : tensor<3x1xf32>
  %u4_symmetric_zero = arith.constant dense<0> : tensor<3x1xi8>
  %u4_symmetric_c = quant_llm.dequantize %u4_symmetric#0, %u4_symmetric_one zero_points(%u4_symmetric_zero : tensor<3x1xi8>) scheme(<u4, group = -1, scale = f32>) : tensor<3x10xi4>, tensor<3x1xf32> -> tensor<3x10xf32>
  %p4 = tensor.cast %u4_symmetric_c : tensor<3x10xf32> to tensor<*xf32>
  call @printMemrefF32(%p4) : (tensor<*xf32>) -> ()
  %p5f = arith.extf %u4_symmetric#1 : tensor<3x3xf16> to tensor<3x3xf32>
  %p5 = tensor.cast %p5f : tensor<3x3xf32> to tensor<*xf32>
  call @printMemrefF32(%p5) : (tensor<*xf32>) -> ()

  // u2_bf16
  // CHECK: [0, 1, 3, 1, 1, 1, 1, 1, 2, 2]
  // CHECK: [0, 0, 1, 1, 3, 2, 1, 1, 1, 1]
  // CHECK: [1, 0, 3, 2, 0, 2, 1, 0, 2, 2]
  // CHECK: [0.5]
  // CHECK: [1.66406]
  // CHECK: [0.613281]
  // CHECK: [1]
  // CHECK: [1]
  // CHECK: [1]
  %u2_bf16_w = arith.constant dense<[[-0.5, 0.25, 1.0, 0.125, 0.0, 0.0, 0.0, 0.0, 0.300000012, 0.699999988], [-2.0, -1.0, -0.25, -0.5, 3.0, 1.0, 0.5, 0.100000001, 1.0e-30, -1.0e-30], [0.109999999, -0.519999981, 0.930000007, 0.370000005, -0.439999998, 0.660000026, 0.180000007, -0.910000026, 0.5, 0.75]]> : tensor<3x10xf32>
  %u2_bf16:3 = call @u2_bf16(%u2_bf16_w) : (tensor<3x10xf32>) -> (tensor<3x10xi2>, tensor<3x1xbf16>, tensor<3x1xi8>)
  %u2_bf16_one = arith.constant dense<1.0> : tensor<3x1xf32>
  %u2_bf16_zero = arith.constant dense<0> : tensor<3x1xi8>
  %u2_bf16_c = quant_llm.dequantize %u2_bf16#0, %u2_bf16_one zero_points(%u2_bf16_zero : tensor<3x1xi8>) scheme(<u2, group = -1, scale = f32>) : tensor<3x10xi2>, tensor<3x1xf32> -> tensor<3x10xf32>
  %p6 = tensor.cast %u2_bf16_c : tensor<3x10xf32> to tensor<*xf32>
  call @printMemrefF32(%p6) : (tensor<*xf32>) -> ()
  %p7f = arith.extf %u2_bf16#1 : tensor<3x1xbf16> to tensor<3x1xf32>
  %p7 = tensor.cast %p7f : tensor<3x1xf32> to tensor<*xf32>
  call @printMemrefF32(%p7) : (tensor<*xf32>) -> ()
  %p8f = arith.sitofp %u2_bf16#2 : tensor<3x1xi8> to tensor<3x1xf32>
  %p8 = tensor.cast %p8f : tensor<3x1xf32> to tensor<*xf32>
  call @printMemrefF32(%p8) : (tensor<*xf32>) -> ()

  // u3
  // CHECK: [0, 3, 7, 3, 2, 0, 0, 0, 3, 7]
  // CHECK: [0, 2, 3, 2, 7, 7, 3, 1, 0, 0]
  // CHECK: [4, 0, 7, 5, 1, 7, 5, 0, 6, 7]
  // CHECK: [0.214286, 0.1]
  // CHECK: [0.714286, 0.142857]
  // CHECK: [0.207143, 0.237143]
  // CHECK: [2, 0]
  // CHECK: [3, 0]
  // CHECK: [3, 4]
  %u3_w = arith.constant dense<[[-0.5, 0.25, 1.0, 0.125, 0.0, 0.0, 0.0, 0.0, 0.300000012, 0.699999988], [-2.0, -1.0, -0.25, -0.5, 3.0, 1.0, 0.5, 0.100000001, 1.0e-30, -1.0e-30], [0.109999999, -0.519999981, 0.930000007, 0.370000005, -0.439999998, 0.660000026, 0.180000007, -0.910000026, 0.5, 0.75]]> : tensor<3x10xf32>
  %u3:3 = call @u3(%u3_w) : (tensor<3x10xf32>) -> (tensor<3x10xi3>, tensor<3x2xf32>, tensor<3x2xi8>)
  %u3_one = arith.constant dense<1.0> : tensor<3x1xf32>
  %u3_zero = arith.constant dense<0> : tensor<3x1xi8>
  %u3_c = quant_llm.dequantize %u3#0, %u3_one zero_points(%u3_zero : tensor<3x1xi8>) scheme(<u3, group = -1, scale = f32>) : tensor<3x10xi3>, tensor<3x1xf32> -> tensor<3x10xf32>
  %p9 = tensor.cast %u3_c : tensor<3x10xf32> to tensor<*xf32>
  call @printMemrefF32(%p9) : (tensor<*xf32>) -> ()
  %p10 = tensor.cast %u3#1 : tensor<3x2xf32> to tensor<*xf32>
  call @printMemrefF32(%p10) : (tensor<*xf32>) -> ()
  %p11f = arith.sitofp %u3#2 : tensor<3x2xi8> to tensor<3x2xf32>
  %p11 = tensor.cast %p11f : tensor<3x2xf32> to tensor<*xf32>
  call @printMemrefF32(%p11) : (tensor<*xf32>) -> ()

  // u8
  // CHECK: [0, 128, 255, 106, 128, 128, 128, 128, 109, 255]
  // CHECK: [0, 127, 223, 191, 255, 85, 43, 9, 0, 0]
  // CHECK: [110, 0, 255, 156, 77, 255, 177, 0, 170, 255]
  // CHECK: [0.00588226, 1, 0.00274467]
  // CHECK: [0.00784302, 0.0117645, 5.96046e-08]
  // CHECK: [0.00568771, 0.00615692, 0.00294113]
  // CHECK: [85, 128, 0]
  // CHECK: [255, 0, 0]
  // CHECK: [91, 148, 0]
  %u8_w = arith.constant dense<[[-0.5, 0.25, 1.0, 0.125, 0.0, 0.0, 0.0, 0.0, 0.300000012, 0.699999988], [-2.0, -1.0, -0.25, -0.5, 3.0, 1.0, 0.5, 0.100000001, 1.0e-30, -1.0e-30], [0.109999999, -0.519999981, 0.930000007, 0.370000005, -0.439999998, 0.660000026, 0.180000007, -0.910000026, 0.5, 0.75]]> : tensor<3x10xf32>
  %u8:3 = call @u8(%u8_w) : (tensor<3x10xf32>) -> (tensor<3x10xi8>, tensor<3x3xf16>, tensor<3x3xi16>)
  %u8_one = arith.constant dense<1.0> : tensor<3x1xf32>
  %u8_zero = arith.constant dense<0> : tensor<3x1xi16>
  %u8_c = quant_llm.dequantize %u8#0, %u8_one zero_points(%u8_zero : tensor<3x1xi16>) scheme(<u8, group = -1, scale = f32>) : tensor<3x10xi8>, tensor<3x1xf32> -> tensor<3x10xf32>
  %p12 = tensor.cast %u8_c : tensor<3x10xf32> to tensor<*xf32>
  call @printMemrefF32(%p12) : (tensor<*xf32>) -> ()
  %p13f = arith.extf %u8#1 : tensor<3x3xf16> to tensor<3x3xf32>
  %p13 = tensor.cast %p13f : tensor<3x3xf32> to tensor<*xf32>
  call @printMemrefF32(%p13) : (tensor<*xf32>) -> ()
  %p14f = arith.sitofp %u8#2 : tensor<3x3xi16> to tensor<3x3xf32>
  %p14 = tensor.cast %p14f : tensor<3x3xf32> to tensor<*xf32>
  call @printMemrefF32(%p14) : (tensor<*xf32>) -> ()

  // s8
  // CHECK: [-128, -1, 127, -22, 0, 0, 0, 0, -19, 127]
  // CHECK: [-128, 0, 95, 63, 127, -43, -86, -120, 127, -128]
  // CHECK: [-18, -128, 127, 28, -51, 127, 49, -128, 42, 127]
  // CHECK: [0.00588235, 1, 0.0027451]
  // CHECK: [0.00784314, 0.0117647, 7.84314e-33]
  // CHECK: [0.00568627, 0.00615686, 0.00294118]
  // CHECK: [-43, 0, -128]
  // CHECK: [127, -128, 0]
  // CHECK: [-37, 20, -128]
  %s8_w = arith.constant dense<[[-0.5, 0.25, 1.0, 0.125, 0.0, 0.0, 0.0, 0.0, 0.300000012, 0.699999988], [-2.0, -1.0, -0.25, -0.5, 3.0, 1.0, 0.5, 0.100000001, 1.0e-30, -1.0e-30], [0.109999999, -0.519999981, 0.930000007, 0.370000005, -0.439999998, 0.660000026, 0.180000007, -0.910000026, 0.5, 0.75]]> : tensor<3x10xf32>
  %s8:3 = call @s8(%s8_w) : (tensor<3x10xf32>) -> (tensor<3x10xi8>, tensor<3x3xf32>, tensor<3x3xi8>)
  %s8_one = arith.constant dense<1.0> : tensor<3x1xf32>
  %s8_zero = arith.constant dense<0> : tensor<3x1xi8>
  %s8_c = quant_llm.dequantize %s8#0, %s8_one zero_points(%s8_zero : tensor<3x1xi8>) scheme(<s8, group = -1, scale = f32>) : tensor<3x10xi8>, tensor<3x1xf32> -> tensor<3x10xf32>
  %p15 = tensor.cast %s8_c : tensor<3x10xf32> to tensor<*xf32>
  call @printMemrefF32(%p15) : (tensor<*xf32>) -> ()
  %p16 = tensor.cast %s8#1 : tensor<3x3xf32> to tensor<*xf32>
  call @printMemrefF32(%p16) : (tensor<*xf32>) -> ()
  %p17f = arith.sitofp %s8#2 : tensor<3x3xi8> to tensor<3x3xf32>
  %p17 = tensor.cast %p17f : tensor<3x3xf32> to tensor<*xf32>
  call @printMemrefF32(%p17) : (tensor<*xf32>) -> ()

  // s8_symmetric
  // CHECK: [-64, 32, 127, 16, 0, 0, 0, 0, 38, 89]
  // CHECK: [-85, -43, -11, -21, 127, 43, 21, 4, 0, 0]
  // CHECK: [15, -71, 127, 51, -60, 90, 25, -125, 69, 103]
  // CHECK: [0.00784302]
  // CHECK: [0.0235291]
  // CHECK: [0.0072937]
  %s8_symmetric_w = arith.constant dense<[[-0.5, 0.25, 1.0, 0.125, 0.0, 0.0, 0.0, 0.0, 0.300000012, 0.699999988], [-2.0, -1.0, -0.25, -0.5, 3.0, 1.0, 0.5, 0.100000001, 1.0e-30, -1.0e-30], [0.109999999, -0.519999981, 0.930000007, 0.370000005, -0.439999998, 0.660000026, 0.180000007, -0.910000026, 0.5, 0.75]]> : tensor<3x10xf32>
  %s8_symmetric:2 = call @s8_symmetric(%s8_symmetric_w) : (tensor<3x10xf32>) -> (tensor<3x10xi8>, tensor<3x1xf16>)
  %s8_symmetric_one = arith.constant dense<1.0> : tensor<3x1xf32>
  %s8_symmetric_zero = arith.constant dense<0> : tensor<3x1xi8>
  %s8_symmetric_c = quant_llm.dequantize %s8_symmetric#0, %s8_symmetric_one zero_points(%s8_symmetric_zero : tensor<3x1xi8>) scheme(<s8, group = -1, scale = f32>) : tensor<3x10xi8>, tensor<3x1xf32> -> tensor<3x10xf32>
  %p18 = tensor.cast %s8_symmetric_c : tensor<3x10xf32> to tensor<*xf32>
  call @printMemrefF32(%p18) : (tensor<*xf32>) -> ()
  %p19f = arith.extf %s8_symmetric#1 : tensor<3x1xf16> to tensor<3x1xf32>
  %p19 = tensor.cast %p19f : tensor<3x1xf32> to tensor<*xf32>
  call @printMemrefF32(%p19) : (tensor<*xf32>) -> ()

  // large
  // CHECK: [3, 0, 3, 3]
  // CHECK: [65504]
  // CHECK: [3]
  %large_w = arith.constant dense<[[300000.0, -1000000.0, 1.0, 2.0]]> : tensor<1x4xf32>
  %large:3 = call @large(%large_w) : (tensor<1x4xf32>) -> (tensor<1x4xi2>, tensor<1x1xf16>, tensor<1x1xi8>)
  %large_one = arith.constant dense<1.0> : tensor<1x1xf32>
  %large_zero = arith.constant dense<0> : tensor<1x1xi8>
  %large_c = quant_llm.dequantize %large#0, %large_one zero_points(%large_zero : tensor<1x1xi8>) scheme(<u2, group = -1, scale = f32>) : tensor<1x4xi2>, tensor<1x1xf32> -> tensor<1x4xf32>
  %p20 = tensor.cast %large_c : tensor<1x4xf32> to tensor<*xf32>
  call @printMemrefF32(%p20) : (tensor<*xf32>) -> ()
  %p21f = arith.extf %large#1 : tensor<1x1xf16> to tensor<1x1xf32>
  %p21 = tensor.cast %p21f : tensor<1x1xf32> to tensor<*xf32>
  call @printMemrefF32(%p21) : (tensor<*xf32>) -> ()
  %p22f = arith.sitofp %large#2 : tensor<1x1xi8> to tensor<1x1xf32>
  %p22 = tensor.cast %p22f : tensor<1x1xf32> to tensor<*xf32>
  call @printMemrefF32(%p22) : (tensor<*xf32>) -> ()

  // token8
  // CHECK: [42, -85, 21, 11, 127, -5, 0]
  // CHECK: [0, 0, 0, 0, 0, 0, 0]
  // CHECK: [-127, 18, 5, 4, 2, 0, 45]
  // CHECK: [0.023622]
  // CHECK: [1]
  // CHECK: [0.0551181]
  %token8_x = arith.constant dense<[[1.0, -2.0, 0.5, 0.25, 3.0, -0.125, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [-7.0, 1.0, 0.300000012, 0.200000003, 0.100000001, 0.00100000005, 2.5]]> : tensor<3x7xf32>
  %token8:2 = call @token8(%token8_x) : (tensor<3x7xf32>) -> (tensor<3x7xi8>, tensor<3x1xf32>)
  %p23f = arith.sitofp %token8#0 : tensor<3x7xi8> to tensor<3x7xf32>
  %p23 = tensor.cast %p23f : tensor<3x7xf32> to tensor<*xf32>
  call @printMemrefF32(%p23) : (tensor<*xf32>) -> ()
  %p24 = tensor.cast %token8#1 : tensor<3x1xf32> to tensor<*xf32>
  call @printMemrefF32(%p24) : (tensor<*xf32>) -> ()

  // token16
  // CHECK: [10880, -21759, 5440, 2720, 32639, -1360, 0]
  // CHECK: [0, 0, 0, 0, 0, 0, 0]
  // CHECK: [-32639, 4663, 1399, 933, 466, 5, 11657]
  // CHECK: [9.19146e-05]
  // CHECK: [1]
  // CHECK: [0.000214467]
  %token16_x = arith.constant dense<[[1.0, -2.0, 0.5, 0.25, 3.0, -0.125, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [-7.0, 1.0, 0.300000012, 0.200000003, 0.100000001, 0.00100000005, 2.5]]> : tensor<3x7xf32>
  %token16:2 = call @token16(%token16_x) : (tensor<3x7xf32>) -> (tensor<3x7xi16>, tensor<3x1xf32>)
  %p25f = arith.sitofp %token16#0 : tensor<3x7xi16> to tensor<3x7xf32>
  %p25 = tensor.cast %p25f : tensor<3x7xf32> to tensor<*xf32>
  call @printMemrefF32(%p25) : (tensor<*xf32>) -> ()
  %p26 = tensor.cast %token16#1 : tensor<3x1xf32> to tensor<*xf32>
  call @printMemrefF32(%p26) : (tensor<*xf32>) -> ()

  // group16
  // CHECK: [16319, -32639, 8160, 2720, 32639, -1360, 0]
  // CHECK: [0, 0, 0, 0, 0, 0, 0]
  // CHECK: [-32639, 4663, 1399, 32639, 16320, 163, 32639]
  // CHECK: [6.12764e-05, 9.19146e-05, 1]
  // CHECK: [1, 1, 1]
  // CHECK: [0.000214467, 6.12764e-06, 7.65955e-05]
  %group16_x = arith.constant dense<[[1.0, -2.0, 0.5, 0.25, 3.0, -0.125, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [-7.0, 1.0, 0.300000012, 0.200000003, 0.100000001, 0.00100000005, 2.5]]> : tensor<3x7xf32>
  %group16:2 = call @group16(%group16_x) : (tensor<3x7xf32>) -> (tensor<3x7xi16>, tensor<3x3xf32>)
  %p27f = arith.sitofp %group16#0 : tensor<3x7xi16> to tensor<3x7xf32>
  %p27 = tensor.cast %p27f : tensor<3x7xf32> to tensor<*xf32>
  call @printMemrefF32(%p27) : (tensor<*xf32>) -> ()
  %p28 = tensor.cast %group16#1 : tensor<3x3xf32> to tensor<*xf32>
  call @printMemrefF32(%p28) : (tensor<*xf32>) -> ()

  // tensor8
  // CHECK: [18, -36, 9, 5, 54, -2, 0]
  // CHECK: [0, 0, 0, 0, 0, 0, 0]
  // CHECK: [-127, 18, 5, 4, 2, 0, 45]
  // CHECK: [0.0551181]
  %tensor8_x = arith.constant dense<[[[1.0, -2.0, 0.5, 0.25, 3.0, -0.125, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [-7.0, 1.0, 0.300000012, 0.200000003, 0.100000001, 0.00100000005, 2.5]]]> : tensor<1x3x7xf32>
  %tensor8:2 = call @tensor8(%tensor8_x) : (tensor<1x3x7xf32>) -> (tensor<1x3x7xi8>, tensor<1x1x1xf32>)
  %p29f = arith.sitofp %tensor8#0 : tensor<1x3x7xi8> to tensor<1x3x7xf32>
  %p29 = tensor.cast %p29f : tensor<1x3x7xf32> to tensor<*xf32>
  call @printMemrefF32(%p29) : (tensor<*xf32>) -> ()
  %p30 = tensor.cast %tensor8#1 : tensor<1x1x1xf32> to tensor<*xf32>
  call @printMemrefF32(%p30) : (tensor<*xf32>) -> ()

  // tensor16
  // CHECK: [10880, -21759, 5440, 2720, 32639, -1360, 0]
  // CHECK: [9.19146e-05]
  %tensor16_x = arith.constant dense<[1.0, -2.0, 0.5, 0.25, 3.0, -0.125, 0.0]> : tensor<7xf32>
  %tensor16:2 = call @tensor16(%tensor16_x) : (tensor<7xf32>) -> (tensor<7xi16>, tensor<1xf32>)
  %p31f = arith.sitofp %tensor16#0 : tensor<7xi16> to tensor<7xf32>
  %p31 = tensor.cast %p31f : tensor<7xf32> to tensor<*xf32>
  call @printMemrefF32(%p31) : (tensor<*xf32>) -> ()
  %p32 = tensor.cast %tensor16#1 : tensor<1xf32> to tensor<*xf32>
  call @printMemrefF32(%p32) : (tensor<*xf32>) -> ()

  // static8
  // CHECK: [32, -64, 16, 8, 96, -4, 0]
  // CHECK: [0, 0, 0, 0, 0, 0, 0]
  // CHECK: [-127, 32, 10, 6, 3, 0, 80]
  // CHECK: [0.03125]
  %static8_x = arith.constant dense<[[1.0, -2.0, 0.5, 0.25, 3.0, -0.125, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [-7.0, 1.0, 0.300000012, 0.200000003, 0.100000001, 0.00100000005, 2.5]]> : tensor<3x7xf32>
  %static8_s = arith.constant dense<[[0.03125]]> : tensor<1x1xf32>
  %static8:2 = call @static8(%static8_x, %static8_s) : (tensor<3x7xf32>, tensor<1x1xf32>) -> (tensor<3x7xi8>, tensor<1x1xf32>)
  %p33f = arith.sitofp %static8#0 : tensor<3x7xi8> to tensor<3x7xf32>
  %p33 = tensor.cast %p33f : tensor<3x7xf32> to tensor<*xf32>
  call @printMemrefF32(%p33) : (tensor<*xf32>) -> ()
  %p34 = tensor.cast %static8#1 : tensor<1x1xf32> to tensor<*xf32>
  call @printMemrefF32(%p34) : (tensor<*xf32>) -> ()

  // half
  // CHECK: [0, 2, 2, 0, -2, -2, 32639]
  // CHECK: [0.5]
  %half_x = arith.constant dense<[0.25, 0.75, 1.25, -0.25, -0.75, -1.25, 40000.0]> : tensor<7xf32>
  %half_s = arith.constant dense<[0.5]> : tensor<1xf32>
  %half:2 = call @half(%half_x, %half_s) : (tensor<7xf32>, tensor<1xf32>) -> (tensor<7xi16>, tensor<1xf32>)
  %p35f = arith.sitofp %half#0 : tensor<7xi16> to tensor<7xf32>
  %p35 = tensor.cast %p35f : tensor<7xf32> to tensor<*xf32>
  call @printMemrefF32(%p35) : (tensor<*xf32>) -> ()
  %p36 = tensor.cast %half#1 : tensor<1xf32> to tensor<*xf32>
  call @printMemrefF32(%p36) : (tensor<*xf32>) -> ()
  return
}
