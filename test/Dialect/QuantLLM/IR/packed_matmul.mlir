// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// A linear layer on packed bytes.

// CHECK-LABEL: func.func @plain(
// CHECK: quant_llm.packed_matmul %{{.*}}, %{{.*}} scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("example") name("fc") : (tensor<?x10xf32>, tensor<128xi8>) -> tensor<?x4xf32>{{$}}
func.func @plain(%x: tensor<?x10xf32>, %b: tensor<128xi8>) -> tensor<?x4xf32> {
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("example") name("fc") : (tensor<?x10xf32>, tensor<128xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @all(
// CHECK: quant_llm.packed_matmul %{{.*}}, %{{.*}} permutation(%{{.*}}) bias(%{{.*}}) x_scales(%{{.*}}) scheme(<u4, group = 4, scale = f16>) x_scheme(<16, per_token>) n = 4 k = 10 layout("example") zero_points kernel(@qk_kernel) name("fc") : (tensor<?x10xi16>, tensor<128xi8>, tensor<10xi32>, tensor<4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>{{$}}
func.func @all(%x: tensor<?x10xi16>, %b: tensor<128xi8>, %p: tensor<10xi32>, %d: tensor<4xf32>, %t: tensor<?x1xf32>) -> tensor<?x4xf32> {
  %y = quant_llm.packed_matmul %x, %b permutation(%p) bias(%d) x_scales(%t) scheme(<u4, group = 4, scale = f16>) x_scheme(<16, per_token>) n = 4 k = 10 layout("example") zero_points kernel(@qk_kernel) name("fc") : (tensor<?x10xi16>, tensor<128xi8>, tensor<10xi32>, tensor<4xf32>, tensor<?x1xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
