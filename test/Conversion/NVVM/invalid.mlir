// RUN: split-file %s %t
// RUN: qk-opt %t/chip.mlir --verify-diagnostics --quant-llm-pack-for-nvvm=chip=sm_70
// RUN: qk-opt %t/chip.mlir --verify-diagnostics --quant-llm-emit-nvvm-kernels=chip=sm_70
// RUN: qk-opt %t/host.mlir --verify-diagnostics --quant-llm-pack-for-nvvm=host=maybe
// RUN: qk-opt %t/format.mlir --verify-diagnostics --quant-llm-serialize-nvvm-kernels=format=elf
// RUN: qk-opt %t/pack.mlir --verify-diagnostics --split-input-file --quant-llm-pack-for-nvvm
// RUN: qk-opt %t/emit.mlir --verify-diagnostics --split-input-file --quant-llm-emit-nvvm-kernels
// RUN: qk-opt %t/unknown.mlir --allow-unregistered-dialect --verify-diagnostics --quant-llm-emit-nvvm-kernels
// What the passes refuse.

//--- chip.mlir
// expected-error@+1 {{unknown chip 'sm_70', expected one of sm_75, sm_80, sm_86, sm_89, sm_90, sm_90a, sm_100a, sm_120}}
module {}

//--- host.mlir
// expected-error@+1 {{unknown host 'maybe', expected launch or keep}}
module {}

//--- format.mlir
// expected-error@+1 {{unknown format 'elf', expected isa, bin or fatbin}}
module {}

//--- pack.mlir
func.func @quantized(%x: tensor<?x10xi8>, %xs: tensor<?x1xf32>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"q.codes" : tensor<4x10xi4> = dense<33> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"q.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  // expected-error@+1 {{layer 'q': expected activations of f32, f16 or bf16, got 'i8'; the GPU has no kernel for quantised activations yet, lower the float form}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%xs) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_token>) name("q") : (tensor<?x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<?x1xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// A recipe that nobody evaluated.
func.func @recipe(%x: tensor<?x10xf32>, %w: tensor<4x10xf32>) -> tensor<?x4xf32> {
  %c, %s = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) symmetric : tensor<4x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>
  // expected-error@+1 {{run quant-llm-evaluate}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("r") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

//--- emit.mlir
// Bytes that are not this layout's.
func.func @bytes(%x: tensor<?x10xf32>, %b: tensor<128xi8>) -> tensor<?x4xf32> {
  // expected-error@+1 {{layer 'fc': expected 1792 packed bytes in layout nvvm-simt, got 128}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("nvvm-simt") name("fc") : (tensor<?x10xf32>, tensor<128xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @channels(%x: tensor<?x10xf32>, %b: tensor<128xi8>) -> tensor<?x3000000xf32> {
  // expected-error@+1 {{layer 'fc': expected at most 2097120 output channels, got 3000000}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 3000000 k = 10 layout("nvvm-simt") name("fc") : (tensor<?x10xf32>, tensor<128xi8>) -> tensor<?x3000000xf32>
  return %y : tensor<?x3000000xf32>
}

// -----

func.func @inputs(%x: tensor<?x2000000000xf32>, %b: tensor<128xi8>) -> tensor<?x4xf32> {
  // expected-error@+1 {{layer 'fc': expected at most 1073741824 input channels, got 2000000000}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 2000000000 layout("nvvm-simt") name("fc") : (tensor<?x2000000000xf32>, tensor<128xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @rank(%x: tensor<2x3x10xf32>, %b: tensor<1792xi8>) -> tensor<2x3x4xf32> {
  // expected-error@+1 {{layer 'fc': expected x of two dimensions, which quant-llm-pack-for-nvvm makes, got 3}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("nvvm-simt") name("fc") : (tensor<2x3x10xf32>, tensor<1792xi8>) -> tensor<2x3x4xf32>
  return %y : tensor<2x3x4xf32>
}

// -----

// expected-error@+1 {{malformed kernel specification; it must be as quant-llm-pack-for-nvvm wrote it}}
func.func private @spec(memref<?x?xf32>) attributes {qk_kernel.nvvm_matmul = {k = 10 : i64}}

//--- unknown.mlir
"other.func"() ({
^bb0(%x: tensor<3x10xf32>, %w: tensor<1792xi8>):
  // expected-error@+1 {{layer 'a': can't write a call inside of 'other.func', whose dialect is not linked; expected func.func or util.func}}
  %y = quant_llm.packed_matmul %x, %w scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("nvvm-simt") name("a") : (tensor<3x10xf32>, tensor<1792xi8>) -> tensor<3x4xf32>
  "other.return"(%y) : (tensor<3x4xf32>) -> ()
}) : () -> ()
