// RUN: qk-opt %s --one-shot-bufferize="bufferize-function-boundaries" --split-input-file --verify-diagnostics
// What bufferization of quant_llm ops refuses.

func.func @no_kernel(%x: tensor<?x10xf32>, %b: tensor<128xi8>) -> tensor<?x4xf32> {
  // expected-error@below {{layer 'fc': expected a kernel that quant-llm-pack declared, got none}}
  // expected-error@below {{failed to bufferize op}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("cpu-tile64") name("fc") : (tensor<?x10xf32>, tensor<128xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func private @f()
func.func @other_function(%x: tensor<?x10xf32>, %b: tensor<128xi8>) -> tensor<?x4xf32> {
  // expected-error@below {{layer 'fc': expected a kernel that quant-llm-pack declared, got @f}}
  // expected-error@below {{failed to bufferize op}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("cpu-tile64") kernel(@f) name("fc") : (tensor<?x10xf32>, tensor<128xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @arguments(%x: tensor<?x10xf32>, %b: tensor<128xi8>) -> tensor<?x4xf32> {
  // expected-error@below {{layer 'fc': kernel @k takes 4 arguments, got 3}}
  // expected-error@below {{failed to bufferize op}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("cpu-tile64") kernel(@k) name("fc") : (tensor<?x10xf32>, tensor<128xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
func.func private @k(memref<?x?xi16, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?xi8>, memref<?x?xf32, strided<[?, 1], offset: ?>>) attributes {qk_kernel.matmul = array<i64: 2, 4, 0, 10, 0, 0, 1, 0, 0>}

// -----

func.func @per_tensor(%x: tensor<?x10xf32>) -> (tensor<?x10xi8>, tensor<1x1xf32>) {
  // expected-error@below {{expected a quantiser that quant-llm-pack declared, got none; lower other quantize ops with quant-llm-to-reference}}
  // expected-error@below {{failed to bufferize op}}
  %c, %s = quant_llm.quantize %x scheme(<8, per_tensor>) : tensor<?x10xf32> -> tensor<?x10xi8>, tensor<1x1xf32>
  return %c, %s : tensor<?x10xi8>, tensor<1x1xf32>
}

// -----

func.func @factors(%x: tensor<?x10xf32>, %f: tensor<10xf32>) -> (tensor<?x10xi8>, tensor<?x1xf32>) {
  // expected-error@below {{quantiser @q takes 3 arguments, got 4}}
  // expected-error@below {{failed to bufferize op}}
  %c, %s = quant_llm.quantize %x divided_by(%f : tensor<10xf32>) scheme(<8, per_token>) {quant_llm.kernel = @q} : tensor<?x10xf32> -> tensor<?x10xi8>, tensor<?x1xf32>
  return %c, %s : tensor<?x10xi8>, tensor<?x1xf32>
}
func.func private @q(memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?x?xi8, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>) attributes {qk_kernel.quantize = array<i64: 10, 10, 2, 0>}

// -----

func.func @sub_byte() -> tensor<4x10xi4> {
  // expected-error@below {{expected elements of at least 8 bits in 'tensor<4x10xi4>'; pack or unpack sub-byte parameters before bufferization}}
  // expected-error@below {{failed to bufferize op}}
  %c = quant_llm.parameter ""::"fc.codes" : tensor<4x10xi4> = dense<33> : tensor<4x5xi8>
  return %c : tensor<4x10xi4>
}
