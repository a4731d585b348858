// RUN: qk-opt %s --quant-llm-to-reference | %run-linalg | FileCheck %s
// Numbers of quant_llm.matmul for every code type, group tails, permutation,
// bias, float and quantised inputs. Expected values are numpy's, in f64:
//   W = s[:, k // g] * (c - z[:, k // g]); y = X[..., p] @ W.T + b
// All operands are small multiples of powers of two: every sum is exact. (In
// the constants of codes, i4 15 is written -1.)

func.func private @printMemrefF32(tensor<*xf32>) attributes {llvm.emit_c_interface}

// Groups of 4 of 10 columns: the last is shorter.
func.func @u4(%x: tensor<?x10xf32>, %c: tensor<3x10xi4>, %s: tensor<3x3xf32>, %z: tensor<3x3xi8>) -> tensor<?x3xf32> {
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<u4, group = 4, scale = f32>) name("fc") : (tensor<?x10xf32>, tensor<3x10xi4>, tensor<3x3xf32>, tensor<3x3xi8>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// 3-d f16 input, f16 scales, a bias, default zero points.
func.func @u4_f16_bias(%x: tensor<?x?x6xf16>, %c: tensor<3x6xi4>, %s: tensor<3x2xf16>, %b: tensor<3xf16>) -> tensor<?x?x3xf16> {
  %y = quant_llm.matmul %x, %c, %s bias(%b) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x?x6xf16>, tensor<3x6xi4>, tensor<3x2xf16>, tensor<3xf16>) -> tensor<?x?x3xf16>
  return %y : tensor<?x?x3xf16>
}

// bf16 input and scales.
func.func @u2_bf16(%x: tensor<?x7xbf16>, %c: tensor<2x7xi2>, %s: tensor<2x3xbf16>, %z: tensor<2x3xi8>) -> tensor<?x2xbf16> {
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<u2, group = 3, scale = bf16>) name("fc") : (tensor<?x7xbf16>, tensor<2x7xi2>, tensor<2x3xbf16>, tensor<2x3xi8>) -> tensor<?x2xbf16>
  return %y : tensor<?x2xbf16>
}

