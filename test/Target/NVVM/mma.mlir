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

// Shared memory is the launch's business.
// CHECK: .extern .shared .align 1024 .b8 qk_shared[]

// M = 1: codes come 16 bytes at a time from global memory to registers, past
// the first cache, x 16 bytes at a time by cp.async and by ldmatrix; codes
// become halves without a conversion. Warps wait for themselves only.
// CHECK-LABEL: .visible .entry qk_matmul_u4_k4096_g128_sf16_xf16_mma_decode_1x16(
// CHECK: .maxntid 256, 1, 1
// CHECK: .maxnreg {{[0-9]+}}
// CHECK: @p ld.global.nc.L1::no_allocate.v4.b32
// CHECK: cp.async.cg.shared.global [%{{.*}}], [%{{.*}}], 16, %{{.*}};
// CHECK: cp.async.commit_group;
// CHECK: cp.async.wait_group {{[0-9]}};
// CHECK-NOT: bar.sync
// CHECK: bar.warp.sync
// CHECK: ldmatrix.sync.aligned.m8n8.x4.shared.b16
// CHECK-NOT: cvt.rn.f16
// CHECK: lop3.b32
// CHECK: fma.rn.f16x2
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// CHECK: bar.sync 0;
// CHECK: ret;

// M up to 32: a ring of slices of x; the last of the blocks that split K adds
// their sums.
// CHECK-LABEL: .visible .entry qk_matmul_u4_k4096_g128_sf16_xf16_mma_prefill_32x64(
// CHECK: cp.async.wait_group 1;
// CHECK: bar.sync 0;
// CHECK-COUNT-64: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// CHECK: bar.sync 0;
// CHECK: {{fence.acq_rel.gpu|membar.gl}};
// CHECK: atom{{.*}}.global{{.*}}add.u32
// CHECK: {{fence.acq_rel.gpu|membar.gl}};
// CHECK: bar.sync 0;
// CHECK: ret;

// More: a weight is unpacked once for many tokens.
// CHECK-LABEL: .visible .entry qk_matmul_u4_k4096_g128_sf16_xf16_mma_prefill_64x256(
// CHECK-COUNT-128: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// CHECK: ret;

// CHECK-LABEL: .visible .entry qk_matmul_s8_k4096_sf16_xs8_ybf16_mma_decode_8x32(
// CHECK: mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32
// CHECK: ret;

// Codes of 4 bits become bytes by shifts and masks.
// CHECK-LABEL: .visible .entry qk_matmul_u4_k512_g128_sf16_zero_xs8_yf16_mma_decode_8x32(
// CHECK: and.b32 {{.*}}, -252645136;
// CHECK: mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32
// CHECK: ret;

// Zero points are subtracted from four of them at once, and sums on sm_80 are
// the low bits of a float.
// CHECK-LABEL: .visible .entry qk_matmul_u4_k512_g128_sf16_zero_xs8_yf16_mma_prefill_64x128(
// CHECK: xor.b32 {{.*}}, -2139062144;
// CHECK: mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32
// CHECK-NOT: cvt.rn.f32.s32
// CHECK: ret;

// JSON: "dynamic_shared_bytes": {{[1-9]}}
// JSON: "layout": {
// JSON: "name": "nvvm-mma",
// JSON: "tile_bytes": 33792,
// JSON: "tile_channels": 16,
// JSON: "name": "workspace",
// JSON-NEXT: "type": "u8 *"
// JSON: "z": "clamp(floor({{[0-9]+}} / (x * y)), 1, {{[0-9]+}})"
// JSON: "name": "x_scales",
// JSON-NEXT: "shape": "m",
// JSON-NEXT: "type": "const f32 *"

func.func @f(%x: tensor<?x4096xf16>, %w: tensor<67584xi8>, %x8: tensor<?x4096xi8>, %w8: tensor<131328xi8>, %xs: tensor<?x1xf32>) -> (tensor<?x32xf16>, tensor<?x32xbf16>) {
  %y = quant_llm.packed_matmul %x, %w scheme(<u4, group = 128, scale = f16>) n = 32 k = 4096 layout("nvvm-mma") name("u4") : (tensor<?x4096xf16>, tensor<67584xi8>) -> tensor<?x32xf16>
  %y8 = quant_llm.packed_matmul %x8, %w8 x_scales(%xs) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) n = 32 k = 4096 layout("nvvm-mma-s8") name("s8") : (tensor<?x4096xi8>, tensor<131328xi8>, tensor<?x1xf32>) -> tensor<?x32xbf16>
  return %y, %y8 : tensor<?x32xf16>, tensor<?x32xbf16>
}

func.func @few(%x: tensor<?x512xi8>, %w: tensor<8704xi8>, %xs: tensor<?x1xf32>) -> tensor<?x32xf16> {
  %y = quant_llm.packed_matmul %x, %w x_scales(%xs) scheme(<u4, group = 128, scale = f16>) x_scheme(<8, per_token>) n = 32 k = 512 layout("nvvm-mma-s8") zero_points name("u4s8") : (tensor<?x512xi8>, tensor<8704xi8>, tensor<?x1xf32>) -> tensor<?x32xf16>
  return %y : tensor<?x32xf16>
}
