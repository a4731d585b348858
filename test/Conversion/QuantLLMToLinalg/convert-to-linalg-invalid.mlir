// RUN: qk-opt %s -split-input-file -verify-diagnostics --quant-llm-convert-to-linalg
// RUN: not qk-opt %s --quant-llm-to-linalg="parameters=files" 2>&1 | FileCheck %s --check-prefix=PARAMETERS
// PARAMETERS: error: expected parameters to be inline or named, got 'files'
// RUN: not qk-opt %s --quant-llm-to-linalg="output-weights=x.safetensors" 2>&1 | FileCheck %s --check-prefix=INLINE
// INLINE: error: output-weights is for parameters=named; inline they are in the module
// RUN: not qk-opt %s -split-input-file --quant-llm-to-linalg="parameters=named" 2>&1 | FileCheck %s --check-prefix=FILE
// FILE: :[[#@LINE+7]]:8: error: 'fc.codes' as 'tensor<2x1x4xi8>' is in no file of the module; expected output-weights=FILE.safetensors to write it to
// RUN: not qk-opt %s -split-input-file --quant-llm-to-linalg="parameters=named output-weights=%t.missing/x.safetensors" --allow-unregistered-dialect 2>&1 | FileCheck %s --check-prefix=WRITE
// WRITE: error: can't write the parameters: {{.*}}x.safetensors: cannot be written: No such file or directory

func.func @written(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x4xi8> = dense<3> : tensor<2x4xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x1xf32> = dense<0.5> : tensor<2x1xf32>
  %y = quant_llm.matmul %x, %c, %s scheme(<s8, group = -1, scale = f32>) name("fc") : (tensor<1x4xf32>, tensor<2x4xi8>, tensor<2x1xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

func.func @computed(%x: tensor<1x4xf32>, %c: tensor<2x4xi4>, %s: tensor<2x1xf32>) -> tensor<1x2xf32> {
  // expected-error @+1 {{expected codes to be a parameter, which evaluating the recipe leaves; run quant-llm-evaluate first}}
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = -1, scale = f32>) name("fc") : (tensor<1x4xf32>, tensor<2x4xi4>, tensor<2x1xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

func.func @zeros(%x: tensor<1x4xi8>, %sx: tensor<1x1xf32>, %z: tensor<2x1xi8>) -> tensor<1x2xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x4xi4> = dense<3> : tensor<2x2xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x1xf32> = dense<0.5> : tensor<2x1xf32>
  // expected-error @+1 {{expected zero points to be a parameter, which evaluating the recipe leaves; run quant-llm-evaluate first}}
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) x_scales(%sx) scheme(<u4, group = -1, scale = f32>) x_scheme(<8, per_token>) name("fc") : (tensor<1x4xi8>, tensor<2x4xi4>, tensor<2x1xf32>, tensor<2x1xi8>, tensor<1x1xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

func.func @packed(%x: tensor<1x4xf32>, %b: tensor<128xi8>) -> tensor<1x2xf32> {
  // expected-error @+1 {{'quant_llm.packed_matmul' op has no form in linalg; expected a module before observing, packing and choosing kernels}}
  %y = quant_llm.packed_matmul %x, %b scheme(<u4, group = 4, scale = f16>) n = 2 k = 4 layout("example") name("fc") : (tensor<1x4xf32>, tensor<128xi8>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}
