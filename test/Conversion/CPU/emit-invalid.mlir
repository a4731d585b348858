// RUN: qk-opt %s --quant-llm-emit-cpu-kernels --split-input-file --verify-diagnostics
// Specifications that no kernel can be built from.

// expected-error@below {{malformed kernel specification; it must be as quant-llm-pack wrote it}}
func.func private @short(memref<?xi8>) attributes {qk_kernel.matmul = array<i64: 2, 4>}

// -----

// expected-error@below {{malformed kernel specification; it must be as quant-llm-pack wrote it}}
func.func private @code_type(memref<?xi8>) attributes {qk_kernel.matmul = array<i64: 9, 4, 0, 10, 0, 0, 1, 0, 0>}

// -----

// expected-error@below {{malformed kernel specification; it must be as quant-llm-pack wrote it}}
func.func private @quantizer(memref<?xi8>) attributes {qk_kernel.quantizer = array<i64: 10, 0, 1, 0>}
