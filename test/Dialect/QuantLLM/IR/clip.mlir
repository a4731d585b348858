// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// AWQ's clipping.

// CHECK-LABEL: func.func @clip(
// CHECK: quant_llm.clip %{{.*}}, %{{.*}} scheme(<u4, group = 4, scale = f16>) grid = 20 : tensor<4x8xf32>, tensor<8x8xf32>{{$}}
// CHECK: quant_llm.clip %{{.*}}, %{{.*}} scheme(<u4, group = 4, scale = f16>) grid = 20 symmetric : tensor<4x8xf32>, tensor<8x8xf32>{{$}}
// CHECK: quant_llm.clip %{{.*}}, %{{.*}} scheme(<u4, group = 4, scale = f16>) grid = 20 sweeps = 2 symmetric : tensor<4x8xf32>, tensor<8x8xf32>{{$}}
func.func @clip(%w: tensor<4x8xf32>, %h: tensor<8x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
  %0 = quant_llm.clip %w, %h scheme(<u4, group = 4, scale = f16>) grid = 20 : tensor<4x8xf32>, tensor<8x8xf32>
  %1 = quant_llm.clip %0, %h scheme(<u4, group = 4, scale = f16>) grid = 20 symmetric : tensor<4x8xf32>, tensor<8x8xf32>
  %2 = quant_llm.clip %1, %h scheme(<u4, group = 4, scale = f16>) grid = 20 sweeps = 2 symmetric : tensor<4x8xf32>, tensor<8x8xf32>
  return %0, %1, %2 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}
