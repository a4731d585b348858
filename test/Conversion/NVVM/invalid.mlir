// RUN: split-file %s %t
// RUN: qk-opt %t/chip.mlir --verify-diagnostics --quant-llm-pack-for-nvvm=chip=sm_70
// RUN: qk-opt %t/chip.mlir --verify-diagnostics --quant-llm-emit-nvvm-kernels=chip=sm_70
// RUN: qk-opt %t/host.mlir --verify-diagnostics --quant-llm-pack-for-nvvm=host=maybe
// RUN: qk-opt %t/model.mlir --verify-diagnostics --quant-llm-pack-for-nvvm=model=elsewhere
// RUN: qk-opt %t/both.mlir --verify-diagnostics --quant-llm-pack-for-nvvm="model=device host=keep"
// RUN: qk-opt %t/format.mlir --verify-diagnostics --quant-llm-serialize-nvvm-kernels=format=elf
// RUN: qk-opt %t/pack.mlir --verify-diagnostics --split-input-file --quant-llm-pack-for-nvvm
// RUN: qk-opt %t/old.mlir --verify-diagnostics --split-input-file --quant-llm-emit-nvvm-kernels=chip=sm_75
// RUN: qk-opt %t/pack-old.mlir --verify-diagnostics --quant-llm-pack-for-nvvm=chip=sm_75
// RUN: qk-opt %t/emit.mlir --verify-diagnostics --split-input-file --quant-llm-emit-nvvm-kernels
// RUN: qk-opt %t/unknown.mlir --allow-unregistered-dialect --verify-diagnostics --quant-llm-emit-nvvm-kernels
// What the passes refuse.

//--- chip.mlir
// expected-error@+1 {{unknown chip 'sm_70', expected one of sm_75, sm_80, sm_86, sm_89, sm_90, sm_90a, sm_100a, sm_120}}
module {}

//--- model.mlir
// expected-error@+1 {{unknown model 'elsewhere', expected host or device}}
module {}

//--- both.mlir
// expected-error@+1 {{model=device lowers the whole module, host=keep leaves everything but matmuls as it is; give one of them}}
module {}

//--- host.mlir
// expected-error@+1 {{unknown host 'maybe', expected launch or keep}}
module {}

//--- format.mlir
// expected-error@+1 {{unknown format 'elf', expected isa, bin or fatbin}}
module {}

