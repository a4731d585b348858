// RUN: qk-opt %s --quant-llm-pack --split-input-file --verify-diagnostics
// RUN: not qk-opt %s --quant-llm-pack=activations=a16 2>&1 | FileCheck %s
// Every message of quant-llm-pack.

// CHECK: unknown activations 'a16', expected int16, int8 or float

func.func @not_evaluated(%x: tensor<?x10xf32>, %c: tensor<4x10xi4>, %s: tensor<4x3xf16>) -> tensor<?x4xf32> {
  // expected-error@below {{expected codes to be a parameter, which evaluating the recipe leaves; run quant-llm-evaluate first}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @zero_points(%x: tensor<?x10xi8>, %xs: tensor<?x1xf32>, %xz: tensor<?x1xi8>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<4x10xi4> = dense<33> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  // expected-error@below {{layer 'fc': CPU kernels take symmetric activations only, got zero points; quantise x without}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%xs) x_zero_points(%xz) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_token>) name("fc") : (tensor<?x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<?x1xf32>, tensor<?x1xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @other_groups(%x: tensor<?x10xi8>, %xs: tensor<?x2xf32>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<4x10xi4> = dense<33> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  // expected-error@below {{layer 'fc': expected activation groups as long as the weight's, 4, got 8}}
  %y = quant_llm.matmul %x, %c, %s x_scales(%xs) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_token_group, group = 8>) name("fc") : (tensor<?x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<?x2xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @permuted_groups(%x: tensor<?x10xi8>, %xs: tensor<?x3xf32>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<4x10xi4> = dense<33> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  %p = quant_llm.parameter ""::"fc.permutation" : tensor<10xi32> = dense<[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]> : tensor<10xi32>
  // expected-error@below {{layer 'fc': CPU kernels cannot permute activations that are quantised in groups; quantise x per token, or permute it before}}
  %y = quant_llm.matmul %x, %c, %s permutation(%p) x_scales(%xs) scheme(<u4, group = 4, scale = f16>) x_scheme(<8, per_token_group, group = 4>) name("fc") : (tensor<?x10xi8>, tensor<4x10xi4>, tensor<4x3xf16>, tensor<10xi32>, tensor<?x3xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @bytes(%x: tensor<?x10xf32>, %b: tensor<128xi8>) -> tensor<?x4xf32> {
  // expected-error@below {{layer 'fc': expected 1152 packed bytes for its scheme, n and k, got 128}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("cpu-tile64") name("fc") : (tensor<?x10xf32>, tensor<128xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

func.func @pack_bytes() -> tensor<128xi8> {
  %c = quant_llm.parameter ""::"p.codes" : tensor<4x10xi4> = dense<49> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"p.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  // expected-error@below {{expected 'tensor<1152xi8>' for layout 'cpu-tile64', got 'tensor<128xi8>'}}
  %b = quant_llm.pack %c, %s scheme(<u4, group = 4, scale = f16>) layout("cpu-tile64") : tensor<4x10xi4>, tensor<4x3xf16> -> tensor<128xi8>
  return %b : tensor<128xi8>
}

// -----

func.func @float8() -> tensor<128xi8> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<4x10xi8> = dense<33> : tensor<4x10xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<4x1xf16> = dense<0.5> : tensor<4x1xf16>
  // expected-error@below {{layout 'cpu-tile64' holds integer codes, got e4m3; no CPU kernel multiplies it: leave the matmul unpacked, which is then computed in f32}}
  %b = quant_llm.pack %c, %s scheme(<e4m3, group = -1, scale = f16>) layout("cpu-tile64") : tensor<4x10xi8>, tensor<4x1xf16> -> tensor<128xi8>
  return %b : tensor<128xi8>
}
