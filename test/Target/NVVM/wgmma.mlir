// RUN: qk-opt %s -o %t.mlir --quant-llm-emit-nvvm-kernels=chip=sm_90a --quant-llm-serialize-nvvm-kernels=artifacts=%t
// RUN: FileCheck %s --input-file=%t/kernels.ptx
// RUN: FileCheck %s --check-prefix=CLUSTER --input-file=%t/kernels.ptx
// RUN: FileCheck %s --check-prefix=JSON --input-file=%t/kernels.json
// What matters in the text of kernels on wgmma: from M = 33 on sm_90a.

// CHECK: .target sm_90a
// CHECK-LABEL: .visible .entry qk_matmul_u4_k4096_g128_sf16_xf16_mma_wgmma_128x128(
// CHECK: .maxntid 384, 1, 1
// CHECK: .maxnreg 168
// CHECK: mbarrier.init.shared::cta.b64
// CHECK: fence.proxy.async.shared::cta;
// CHECK: bar.sync 0;
// The warpgroup that copies: codes in bulk, x 16 bytes at a time.
// CHECK: setmaxnreg.dec.sync.aligned.u32 40;
// CHECK: mbarrier.try_wait.parity
// CHECK: cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes
// CHECK: cp.async.cg.shared.global [%{{.*}}], [%{{.*}}], 16, %{{.*}};
// Those that multiply; products start at 0 once a slice, weights are in
// registers.
// CHECK: setmaxnreg.inc.sync.aligned.u32 232;
// CHECK: ld.shared.v4.b32
// CHECK: wgmma.fence.sync.aligned;wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {{.*}}, 0, 1, 1, 0;wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {{.*}}, 1, 1, 1, 0;wgmma.commit_group.sync.aligned;
// CHECK: wgmma.wait_group.sync.aligned 1;
// CHECK: wgmma.wait_group.sync.aligned 0;
// CHECK: bar.sync 1, 256;
// CHECK: ret;

// Two blocks that split K add up through each other's shared memory, between
// two barriers of their cluster, and more through the workspace.
// CLUSTER-LABEL: .visible .entry qk_matmul_u4_k4096_g128_sf16_xf16_mma_wgmma_64x128(
// CLUSTER: barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;
// CLUSTER: mapa.shared::cluster.u32
// CLUSTER: st.shared::cluster.v4.f32
// CLUSTER: barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;
// CLUSTER: atom.{{.*}}add.u32
// CLUSTER: ret;

// JSON: "family": "wgmma"
// JSON: "m_from": 33
// JSON: "max_cluster": 2

func.func @f(%x: tensor<?x4096xf16>, %w: tensor<67584xi8>) -> tensor<?x32xf16> {
  %y = quant_llm.packed_matmul %x, %w scheme(<u4, group = 128, scale = f16>) n = 32 k = 4096 layout("nvvm-mma") name("u4") : (tensor<?x4096xf16>, tensor<67584xi8>) -> tensor<?x32xf16>
  return %y : tensor<?x32xf16>
}
