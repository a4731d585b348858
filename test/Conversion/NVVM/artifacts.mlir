// RUN: rm -rf %t && qk-opt %s -o %t.out.mlir --quant-llm-emit-nvvm-kernels=chip=sm_90a --quant-llm-serialize-nvvm-kernels=artifacts=%t/new/folder
// RUN: FileCheck %s --check-prefix=PTX --input-file=%t/new/folder/kernels.ptx
// RUN: FileCheck %s --check-prefix=JSON --input-file=%t/new/folder/kernels.json
// RUN: ls %t/new/folder | FileCheck %s --check-prefix=FILES
// RUN: not qk-opt %s --quant-llm-emit-nvvm-kernels --quant-llm-serialize-nvvm-kernels=artifacts=/dev/null/folder 2>&1 | FileCheck %s --check-prefix=ERROR
// Files beside the module, whole or not at all.

// PTX: .target sm_90a
// PTX: .visible .entry qk_matmul_u4_k256_g64_sf16_zero_xbf16_simt_1x32

// JSON: "chip": "sm_90a"
// JSON: "file": "kernels.ptx"
// JSON: "format": "isa"
// JSON: "functions": [
// JSON: "kernels": [
// JSON-NEXT: "qk_matmul_u4_k256_g64_sf16_zero_xbf16_simt_1x32",
// JSON-NEXT: "qk_matmul_u4_k256_g64_sf16_zero_xbf16_simt_8x64"
// JSON: "name": "qk_matmul_u4_k256_g64_sf16_zero_xbf16_n96"
// JSON: "type": "(tensor<?x256xbf16>, tensor<13440xi8>) -> tensor<?x96xbf16>"
// JSON: "kernels": [
// JSON: "block": [
// JSON-NEXT: 64,
// JSON: "dynamic_shared_bytes": 0,
// JSON: "family": "simt",
// JSON: "grid": {
// JSON-NEXT: "x": "ceil(m / 1)",
// JSON-NEXT: "y": "ceil(n / 32)",
// JSON: "layout": {
// JSON-NEXT: "name": "nvvm-simt",
// JSON-NEXT: "row_block_bytes": 4480,
// JSON-NEXT: "row_block_channels": 32,
// JSON-NEXT: "scales_offset": 4096,
// JSON-NEXT: "unit_vectors": 1,
// JSON-NEXT: "units": 8,
// JSON-NEXT: "zero_points_offset": 4352
// JSON: "m_from": 1,
// JSON-NEXT: "m_to": 1,
// JSON-NEXT: "max_registers": 96,
// JSON-NEXT: "name": "qk_matmul_u4_k256_g64_sf16_zero_xbf16_simt_1x32"
// JSON: "parameters": [
// JSON: "name": "x",
// JSON-NEXT: "shape": "m, k",
// JSON-NEXT: "type": "const bf16 *"
// JSON: "reason": "M = 1
// JSON: "scheme": "#quant_llm.scheme<u4, group = 64, scale = f16>"
// JSON: "static_shared_bytes": 1024
// JSON: "name": "qk_matmul_u4_k256_g64_sf16_zero_xbf16_simt_8x64"

// FILES: kernels.json
// FILES-NEXT: kernels.ptx
// FILES-NOT: {{.}}

// ERROR: error: can't write '/dev/null/folder/kernels.ptx': Not a directory

func.func @f(%x: tensor<?x256xbf16>, %w: tensor<13440xi8>) -> tensor<?x96xbf16> {
  %y = quant_llm.packed_matmul %x, %w scheme(<u4, group = 64, scale = f16>) n = 96 k = 256 layout("nvvm-simt") zero_points name("fc") : (tensor<?x256xbf16>, tensor<13440xi8>) -> tensor<?x96xbf16>
  return %y : tensor<?x96xbf16>
}
