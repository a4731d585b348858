// RUN: qk-opt %s --quant-llm-emit-nvvm-kernels | FileCheck %s
// RUN: qk-opt %s --quant-llm-emit-nvvm-kernels --quant-llm-serialize-nvvm-kernels | FileCheck %s --check-prefix=PTX
// host=keep: each matmul becomes one call on tensors; all else stays.

// CHECK-LABEL: func.func @two(
// CHECK-SAME: %[[X:.*]]: tensor<?x10xf32>, %[[W:.*]]: tensor<1792xi8>
// CHECK: %[[Y:.*]] = call @qk_matmul_u4_k10_g4_sf16_xf32_n4(%[[X]], %[[W]]) : (tensor<?x10xf32>, tensor<1792xi8>) -> tensor<?x4xf32>
// CHECK: %[[E:.*]] = math.exp %[[Y]]
// A static M is a cast away.
// CHECK: %[[X3:.*]] = tensor.cast %{{.*}} : tensor<3x10xf32> to tensor<?x10xf32>
// CHECK: %[[Y3:.*]] = call @qk_matmul_u4_k10_g4_sf16_xf32_n4(%[[X3]], %[[W]])
// CHECK: tensor.cast %[[Y3]] : tensor<?x4xf32> to tensor<3x4xf32>
func.func @two(%x: tensor<?x10xf32>, %w: tensor<1792xi8>, %x3: tensor<3x10xf32>) -> (tensor<?x4xf32>, tensor<3x4xf32>) {
  %y = quant_llm.packed_matmul %x, %w scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("nvvm-simt") name("a") : (tensor<?x10xf32>, tensor<1792xi8>) -> tensor<?x4xf32>
  %e = math.exp %y : tensor<?x4xf32>
  %y3 = quant_llm.packed_matmul %x3, %w scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("nvvm-simt") name("b") : (tensor<3x10xf32>, tensor<1792xi8>) -> tensor<3x4xf32>
  return %e, %y3 : tensor<?x4xf32>, tensor<3x4xf32>
}

// Another N is another function, but the same kernels.
// CHECK-LABEL: func.func @wide(
// CHECK: call @qk_matmul_u4_k10_g4_sf16_xf32_n40(
func.func @wide(%x: tensor<?x10xf32>, %w: tensor<3584xi8>) -> tensor<?x40xf32> {
  %y = quant_llm.packed_matmul %x, %w scheme(<u4, group = 4, scale = f16>) n = 40 k = 10 layout("nvvm-simt") name("c") : (tensor<?x10xf32>, tensor<3584xi8>) -> tensor<?x40xf32>
  return %y : tensor<?x40xf32>
}

// Another target's layout is not ours.
// CHECK-LABEL: func.func @other(
// CHECK: quant_llm.packed_matmul
func.func @other(%x: tensor<?x10xf32>, %w: tensor<128xi8>) -> tensor<?x4xf32> {
  %y = quant_llm.packed_matmul %x, %w scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("cpu-tile64") name("d") : (tensor<?x10xf32>, tensor<128xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// CHECK: func.func private @qk_matmul_u4_k10_g4_sf16_xf32_n4(tensor<?x10xf32>, tensor<1792xi8>) -> tensor<?x4xf32>
// CHECK: func.func private @qk_matmul_u4_k10_g4_sf16_xf32_n40(tensor<?x10xf32>, tensor<3584xi8>) -> tensor<?x40xf32>
// CHECK: gpu.module @qk_kernels [#nvvm.target<O = 3, chip = "sm_80", features = "+ptx74">]
// CHECK-SAME: qk_kernel.functions =
// CHECK: gpu.func @qk_matmul_u4_k10_g4_sf16_xf32_simt_1x32(%{{.*}}: !llvm.ptr<1> {llvm.noalias, llvm.readonly}, %{{.*}}: !llvm.ptr<1> {llvm.noalias, llvm.readonly}, %{{.*}}: !llvm.ptr<1> {llvm.noalias}, %{{.*}}: i32, %{{.*}}: i32)
// CHECK-SAME: kernel
// CHECK: gpu.func @qk_matmul_u4_k10_g4_sf16_xf32_simt_8x64
// CHECK-NOT: gpu.func

// PTX: func.func @two
// PTX: gpu.binary @qk_kernels [#gpu.object<#nvvm.target<O = 3, chip = "sm_80", features = "+ptx74">, assembly = "{{.*}}.visible .entry qk_matmul_u4_k10_g4_sf16_xf32_simt_1x32(
// PTX-NOT: gpu.module
