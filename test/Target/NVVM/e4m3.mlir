// RUN: qk-opt %s -o %t.mlir --quant-llm-emit-nvvm-kernels=chip=sm_89 --quant-llm-serialize-nvvm-kernels=artifacts=%t
// RUN: FileCheck %s --input-file=%t/kernels.ptx
// RUN: FileCheck %s --check-prefix=JSON --input-file=%t/kernels.json
// RUN: qk-opt %s -o %t.mlir --quant-llm-emit-nvvm-kernels=chip=sm_90a --quant-llm-serialize-nvvm-kernels=artifacts=%t.hopper
// RUN: FileCheck %s --check-prefix=HOPPER --input-file=%t.hopper/kernels.ptx
// What matters in the text of kernels that multiply floats of one byte.

// The oldest PTX that has the instruction.
// CHECK: .version 8.4
// CHECK: .target sm_89
// CHECK-LABEL: .visible .entry qk_matmul_e4m3_k4096_sf16_xe4m3_ybf16_mma_decode_8x32(
// Codes go to the instruction as they were loaded.
// CHECK-NOT: lop3.b32
// CHECK: mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32
// CHECK: ret;

// HOPPER: .version 8.4
// HOPPER: .target sm_90a
// HOPPER-LABEL: .visible .entry qk_matmul_e4m3_k4096_sf16_xe4m3_ybf16_mma_wgmma_256x128(
// HOPPER: wgmma.fence.sync.aligned;wgmma.mma_async.sync.aligned.m64n256k32.f32.e4m3.e4m3 {{.*}}, 1, 1, 1;wgmma.mma_async.sync.aligned.m64n256k32.f32.e4m3.e4m3 {{.*}}, 1, 1, 1;wgmma.commit_group.sync.aligned;
// HOPPER: ret;

// JSON: "name": "x",
// JSON: "type": "const e4m3 *"

func.func @f(%x: tensor<?x4096xi8>, %w: tensor<131328xi8>, %xs: tensor<?x1xf32>) -> tensor<?x32xbf16> {
  %y = quant_llm.packed_matmul %x, %w x_scales(%xs) scheme(<e4m3, group = -1, scale = f16>) x_scheme(<e4m3, per_token>) n = 32 k = 4096 layout("nvvm-mma-s8") name("fc") : (tensor<?x4096xi8>, tensor<131328xi8>, tensor<?x1xf32>) -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}
