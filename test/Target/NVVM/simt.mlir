// RUN: qk-opt %s -o %t.mlir --quant-llm-emit-nvvm-kernels --quant-llm-serialize-nvvm-kernels=artifacts=%t
// RUN: FileCheck %s --input-file=%t/kernels.ptx
// RUN: FileCheck %s --check-prefix=LOCAL --input-file=%t/kernels.ptx
// What matters in the text of a SIMT kernel.

// No local memory: nothing spilled or indexed by LLVM.
// LOCAL-NOT: .local
// LOCAL-NOT: ld.local
// LOCAL-NOT: st.local

// CHECK: .version 7.4
// CHECK: .target sm_80

// M = 1: weights come 16 bytes at a time through the read-only path, one unit
// ahead of the loop and one in it; x is read from shared memory 16 bytes at a
// time; sums are fused multiply-adds; codes become floats without a conversion
// (two scales are f16 and are converted, one each unit).
// CHECK-LABEL: .visible .entry qk_matmul_u4_k4096_g128_sf16_xf16_simt_1x32(
// CHECK: .maxntid 256, 1, 1
// CHECK: .maxnreg 96
// CHECK: ld.global.nc.v4.b32
// CHECK: bar.sync 0
// CHECK: ld.global.nc.v4.b32
// CHECK-NOT: cvt.rn.f32.u
// CHECK: ld.shared.v4
// CHECK: lop3.b32
// CHECK: fma.rn.f32
// CHECK: bar.sync 0
// CHECK: st.global.b16
// CHECK: ret;

// M > 1: two row blocks a warp, so two vectors of each.
// CHECK-LABEL: .visible .entry qk_matmul_u4_k4096_g128_sf16_xf16_simt_8x64(
// CHECK: .maxntid 128, 1, 1
// CHECK: .maxnreg 168
// CHECK-COUNT-4: ld.global.nc.v4.b32
// CHECK: ret;

// u3: three vectors are a unit.
// CHECK-LABEL: .visible .entry qk_matmul_u3_k4096_g128_sf16_xf32_simt_1x32(
// CHECK-COUNT-6: ld.global.nc.v4.b32
// CHECK: ret;

func.func @f(%x: tensor<?x4096xf16>, %w: tensor<67584xi8>, %x3: tensor<?x4096xf32>, %w3: tensor<51200xi8>) -> (tensor<?x32xf16>, tensor<?x32xf32>) {
  %y = quant_llm.packed_matmul %x, %w scheme(<u4, group = 128, scale = f16>) n = 32 k = 4096 layout("nvvm-simt") name("u4") : (tensor<?x4096xf16>, tensor<67584xi8>) -> tensor<?x32xf16>
  %y3 = quant_llm.packed_matmul %x3, %w3 scheme(<u3, group = 128, scale = f16>) n = 32 k = 4096 layout("nvvm-simt") name("u3") : (tensor<?x4096xf32>, tensor<51200xi8>) -> tensor<?x32xf32>
  return %y, %y3 : tensor<?x32xf16>, tensor<?x32xf32>
}