//--- pack.mlir
func.func @words(%x: tensor<?x10xi16>, %xs: tensor<?x1xf32>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"q.codes" : tensor<4x10xi8> = dense<3> : tensor<4x10xi8>
  %s = quant_llm.parameter ""::"q.scales" : tensor<4x1xf16> = dense<0.5> : tensor<4x1xf16>
  // expected-error@+1 {{layer 'q': expected activations of f32, f16, bf16 or i8, got 'i16'; the GPU has no kernel for other quantised activations yet, lower the float form}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%xs) scheme(<s8, group = -1, scale = f16>) x_scheme(<16, per_token>) name("q") : (tensor<?x10xi16>, tensor<4x10xi8>, tensor<4x1xf16>, tensor<?x1xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @group_scales(%x: tensor<?x10xi8>, %xs: tensor<?x2xf32>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"q.codes" : tensor<4x10xi8> = dense<3> : tensor<4x10xi8>
  %s = quant_llm.parameter ""::"q.scales" : tensor<4x2xf16> = dense<0.5> : tensor<4x2xf16>
  // expected-error@+1 {{layer 'q': the GPU's kernels take activations of 8 bits with a scale for each token or for all of them, got #quant_llm.activation_scheme<8, per_token_group, group = 5>; quantise per_token or per_tensor}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%xs) scheme(<s8, group = 5, scale = f16>) x_scheme(<8, per_token_group, group = 5>) name("q") : (tensor<?x10xi8>, tensor<4x10xi8>, tensor<4x2xf16>, tensor<?x2xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @x_zero_points(%x: tensor<?x10xi8>, %xs: tensor<?x1xf32>, %xz: tensor<?x1xi8>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"q.codes" : tensor<4x10xi8> = dense<3> : tensor<4x10xi8>
  %s = quant_llm.parameter ""::"q.scales" : tensor<4x1xf16> = dense<0.5> : tensor<4x1xf16>
  // expected-error@+1 {{layer 'q': the GPU has no kernel for activations with zero points yet; quantise them symmetrically}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%xs) x_zero_points(%xz) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) name("q") : (tensor<?x10xi8>, tensor<4x10xi8>, tensor<4x1xf16>, tensor<?x1xf32>, tensor<?x1xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// The default chip is sm_80.
func.func @float8(%x: tensor<?x10xi8>, %xs: tensor<?x1xf32>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"q.codes" : tensor<4x10xi8> = dense<3> : tensor<4x10xi8>
  %s = quant_llm.parameter ""::"q.scales" : tensor<4x1xf16> = dense<0.5> : tensor<4x1xf16>
  // expected-error@+1 {{layer 'q': codes of e4m3 need sm_89 or later, got sm_80; quantise with format=int8}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%xs) scheme(<e4m3, group = -1, scale = f16>) x_scheme(<e4m3, per_token>) name("q") : (tensor<?x10xi8>, tensor<4x10xi8>, tensor<4x1xf16>, tensor<?x1xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @two_kinds(%x: tensor<?x10xi8>, %xs: tensor<?x1xf32>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"q.codes" : tensor<4x10xi8> = dense<3> : tensor<4x10xi8>
  %s = quant_llm.parameter ""::"q.scales" : tensor<4x1xf16> = dense<0.5> : tensor<4x1xf16>
  // expected-error@+1 {{layer 'q': the GPU's kernels multiply bytes of one kind, got #quant_llm.activation_scheme<e4m3, per_token> activations and s8 codes; quantise both with one format}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%xs) scheme(<s8, group = -1, scale = f16>) x_scheme(<e4m3, per_token>) name("q") : (tensor<?x10xi8>, tensor<4x10xi8>, tensor<4x1xf16>, tensor<?x1xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @float8_weights_alone(%x: tensor<?x10xf16>) -> tensor<?x4xf16> {
  %c = quant_llm.parameter ""::"q.codes" : tensor<4x10xi8> = dense<3> : tensor<4x10xi8>
  %s = quant_llm.parameter ""::"q.scales" : tensor<4x1xf16> = dense<0.5> : tensor<4x1xf16>
  // expected-error@+1 {{layer 'q': codes of e4m3 need activations of e4m3, got floats; quantise x with the same format, per token}}
  %y = quant_llm.matmul %x, %c, %s scheme(<e4m3, group = -1, scale = f16>) name("q") : (tensor<?x10xf16>, tensor<4x10xi8>, tensor<4x1xf16>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// -----

// A recipe that nobody evaluated.
func.func @recipe(%x: tensor<?x10xf32>, %w: tensor<4x10xf32>) -> tensor<?x4xf32> {
  %c, %s = quant_llm.round_to_nearest %w scheme(<u4, group = 4, scale = f16>) symmetric : tensor<4x10xf32> -> tensor<4x10xi4>, tensor<4x3xf16>
  // expected-error@+1 {{run quant-llm-evaluate}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("r") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

//--- pack-old.mlir
func.func @f(%x: tensor<?x10xi8>, %xs: tensor<?x1xf32>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"q.codes" : tensor<4x10xi8> = dense<3> : tensor<4x10xi8>
  %s = quant_llm.parameter ""::"q.scales" : tensor<4x1xf16> = dense<0.5> : tensor<4x1xf16>
  // expected-error@+1 {{layer 'q': layout nvvm-mma-s8 needs mma.sync as sm_80 and later have it, got sm_75}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%xs) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) name("q") : (tensor<?x10xi8>, tensor<4x10xi8>, tensor<4x1xf16>, tensor<?x1xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

//--- old.mlir
// Packed for a newer chip.
func.func @call(%x: tensor<?x64xf16>, %b: tensor<640xi8>) -> tensor<?x4xf16> {
  // expected-error@+1 {{layer 'fc': layout nvvm-mma needs mma.sync as sm_80 and later have it, got sm_75}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = -1, scale = f16>) n = 4 k = 64 layout("nvvm-mma") name("fc") : (tensor<?x64xf16>, tensor<640xi8>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// -----

// expected-error@+1 {{layout nvvm-mma needs mma.sync as sm_80 and later have it, got sm_75}}
func.func private @spec(memref<?x?xf16>) attributes {qk_kernel.nvvm_matmul = {k = 64 : i64, scheme = #quant_llm.scheme<u4, group = -1, scale = f16>, element = f16, layout = "nvvm-mma"}}

//--- emit.mlir
func.func @f32(%x: tensor<?x64xf32>, %b: tensor<640xi8>) -> tensor<?x4xf32> {
  // expected-error@+1 {{layer 'fc': layout nvvm-mma does not take this: activations of f32, which tensor cores would round}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = -1, scale = f16>) n = 4 k = 64 layout("nvvm-mma") name("fc") : (tensor<?x64xf32>, tensor<640xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @s8(%x: tensor<?x64xf16>, %b: tensor<640xi8>) -> tensor<?x4xf16> {
  // expected-error@+1 {{layer 'fc': layout nvvm-mma-s8 takes activations of 8 bits only}}
  %y = quant_llm.packed_matmul %x, %b scheme(<s8, group = -1, scale = f16>) n = 4 k = 64 layout("nvvm-mma-s8") name("fc") : (tensor<?x64xf16>, tensor<640xi8>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// -----

func.func @i8(%x: tensor<?x64xi8>, %xs: tensor<?x1xf32>, %b: tensor<640xi8>) -> tensor<?x4xf16> {
  // expected-error@+1 {{layer 'fc': layout nvvm-mma takes no activations of 8 bits}}
  %y = quant_llm.packed_matmul %x, %b x_scales(%xs) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) n = 4 k = 64 layout("nvvm-mma") name("fc") : (tensor<?x64xi8>, tensor<640xi8>, tensor<?x1xf32>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// -----

func.func @long(%x: tensor<?x200000xi8>, %xs: tensor<?x1xf32>, %b: tensor<640xi8>) -> tensor<?x4xf16> {
  // expected-error@+1 {{layer 'fc': expected at most 131072 input channels with one scale for activations of 8 bits, got 200000}}
  %y = quant_llm.packed_matmul %x, %b x_scales(%xs) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) n = 4 k = 200000 layout("nvvm-mma-s8") name("fc") : (tensor<?x200000xi8>, tensor<640xi8>, tensor<?x1xf32>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// -----

// A code less its zero point has a bit more.
func.func @long_zero(%x: tensor<?x70000xi8>, %xs: tensor<?x1xf32>, %b: tensor<640xi8>) -> tensor<?x4xf16> {
  // expected-error@+1 {{layer 'fc': expected at most 65536 input channels with one scale for activations of 8 bits, got 70000}}
  %y = quant_llm.packed_matmul %x, %b x_scales(%xs) scheme(<u4, group = -1, scale = f16>) x_scheme(<8, per_token>) n = 4 k = 70000 layout("nvvm-mma-s8") zero_points name("fc") : (tensor<?x70000xi8>, tensor<640xi8>, tensor<?x1xf32>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// -----

func.func @simt(%x: tensor<?x64xi8>, %xs: tensor<?x1xf32>, %b: tensor<640xi8>) -> tensor<?x4xf16> {
  // expected-error@+1 {{layer 'fc': layout nvvm-simt takes no activations of 8 bits}}
  %y = quant_llm.packed_matmul %x, %b x_scales(%xs) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) n = 4 k = 64 layout("nvvm-simt") name("fc") : (tensor<?x64xi8>, tensor<640xi8>, tensor<?x1xf32>) -> tensor<?x4xf16>
  return %y : tensor<?x4xf16>
}

// -----

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

// -----

// expected-error@+1 {{malformed quantiser specification; it must be as quant-llm-pack-for-nvvm or quant-llm-fuse-row-quantizers wrote it}}
func.func private @quantizer(memref<?x?xf32>, memref<?x?xi8>, memref<?x?xf32>) attributes {qk_kernel.nvvm_quantizer = {element = f32, factors, k = 10 : i64}}

// -----

// A program: no such program.
// expected-error@+1 {{malformed quantiser specification; it must be as quant-llm-pack-for-nvvm or quant-llm-fuse-row-quantizers wrote it}}
func.func private @quantizer(memref<?x?xf32>, memref<?x?xi8>, memref<?x?xf32>) attributes {qk_kernel.nvvm_quantizer = {element = f32, k = 10 : i64, program = @p}}

// -----

// A program: an argument that lies nowhere.
// expected-error@+1 {{malformed quantiser specification; it must be as quant-llm-pack-for-nvvm or quant-llm-fuse-row-quantizers wrote it}}
func.func private @quantizer(memref<?x?xf32>, memref<?x?xi8>, memref<?x?xf32>) attributes {qk_kernel.nvvm_quantizer = {element = f32, k = 10 : i64, program = @p}}
func.func private @p(%x: vector<10xf32>) -> vector<10xf32> {
  return %x : vector<10xf32>
}

// -----

// A program: a row of another length.
// expected-error@+1 {{malformed quantiser specification; it must be as quant-llm-pack-for-nvvm or quant-llm-fuse-row-quantizers wrote it}}
func.func private @quantizer(memref<?x?xf32>, memref<?x?xi8>, memref<?x?xf32>) attributes {qk_kernel.nvvm_quantizer = {element = f32, k = 10 : i64, program = @p}}
func.func private @p(%x: vector<12xf32> {qk_kernel.source = "row"}) -> vector<12xf32> {
  return %x : vector<12xf32>
}

// -----

// A program: columns exchanged.
// expected-error@+1 {{malformed quantiser specification; it must be as quant-llm-pack-for-nvvm or quant-llm-fuse-row-quantizers wrote it}}
func.func private @quantizer(memref<?x?xf32>, memref<?x?xi8>, memref<?x?xf32>) attributes {qk_kernel.nvvm_quantizer = {element = f32, k = 10 : i64, program = @p}}
func.func private @p(%x: vector<10xf32> {qk_kernel.source = "row"}) -> vector<10xf32> {
  %y = vector.shuffle %x, %x [9, 8, 7, 6, 5, 4, 3, 2, 1, 0] : vector<10xf32>, vector<10xf32>
  return %y : vector<10xf32>
}

//--- unknown.mlir
"other.func"() ({
^bb0(%x: tensor<3x10xf32>, %w: tensor<1792xi8>):
  // expected-error@+1 {{layer 'a': can't write a call inside of 'other.func', whose dialect is not linked; expected func.func or util.func}}
  %y = quant_llm.packed_matmul %x, %w scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("nvvm-simt") name("a") : (tensor<3x10xf32>, tensor<1792xi8>) -> tensor<3x4xf32>
  "other.return"(%y) : (tensor<3x4xf32>) -> ()
}) : () -> ()