// Stored columns come from elsewhere.
func.func @u3_permuted(%x: tensor<?x8xf32>, %c: tensor<2x8xi3>, %s: tensor<2x2xf32>, %z: tensor<2x2xi8>, %p: tensor<8xi32>) -> tensor<?x2xf32> {
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) permutation(%p) scheme(<u3, group = 4, scale = f32>) name("fc") : (tensor<?x8xf32>, tensor<2x8xi3>, tensor<2x2xf32>, tensor<2x2xi8>, tensor<8xi32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// Codes up to 255, zero points in i16, one group a row, one token.
func.func @u8(%x: tensor<5xf32>, %c: tensor<2x5xi8>, %s: tensor<2x1xf32>, %z: tensor<2x1xi16>) -> tensor<2xf32> {
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<u8, group = -1, scale = f32>) name("fc") : (tensor<5xf32>, tensor<2x5xi8>, tensor<2x1xf32>, tensor<2x1xi16>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// Signed codes.
func.func @s8(%x: tensor<?x6xf32>, %c: tensor<2x6xi8>, %s: tensor<2x2xf32>, %z: tensor<2x2xi8>) -> tensor<?x2xf32> {
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<s8, group = 4, scale = f32>) name("fc") : (tensor<?x6xf32>, tensor<2x6xi8>, tensor<2x2xf32>, tensor<2x2xi8>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// Signed codes, zero points absent: 0.
func.func @s8_default(%x: tensor<?x6xf32>, %c: tensor<2x6xi8>, %s: tensor<2x1xf32>) -> tensor<?x2xf32> {
  %y = quant_llm.matmul %x, %c, %s scheme(<s8, group = 128, scale = f32>) name("fc") : (tensor<?x6xf32>, tensor<2x6xi8>, tensor<2x1xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// Quantised per token: integer sums over the weight's groups.
func.func @token8(%x: tensor<?x10xi8>, %c: tensor<2x10xi4>, %s: tensor<2x3xf16>, %z: tensor<2x3xi8>, %xs: tensor<?x1xf32>) -> tensor<?x2xf32> {
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) x_scales(%xs) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_token>) name("fc") : (tensor<?x10xi8>, tensor<2x10xi4>, tensor<2x3xf16>, tensor<2x3xi8>, tensor<?x1xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// Quantised per tensor, with a permutation and a bias.
func.func @tensor16(%x: tensor<?x?x6xi16>, %c: tensor<2x6xi4>, %s: tensor<2x2xf32>, %z: tensor<2x2xi8>, %p: tensor<6xi32>, %b: tensor<2xf32>, %xs: tensor<1x1x1xf32>) -> tensor<?x?x2xf32> {
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) permutation(%p) bias(%b) x_scales(%xs) scheme(<u4, group = 3, scale = f32>) x_scheme(<16, per_tensor>) name("fc") : (tensor<?x?x6xi16>, tensor<2x6xi4>, tensor<2x2xf32>, tensor<2x2xi8>, tensor<6xi32>, tensor<2xf32>, tensor<1x1x1xf32>) -> tensor<?x?x2xf32>
  return %y : tensor<?x?x2xf32>
}

// The activation's groups of 4 and the weight's of 6 share stretches of 2.
func.func @group16(%x: tensor<?x9xi16>, %c: tensor<2x9xi8>, %s: tensor<2x2xf32>, %z: tensor<2x2xi16>, %xs: tensor<?x3xf32>) -> tensor<?x2xf32> {
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) x_scales(%xs) scheme(<u8, group = 6, scale = f32>) x_scheme(<16, per_token_group, group = 4>) name("fc") : (tensor<?x9xi16>, tensor<2x9xi8>, tensor<2x2xf32>, tensor<2x2xi16>, tensor<?x3xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// Zero points of an activation; padding must not see them.
func.func @group8_zero(%x: tensor<?x7xi8>, %c: tensor<2x7xi4>, %s: tensor<2x1xf32>, %z: tensor<2x1xi8>, %xs: tensor<?x3xf32>, %xz: tensor<?x3xi8>) -> tensor<?x2xf32> {
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) x_scales(%xs) x_zero_points(%xz) scheme(<u4, group = -1, scale = f32>) x_scheme(<8, per_token_group, group = 3>) name("fc") : (tensor<?x7xi8>, tensor<2x7xi4>, tensor<2x1xf32>, tensor<2x1xi8>, tensor<?x3xf32>, tensor<?x3xi8>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// Scales per token and group, permuted: no stretch shares them.
func.func @group8_permuted(%x: tensor<?x6xi8>, %c: tensor<2x6xi4>, %s: tensor<2x2xf32>, %z: tensor<2x2xi8>, %p: tensor<6xi32>, %xs: tensor<?x3xf32>) -> tensor<?x2xf32> {
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) permutation(%p) x_scales(%xs) scheme(<u4, group = 3, scale = f32>) x_scheme(<8, per_token_group, group = 2>) name("fc") : (tensor<?x6xi8>, tensor<2x6xi4>, tensor<2x2xf32>, tensor<2x2xi8>, tensor<6xi32>, tensor<?x3xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

func.func @main() {
  // u4
  // CHECK: [18.5, 72, 145.25]
  // CHECK: [23.5, -54, 7]
  %u4_x = arith.constant dense<[[0.0, -4.0, -3.0, 0.0, 4.0, 0.0, 3.0, 4.0, 3.0, 1.0], [-1.0, 0.0, -2.0, 0.0, -1.0, -2.0, 4.0, -4.0, -4.0, -3.0]]> : tensor<2x10xf32>
  %u4_x_d = tensor.cast %u4_x : tensor<2x10xf32> to tensor<?x10xf32>
  %u4_c = arith.constant dense<[[-1, -6, -6, -2, -7, -4, -3, 3, 0, 4], [4, -3, -2, 0, 7, -3, 2, -4, 1, 7], [-3, 4, 5, 4, -5, 4, -1, 7, 7, -8]]> : tensor<3x10xi4>
  %u4_s = arith.constant dense<[[0.5, 0.5, 0.5], [2.0, 2.0, 1.0], [1.0, 1.0, 0.25]]> : tensor<3x3xf32>
  %u4_z = arith.constant dense<[[15, 7, 3], [13, 2, 13], [9, 1, 0]]> : tensor<3x3xi8>
  %u4_y = call @u4(%u4_x_d, %u4_c, %u4_s, %u4_z) : (tensor<?x10xf32>, tensor<3x10xi4>, tensor<3x3xf32>, tensor<3x3xi8>) -> tensor<?x3xf32>
  %u4_y_u = tensor.cast %u4_y : tensor<?x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u4_y_u) : (tensor<*xf32>) -> ()

  // u4_f16_bias
  // CHECK: [-24, -3.75, -16.375]
  // CHECK: [25.25, 2.125, 18.25]
  %u4_f16_bias_x = arith.constant dense<[[[-1.0, 1.0, -2.0, -2.0, -3.0, -1.0], [3.0, -1.0, -1.0, 1.0, 4.0, -1.0]]]> : tensor<1x2x6xf16>
  %u4_f16_bias_x_d = tensor.cast %u4_f16_bias_x : tensor<1x2x6xf16> to tensor<?x?x6xf16>
  %u4_f16_bias_c = arith.constant dense<[[-2, 2, -8, -1, -3, -5], [-6, 0, -5, 7, 1, 3], [-8, -5, -8, -7, -3, -6]]> : tensor<3x6xi4>
  %u4_f16_bias_s = arith.constant dense<[[0.25, 1.0], [0.5, 0.125], [0.125, 1.0]]> : tensor<3x2xf16>
  %u4_f16_bias_b = arith.constant dense<[0.5, 0.0, 0.5]> : tensor<3xf16>
  %u4_f16_bias_y = call @u4_f16_bias(%u4_f16_bias_x_d, %u4_f16_bias_c, %u4_f16_bias_s, %u4_f16_bias_b) : (tensor<?x?x6xf16>, tensor<3x6xi4>, tensor<3x2xf16>, tensor<3xf16>) -> tensor<?x?x3xf16>
  %u4_f16_bias_y_f = arith.extf %u4_f16_bias_y : tensor<?x?x3xf16> to tensor<?x?x3xf32>
  %u4_f16_bias_y_f_u = tensor.cast %u4_f16_bias_y_f : tensor<?x?x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u4_f16_bias_y_f_u) : (tensor<*xf32>) -> ()

  // u2_bf16
  // CHECK: [-13, 6.875]
  // CHECK: [-5, 3]
  %u2_bf16_x = arith.constant dense<[[4.0, 1.0, 4.0, 4.0, 1.0, -2.0, -3.0], [1.0, -3.0, 2.0, 4.0, -2.0, 0.0, -4.0]]> : tensor<2x7xbf16>
  %u2_bf16_x_d = tensor.cast %u2_bf16_x : tensor<2x7xbf16> to tensor<?x7xbf16>
  %u2_bf16_c = arith.constant dense<[[0, -2, 1, 1, 0, 0, 1], [-1, 0, 1, -1, -1, 0, 0]]> : tensor<2x7xi2>
  %u2_bf16_s = arith.constant dense<[[1.0, 0.125, 0.25], [0.5, 2.0, 0.125]]> : tensor<2x3xbf16>
  %u2_bf16_z = arith.constant dense<[[2, 2, 0], [3, 3, 1]]> : tensor<2x3xi8>
  %u2_bf16_y = call @u2_bf16(%u2_bf16_x_d, %u2_bf16_c, %u2_bf16_s, %u2_bf16_z) : (tensor<?x7xbf16>, tensor<2x7xi2>, tensor<2x3xbf16>, tensor<2x3xi8>) -> tensor<?x2xbf16>
  %u2_bf16_y_f = arith.extf %u2_bf16_y : tensor<?x2xbf16> to tensor<?x2xf32>
  %u2_bf16_y_f_u = tensor.cast %u2_bf16_y_f : tensor<?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%u2_bf16_y_f_u) : (tensor<*xf32>) -> ()

  // u3_permuted
  // CHECK: [0.375, 11.375]
  // CHECK: [-11.75, 3.375]
  %u3_permuted_x = arith.constant dense<[[-3.0, -1.0, 4.0, -4.0, 1.0, 2.0, -1.0, -4.0], [0.0, -1.0, 3.0, 2.0, -1.0, -4.0, 1.0, -2.0]]> : tensor<2x8xf32>
  %u3_permuted_x_d = tensor.cast %u3_permuted_x : tensor<2x8xf32> to tensor<?x8xf32>
  %u3_permuted_c = arith.constant dense<[[3, -1, 3, 1, 1, -3, 0, -1], [-1, -4, 3, -2, -4, 3, 2, 3]]> : tensor<2x8xi3>
  %u3_permuted_s = arith.constant dense<[[1.0, 0.125], [0.125, 1.0]]> : tensor<2x2xf32>
  %u3_permuted_z = arith.constant dense<[[2, 6], [0, 7]]> : tensor<2x2xi8>
  %u3_permuted_p = arith.constant dense<[6, 1, 5, 3, 2, 7, 0, 4]> : tensor<8xi32>
  %u3_permuted_y = call @u3_permuted(%u3_permuted_x_d, %u3_permuted_c, %u3_permuted_s, %u3_permuted_z, %u3_permuted_p) : (tensor<?x8xf32>, tensor<2x8xi3>, tensor<2x2xf32>, tensor<2x2xi8>, tensor<8xi32>) -> tensor<?x2xf32>
  %u3_permuted_y_u = tensor.cast %u3_permuted_y : tensor<?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%u3_permuted_y_u) : (tensor<*xf32>) -> ()

  // u8
  // CHECK: [-2322, -19.5]
  %u8_x = arith.constant dense<[4.0, -4.0, 3.0, 1.0, 0.0]> : tensor<5xf32>
  %u8_c = arith.constant dense<[[105, -18, 78, 1, -109], [-64, -66, -49, -92, 35]]> : tensor<2x5xi8>
  %u8_s = arith.constant dense<[[2.0], [0.5]]> : tensor<2x1xf32>
  %u8_z = arith.constant dense<[[216], [208]]> : tensor<2x1xi16>
  %u8_y = call @u8(%u8_x, %u8_c, %u8_s, %u8_z) : (tensor<5xf32>, tensor<2x5xi8>, tensor<2x1xf32>, tensor<2x1xi16>) -> tensor<2xf32>
  %u8_y_u = tensor.cast %u8_y : tensor<2xf32> to tensor<*xf32>
  call @printMemrefF32(%u8_y_u) : (tensor<*xf32>) -> ()

  // s8
  // CHECK: [-378.25, 209]
  // CHECK: [-312.5, 136.75]
  %s8_x = arith.constant dense<[[4.0, -3.0, 0.0, 4.0, 0.0, 4.0], [4.0, 2.0, 2.0, 1.0, 1.0, 3.0]]> : tensor<2x6xf32>
  %s8_x_d = tensor.cast %s8_x : tensor<2x6xf32> to tensor<?x6xf32>
  %s8_c = arith.constant dense<[[-78, 104, -36, -101, -83, -27], [-40, -49, 114, 93, 18, 124]]> : tensor<2x6xi8>
  %s8_s = arith.constant dense<[[0.25, 0.125], [0.25, 0.125]]> : tensor<2x2xf32>
  %s8_z = arith.constant dense<[[115, -72], [-15, -77]]> : tensor<2x2xi8>
  %s8_y = call @s8(%s8_x_d, %s8_c, %s8_s, %s8_z) : (tensor<?x6xf32>, tensor<2x6xi8>, tensor<2x2xf32>, tensor<2x2xi8>) -> tensor<?x2xf32>
  %s8_y_u = tensor.cast %s8_y : tensor<?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%s8_y_u) : (tensor<*xf32>) -> ()

  // s8_default
  // CHECK: [-538, 38.625]
  // CHECK: [-658, -42.75]
  %s8_default_x = arith.constant dense<[[1.0, 4.0, 4.0, -2.0, -2.0, 1.0], [-1.0, 2.0, -3.0, -3.0, -4.0, 0.0]]> : tensor<2x6xf32>
  %s8_default_x_d = tensor.cast %s8_default_x : tensor<2x6xf32> to tensor<?x6xf32>
  %s8_default_c = arith.constant dense<[[-18, -87, 4, 10, 115, 62], [-64, 73, 78, 46, 45, -49]]> : tensor<2x6xi8>
  %s8_default_s = arith.constant dense<[[1.0], [0.125]]> : tensor<2x1xf32>
  %s8_default_y = call @s8_default(%s8_default_x_d, %s8_default_c, %s8_default_s) : (tensor<?x6xf32>, tensor<2x6xi8>, tensor<2x1xf32>) -> tensor<?x2xf32>
  %s8_default_y_u = tensor.cast %s8_default_y : tensor<?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%s8_default_y_u) : (tensor<*xf32>) -> ()

  // token8
  // CHECK: [-22.3125, -54.5]
  // CHECK: [124.75, -162]
  %token8_x = arith.constant dense<[[0, -2, 1, 5, 4, 0, 2, 3, -1, 2], [-3, 1, -3, -3, 3, 1, -1, -5, -3, 3]]> : tensor<2x10xi8>
  %token8_x_d = tensor.cast %token8_x : tensor<2x10xi8> to tensor<?x10xi8>
  %token8_c = arith.constant dense<[[-2, 7, 2, -7, 7, -6, 6, 4, 2, -1], [-4, 7, 3, -6, 6, -6, 1, 2, -5, 0]]> : tensor<2x10xi4>
  %token8_s = arith.constant dense<[[1.0, 0.5, 0.125], [1.0, 1.0, 2.0]]> : tensor<2x3xf16>
  %token8_z = arith.constant dense<[[14, 11, 13], [1, 14, 14]]> : tensor<2x3xi8>
  %token8_xs = arith.constant dense<[[0.5], [2.0]]> : tensor<2x1xf32>
  %token8_xs_d = tensor.cast %token8_xs : tensor<2x1xf32> to tensor<?x1xf32>
  %token8_y = call @token8(%token8_x_d, %token8_c, %token8_s, %token8_z, %token8_xs_d) : (tensor<?x10xi8>, tensor<2x10xi4>, tensor<2x3xf16>, tensor<2x3xi8>, tensor<?x1xf32>) -> tensor<?x2xf32>
  %token8_y_u = tensor.cast %token8_y : tensor<?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%token8_y_u) : (tensor<*xf32>) -> ()

  // tensor16
  // CHECK: [-14.875, -9.875]
  // CHECK: [1.25, -1.5]
  %tensor16_x = arith.constant dense<[[[2, 3, -2, -2, -5, 2]], [[-2, 4, 0, 4, -4, -4]]]> : tensor<2x1x6xi16>
  %tensor16_x_d = tensor.cast %tensor16_x : tensor<2x1x6xi16> to tensor<?x?x6xi16>
  %tensor16_c = arith.constant dense<[[-2, -3, 0, 0, -7, 5], [-3, 5, 2, 1, 4, -6]]> : tensor<2x6xi4>
  %tensor16_s = arith.constant dense<[[0.125, 1.0], [0.25, 0.25]]> : tensor<2x2xf32>
  %tensor16_z = arith.constant dense<[[10, 13], [6, 12]]> : tensor<2x2xi8>
  %tensor16_p = arith.constant dense<[4, 2, 0, 5, 1, 3]> : tensor<6xi32>
  %tensor16_b = arith.constant dense<[-1.0, 0.5]> : tensor<2xf32>
  %tensor16_xs = arith.constant dense<[[[0.5]]]> : tensor<1x1x1xf32>
  %tensor16_y = call @tensor16(%tensor16_x_d, %tensor16_c, %tensor16_s, %tensor16_z, %tensor16_p, %tensor16_b, %tensor16_xs) : (tensor<?x?x6xi16>, tensor<2x6xi4>, tensor<2x2xf32>, tensor<2x2xi8>, tensor<6xi32>, tensor<2xf32>, tensor<1x1x1xf32>) -> tensor<?x?x2xf32>
  %tensor16_y_u = tensor.cast %tensor16_y : tensor<?x?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%tensor16_y_u) : (tensor<*xf32>) -> ()

  // group16
  // CHECK: [106.75, -1009]
  // CHECK: [-453.062, -630.875]
  %group16_x = arith.constant dense<[[-4, 2, -5, 3, 4, 3, -3, 4, -2], [3, 4, 0, 1, 4, -3, -5, -1, -4]]> : tensor<2x9xi16>
  %group16_x_d = tensor.cast %group16_x : tensor<2x9xi16> to tensor<?x9xi16>
  %group16_c = arith.constant dense<[[6, 125, -90, -87, 54, 42, -112, -94, -15], [-27, 97, 41, 64, -31, 116, -2, -88, -104]]> : tensor<2x9xi8>
  %group16_s = arith.constant dense<[[0.125, 0.5], [0.25, 2.0]]> : tensor<2x2xf32>
  %group16_z = arith.constant dense<[[34, 49], [169, 174]]> : tensor<2x2xi16>
  %group16_xs = arith.constant dense<[[2.0, 2.0, 0.5], [0.5, 1.0, 0.5]]> : tensor<2x3xf32>
  %group16_xs_d = tensor.cast %group16_xs : tensor<2x3xf32> to tensor<?x3xf32>
  %group16_y = call @group16(%group16_x_d, %group16_c, %group16_s, %group16_z, %group16_xs_d) : (tensor<?x9xi16>, tensor<2x9xi8>, tensor<2x2xf32>, tensor<2x2xi16>, tensor<?x3xf32>) -> tensor<?x2xf32>
  %group16_y_u = tensor.cast %group16_y : tensor<?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%group16_y_u) : (tensor<*xf32>) -> ()

  // group8_zero
  // CHECK: [3.375, 34]
  // CHECK: [-12.25, -45]
  %group8_zero_x = arith.constant dense<[[1, -1, -2, 2, -3, -3, 4], [3, 1, 3, -2, 2, -3, -1]]> : tensor<2x7xi8>
  %group8_zero_x_d = tensor.cast %group8_zero_x : tensor<2x7xi8> to tensor<?x7xi8>
  %group8_zero_c = arith.constant dense<[[1, -6, -5, 1, -4, -8, -3], [-3, -6, 5, 5, -5, 1, 3]]> : tensor<2x7xi4>
  %group8_zero_s = arith.constant dense<[[0.5], [2.0]]> : tensor<2x1xf32>
  %group8_zero_z = arith.constant dense<[[12], [13]]> : tensor<2x1xi8>
  %group8_zero_xs = arith.constant dense<[[0.25, 0.5, 0.5], [0.5, 0.5, 0.25]]> : tensor<2x3xf32>
  %group8_zero_xs_d = tensor.cast %group8_zero_xs : tensor<2x3xf32> to tensor<?x3xf32>
  %group8_zero_xz = arith.constant dense<[[-1, 2, 0], [0, -3, -1]]> : tensor<2x3xi8>
  %group8_zero_xz_d = tensor.cast %group8_zero_xz : tensor<2x3xi8> to tensor<?x3xi8>
  %group8_zero_y = call @group8_zero(%group8_zero_x_d, %group8_zero_c, %group8_zero_s, %group8_zero_z, %group8_zero_xs_d, %group8_zero_xz_d) : (tensor<?x7xi8>, tensor<2x7xi4>, tensor<2x1xf32>, tensor<2x1xi8>, tensor<?x3xf32>, tensor<?x3xi8>) -> tensor<?x2xf32>
  %group8_zero_y_u = tensor.cast %group8_zero_y : tensor<?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%group8_zero_y_u) : (tensor<*xf32>) -> ()

  // group8_permuted
  // CHECK: [1.6875, 14.3438]
  // CHECK: [-7.3125, 15.4375]
  %group8_permuted_x = arith.constant dense<[[4, -3, -1, 5, 3, -3], [4, 3, -4, -5, -3, 0]]> : tensor<2x6xi8>
  %group8_permuted_x_d = tensor.cast %group8_permuted_x : tensor<2x6xi8> to tensor<?x6xi8>
  %group8_permuted_c = arith.constant dense<[[-1, -8, 0, -5, -4, 6], [0, -3, 4, -2, 5, 6]]> : tensor<2x6xi4>
  %group8_permuted_s = arith.constant dense<[[1.0, 0.125], [0.125, 1.0]]> : tensor<2x2xf32>
  %group8_permuted_z = arith.constant dense<[[14, 15], [2, 2]]> : tensor<2x2xi8>
  %group8_permuted_p = arith.constant dense<[2, 3, 1, 0, 5, 4]> : tensor<6xi32>
  %group8_permuted_xs = arith.constant dense<[[0.25, 0.25, 0.25], [0.5, 0.5, 0.5]]> : tensor<2x3xf32>
  %group8_permuted_xs_d = tensor.cast %group8_permuted_xs : tensor<2x3xf32> to tensor<?x3xf32>
  %group8_permuted_y = call @group8_permuted(%group8_permuted_x_d, %group8_permuted_c, %group8_permuted_s, %group8_permuted_z, %group8_permuted_p, %group8_permuted_xs_d) : (tensor<?x6xi8>, tensor<2x6xi4>, tensor<2x2xf32>, tensor<2x2xi8>, tensor<6xi32>, tensor<?x3xf32>) -> tensor<?x2xf32>
  %group8_permuted_y_u = tensor.cast %group8_permuted_y : tensor<?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%group8_permuted_y_u) : (tensor<*xf32>) -> ()
  return
}
