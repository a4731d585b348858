// RUN: qk-opt %s --quant-llm-emit-nvvm-kernels=chip=sm_90a | FileCheck %s
// RUN: qk-opt %s -o %t.mlir --quant-llm-emit-nvvm-kernels=chip=sm_90a --quant-llm-serialize-nvvm-kernels=artifacts=%t
// RUN: FileCheck %s --check-prefix=JSON --input-file=%t/kernels.json
// Where the table has two kernels for a range of M, a launcher compares what all
// rounds of their blocks take: cost · ⌈⌈m / tokens⌉ · ⌈n / channels⌉ / 132⌉.

// CHECK-LABEL: func.func private @matmul(
// CHECK: %[[M:.*]] = arith.index_cast %{{.*}} : index to i64
// CHECK: %[[N:.*]] = arith.index_cast %{{.*}} : index to i64
// M from 17 to 32: 64 channels by mma.sync or 256 by wgmma.
// CHECK: %[[X0:.*]] = arith.ceildivui %[[M]], %c32
// CHECK: %[[Y0:.*]] = arith.ceildivui %[[N]], %c64
// CHECK: %[[T0:.*]] = arith.muli %[[X0]], %[[Y0]]
// CHECK: %[[R0:.*]] = arith.ceildivui %[[T0]], %c132
// CHECK: %[[C0:.*]] = arith.muli %[[R0]], %c175
// CHECK: %[[X1:.*]] = arith.ceildivui %[[M]], %c32
// CHECK: %[[Y1:.*]] = arith.ceildivui %[[N]], %c256
// CHECK: %[[T1:.*]] = arith.muli %[[X1]], %[[Y1]]
// CHECK: %[[R1:.*]] = arith.ceildivui %[[T1]], %c132
// CHECK: %[[C1:.*]] = arith.muli %[[R1]], %c432
// CHECK: %[[WIDE32:.*]] = arith.cmpi ult, %[[C1]], %[[C0]]
// M from 33 to 64: 128 or 256.
// CHECK: arith.muli %{{.*}}, %c394
// CHECK: arith.muli %{{.*}}, %c699
// CHECK: %[[WIDE64:.*]] = arith.cmpi ult
// From the last range of M to the first.
// CHECK: llvm.mlir.addressof @qk_matmul_u4_k8192_g128_sf16_xf16_mma_wgmma_96x256.name
// CHECK: %[[IN64:.*]] = arith.cmpi sle, %[[M]], %c64
// CHECK: %[[NARROW:.*]] = llvm.mlir.addressof @qk_matmul_u4_k8192_g128_sf16_xf16_mma_wgmma_64x128.name
// CHECK: %[[WIDE:.*]] = llvm.mlir.addressof @qk_matmul_u4_k8192_g128_sf16_xf16_mma_wgmma_64x256.name
// CHECK: %[[BEST64:.*]] = arith.select %[[WIDE64]], %[[WIDE]], %[[NARROW]]
// CHECK: %[[TO64:.*]] = arith.select %[[IN64]], %[[BEST64]]
// CHECK: %[[IN32:.*]] = arith.cmpi sle, %[[M]], %c32
// CHECK: %[[NARROW:.*]] = llvm.mlir.addressof @qk_matmul_u4_k8192_g128_sf16_xf16_mma_prefill_32x64.name
// CHECK: %[[WIDE:.*]] = llvm.mlir.addressof @qk_matmul_u4_k8192_g128_sf16_xf16_mma_wgmma_32x256.name
// CHECK: %[[BEST32:.*]] = arith.select %[[WIDE32]], %[[WIDE]], %[[NARROW]]
// CHECK: arith.select %[[IN32]], %[[BEST32]], %[[TO64]]
// CHECK: call @qk_cuda_begin(

// JSON: "kernels": [
// JSON-NOT: "cost"
// JSON: "cost": "175 * ceil(x * y / 132)"
// JSON: "m_from": 17,
// JSON-NEXT: "m_to": 32,
// JSON: "cost": "432 * ceil(x * y / 132)"
// JSON: "m_from": 17,
// JSON-NEXT: "m_to": 32,
// JSON: "cost": "394 * ceil(x * y / 132)"
// JSON: "m_from": 33,
// JSON-NEXT: "m_to": 64,
// JSON: "cost": "699 * ceil(x * y / 132)"
// JSON: "m_from": 33,
// JSON-NEXT: "m_to": 64,
// JSON-NOT: "cost"
// JSON: "m_from": 1025,
func.func private @matmul(memref<?x?xf16, strided<[?, 1], offset: ?>>, memref<?xi8>, memref<?x?xf16, strided<[?, 1], offset: ?>>) attributes {qk_kernel.nvvm_matmul = {element = f16, k = 8192 : i64, layout = "nvvm-mma", scheme = #quant_llm.scheme<u4, group = 128, scale = f16>}}
