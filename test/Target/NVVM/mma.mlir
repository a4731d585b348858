// RUN: qk-opt %s -o %t.mlir --quant-llm-emit-nvvm-kernels --quant-llm-serialize-nvvm-kernels=artifacts=%t
// RUN: FileCheck %s --input-file=%t/kernels.ptx
// RUN: FileCheck %s --check-prefix=LOCAL --input-file=%t/kernels.ptx
// RUN: FileCheck %s --check-prefix=JSON --input-file=%t/kernels.json
// What matters in the text of kernels on tensor cores.

// No local memory: nothing spilled or indexed by LLVM.
// LOCAL-NOT: .local
// LOCAL-NOT: ld.local
// LOCAL-NOT: st.local

// CHECK: .target sm_80

// M = 1: codes come 16 bytes at a time from global memory to registers, x 16
// bytes at a time by cp.async and from shared memory; codes become halves
// without a conversion.
// CHECK-LABEL: .visible .entry qk_matmul_u4_k4096_g128_sf16_xf16_mma_decode_1x16(
// CHECK: .maxntid 256, 1, 1
// CHECK: .maxnreg 128
// CHECK: ld.global.nc.v4.b32
// CHECK: cp.async.cg.shared.global [%{{.*}}], [%{{.*}}], 16, %{{.*}};
// CHECK: cp.async.commit_group;
// CHECK: cp.async.wait_group 0;
// CHECK: bar.sync 0;
// CHECK: ld.shared.v4.b32
// CHECK-NOT: cvt.rn.f16
// CHECK: lop3.b32
// CHECK: fma.rn.f16x2
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// CHECK: ret;

// M > 32: a ring of slices.
// CHECK-LABEL: .visible .entry qk_matmul_u4_k4096_g128_sf16_xf16_mma_prefill_64x64(
// CHECK: .maxntid 128, 1, 1
// CHECK: cp.async.wait_group {{[12]}};
// CHECK-COUNT-16: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// CHECK: ret;

// CHECK-LABEL: .visible .entry qk_matmul_s8_k4096_sf16_xs8_ybf16_mma_decode_8x32(
// CHECK: mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32
// CHECK: ret;

// JSON: "layout": {
// JSON: "name": "nvvm-mma",
// JSON: "tile_bytes": 33792,
// JSON: "tile_channels": 16,
// JSON: "name": "x_scales",
// JSON-NEXT: "shape": "m",
// JSON-NEXT: "type": "const f32 *"

func.func @f(%x: tensor<?x4096xf16>, %w: tensor<67584xi8>, %x8: tensor<?x4096xi8>, %w8: tensor<131328xi8>, %xs: tensor<?x1xf32>) -> (tensor<?x32xf16>, tensor<?x32xbf16>) {
  %y = quant_llm.packed_matmul %x, %w scheme(<u4, group = 128, scale = f16>) n = 32 k = 4096 layout("nvvm-mma") name("u4") : (tensor<?x4096xf16>, tensor<67584xi8>) -> tensor<?x32xf16>
  %y8 = quant_llm.packed_matmul %x8, %w8 x_scales(%xs) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) n = 32 k = 4096 layout("nvvm-mma-s8") name("s8") : (tensor<?x4096xi8>, tensor<131328xi8>, tensor<?x1xf32>) -> tensor<?x32xbf16>
  return %y, %y8 : tensor<?x32xf16>, tensor<?x32xbf16>
}
