// RUN: qk-opt %s -o %t.mlir --quant-llm-emit-nvvm-kernels=chip=sm_90a --quant-llm-serialize-nvvm-kernels=artifacts=%t
// RUN: FileCheck %s --input-file=%t/kernels.ptx
// RUN: FileCheck %s --check-prefix=FEW --input-file=%t/kernels.ptx
// RUN: FileCheck %s --check-prefix=JSON --input-file=%t/kernels.json
// What matters in the text of kernels on wgmma for activations of 8 bits: from
// M = 9 on sm_90a.

// CHECK: .target sm_90a
// CHECK-LABEL: .visible .entry qk_matmul_s8_k4096_sf16_xs8_ybf16_mma_wgmma_256x128(
// CHECK: .maxntid 384, 1, 1
// CHECK: .maxnreg 168
// 128 threads' copies and the bulk copies' bytes.
// CHECK: mov.b32 [[FULL:%r[0-9]+]], 129;
// CHECK: mbarrier.init.shared::cta.b64 [%{{.*}}], [[FULL]];
// The warpgroup that copies waits for empty slots only; its copies arrive by
// themselves.
// CHECK: setmaxnreg.dec.sync.aligned.u32 40;
// CHECK-COUNT-16: cp.async.cg.shared.global [%{{.*}}], [%{{.*}}], 16, %{{.*}};
// CHECK-NOT: cp.async.wait_group
// CHECK: cp.async.mbarrier.arrive.noinc.shared::cta.b64
// CHECK: mbarrier.try_wait.parity
// CHECK: cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes
// Those that multiply: what threads wrote is made visible, codes go straight to
// the registers of A, and sums are added to from the first slice to the last.
// CHECK: setmaxnreg.inc.sync.aligned.u32 232;
// CHECK: mbarrier.try_wait.parity
// CHECK: fence.proxy.async.shared::cta;
// CHECK: ld.shared.v4.b32
// CHECK: wgmma.fence.sync.aligned;wgmma.mma_async.sync.aligned.m64n256k32.s32.s8.s8 {{.*}}, 1;wgmma.mma_async.sync.aligned.m64n256k32.s32.s8.s8 {{.*}}, 1;wgmma.commit_group.sync.aligned;
// CHECK: wgmma.wait_group.sync.aligned 1;
// CHECK: wgmma.wait_group.sync.aligned 0;
// CHECK: bar.sync 1, 256;
// CHECK: ret;

// Codes of fewer bits become bytes less their zero points, 16 words of the next
// atom while one is multiplied; a group's products begin anew.
// FEW-LABEL: .visible .entry qk_matmul_u4_k4096_g128_sf16_zero_xs8_yf16_mma_wgmma_128x128(
// FEW: setmaxnreg.inc.sync.aligned.u32 232;
// FEW: ld.shared.v4.b32
// FEW: wgmma.mma_async.sync.aligned.m64n128k32.s32.s8.s8 {{.*}}, 0;
// FEW: lop3.b32 {{.*}}, 0x6A;
// FEW: wgmma.wait_group.sync.aligned 0;
// FEW: cvt.rn.f32.s32
// FEW: ret;

// JSON: "family": "wgmma"
// JSON: "m_from": 9

func.func @f(%x: tensor<?x4096xi8>, %w: tensor<131328xi8>, %xs: tensor<?x1xf32>) -> tensor<?x32xbf16> {
  %y = quant_llm.packed_matmul %x, %w x_scales(%xs) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) n = 32 k = 4096 layout("nvvm-mma-s8") name("s8") : (tensor<?x4096xi8>, tensor<131328xi8>, tensor<?x1xf32>) -> tensor<?x32xbf16>
  return %y : tensor<?x32xbf16>
}

func.func @few(%x: tensor<?x4096xi8>, %w: tensor<68608xi8>, %xs: tensor<?x1xf32>) -> tensor<?x32xf16> {
  %y = quant_llm.packed_matmul %x, %w x_scales(%xs) scheme(<u4, group = 128, scale = f16>) x_scheme(<8, per_token>) n = 32 k = 4096 layout("nvvm-mma-s8") zero_points name("u4") : (tensor<?x4096xi8>, tensor<68608xi8>, tensor<?x1xf32>) -> tensor<?x32xf16>
  return %y : tensor<?x32xf16>
}
