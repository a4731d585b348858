// RUN: qk-opt %s --quant-llm-pack-for-nvvm=model=device | FileCheck %s --check-prefix=PACK
// RUN: qk-opt %s --quant-llm-pack-for-nvvm | FileCheck %s --check-prefix=HOST
// RUN: qk-opt %s --lower-to-nvvm="model=device artifacts=%t" -o /dev/null
// RUN: FileCheck %s --check-prefix=JSON --input-file=%t/kernels.json
// RUN: FileCheck %s --check-prefix=PTX --input-file=%t/kernels.ptx
// With model=device a kernel quantises what is per token and of 8 bits; loops do
// the rest. With model=host x is on the host, which quantises it.

// PACK-LABEL: func.func @smooth(
// PACK: %[[X:.*]] = tensor.collapse_shape %{{.*}} {{\[\[}}0, 1], [2]] : tensor<2x?x24xf16> into tensor<?x24xf16>
// PACK: %[[C:.*]], %[[S:.*]] = quant_llm.quantize %[[X]] divided_by(%{{.*}} : tensor<24xf32>) scheme(<8, per_token>) {quant_llm.kernel = @qk_quantize_s8_k24_xf16_divided_launch} : tensor<?x24xf16> -> tensor<?x24xi8>, tensor<?x1xf32>
// PACK: tensor.expand_shape %[[C]]
// PACK: tensor.expand_shape %[[S]]
// HOST-LABEL: func.func @smooth(
// HOST: quant_llm.quantize %{{.*}} divided_by(%{{.*}} : tensor<24xf32>) scheme(<8, per_token>) : tensor<2x?x24xf16>
func.func @smooth(%x: tensor<2x?x24xf16>, %f: tensor<24xf32>) -> (tensor<2x?x24xi8>, tensor<2x?x1xf32>) {
  %c, %s = quant_llm.quantize %x divided_by(%f : tensor<24xf32>) scheme(<8, per_token>) : tensor<2x?x24xf16> -> tensor<2x?x24xi8>, tensor<2x?x1xf32>
  return %c, %s : tensor<2x?x24xi8>, tensor<2x?x1xf32>
}

// PACK-LABEL: func.func @loops(
// PACK-NOT: quant_llm.kernel
// PACK: return
func.func @loops(%x: tensor<4x24xf32>) -> (tensor<4x24xi16>, tensor<4x1xf32>, tensor<4x24xi8>, tensor<1x1xf32>) {
  %c, %s = quant_llm.quantize %x scheme(<16, per_token>) : tensor<4x24xf32> -> tensor<4x24xi16>, tensor<4x1xf32>
  %d, %t = quant_llm.quantize %x scheme(<8, per_tensor>) : tensor<4x24xf32> -> tensor<4x24xi8>, tensor<1x1xf32>
  return %c, %s, %d, %t : tensor<4x24xi16>, tensor<4x1xf32>, tensor<4x24xi8>, tensor<1x1xf32>
}

// PACK: func.func private @qk_quantize_s8_k24_xf16_divided_launch(memref<?x?xf16, strided<[?, 1], offset: ?>>, memref<?xf32>, memref<?x?xi8, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>) attributes {qk_kernel.nvvm_quantizer = {element = f16, factors, k = 24 : i64}}

// JSON: "block": [
// JSON-NEXT: 32,
// JSON: "dynamic_shared_bytes": 0,
// JSON: "family": "quantizer",
// JSON: "x": "m",
// JSON: "name": "qk_quantize_s8_k24_xf16_divided",
// JSON: "name": "x",
// JSON: "type": "const f16 *"
// JSON: "name": "factors",
// JSON: "type": "const f32 *"
// JSON: "name": "codes",
// JSON: "name": "scales",

// x 16 bytes at a time, correctly rounded quotients, no local memory.
// PTX: .entry qk_quantize_s8_k24_xf16_divided(
// PTX-NOT: .local
// PTX: ld.global{{.*}}.v4.b32
// PTX: div.rn.f32
// PTX: shfl.sync.bfly.b32
// PTX: st.global.v2.b32
