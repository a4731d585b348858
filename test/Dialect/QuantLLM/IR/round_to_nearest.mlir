// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// Every code type; symmetric or with zero points; both searches.

// CHECK-LABEL: func.func @asymmetric(
// CHECK: quant_llm.round_to_nearest %{{.*}} scheme(<u4, group = 4, scale = f16>) : tensor<4x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>{{$}}
func.func @asymmetric(%w: tensor<4x10xf32>) -> (tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>) {
  %c, %s, %z = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) : tensor<4x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
  return %c, %s, %z : tensor<4x10xi4>, tensor<4x3xf16>, tensor<4x3xi8>
}

// CHECK-LABEL: func.func @symmetric(
// CHECK: quant_llm.round_to_nearest %{{.*}} scheme(<u3, group = -1, scale = f32>) symmetric scale_search = mse : tensor<4x10xf32> -> tensor<4x10xi3>, tensor<4x1xf32>{{$}}
func.func @symmetric(%w: tensor<4x10xf32>) -> (tensor<4x10xi3>, tensor<4x1xf32>) {
  %c, %s = quant_llm.round_to_nearest %w scheme(<u3, group = -1, scale = f32>) symmetric scale_search = mse : tensor<4x10xf32> -> tensor<4x10xi3>, tensor<4x1xf32>
  return %c, %s : tensor<4x10xi3>, tensor<4x1xf32>
}

// Zero points of u8 are i16; a group longer than the row is the row.
// CHECK-LABEL: func.func @u8(
// CHECK: quant_llm.round_to_nearest %{{.*}} scheme(<u8, group = 128, scale = bf16>) : tensor<4x10xf16> -> tensor<4x10xi8>, tensor<4x1xbf16>, tensor<4x1xi16>{{$}}
func.func @u8(%w: tensor<4x10xf16>) -> (tensor<4x10xi8>, tensor<4x1xbf16>, tensor<4x1xi16>) {
  %c, %s, %z = quant_llm.round_to_nearest %w scheme(<u8, group = 128, scale = bf16>) : tensor<4x10xf16> -> tensor<4x10xi8>, tensor<4x1xbf16>, tensor<4x1xi16>
  return %c, %s, %z : tensor<4x10xi8>, tensor<4x1xbf16>, tensor<4x1xi16>
}

// CHECK-LABEL: func.func @s8_u2(
// CHECK: quant_llm.round_to_nearest %{{.*}} scheme(<s8, group = 5, scale = f16>) : tensor<4x10xbf16> -> tensor<4x10xi8>, tensor<4x2xf16>, tensor<4x2xi8>{{$}}
// CHECK: quant_llm.round_to_nearest %{{.*}} scheme(<u2, group = 5, scale = f16>) : tensor<4x10xbf16> -> tensor<4x10xi2>, tensor<4x2xf16>, tensor<4x2xi8>{{$}}
func.func @s8_u2(%w: tensor<4x10xbf16>) -> (tensor<4x10xi8>, tensor<4x10xi2>) {
  %c, %s, %z = quant_llm.round_to_nearest %w scheme(<s8, group = 5, scale = f16>) : tensor<4x10xbf16> -> tensor<4x10xi8>, tensor<4x2xf16>, tensor<4x2xi8>
  %d, %t, %y = quant_llm.round_to_nearest %w scheme(<u2, group = 5, scale = f16>) : tensor<4x10xbf16> -> tensor<4x10xi2>, tensor<4x2xf16>, tensor<4x2xi8>
  return %c, %d : tensor<4x10xi8>, tensor<4x10xi2>
}
