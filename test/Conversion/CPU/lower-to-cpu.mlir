// RUN: qk-opt %s --quant-llm-lower-to-cpu=isa=portable | FileCheck %s
// RUN: qk-opt %s --quant-llm-lower-to-cpu="isa=avx512-vnni activations=float" | FileCheck %s --check-prefix=FLOAT
// RUN: qk-opt %s --quant-llm-lower-to-cpu="isa=portable arithmetic=plain" | FileCheck %s --check-prefix=PLAIN
// RUN: not qk-opt %s --quant-llm-lower-to-cpu=arithmetic=slow 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: Cannot find option named 'slow'
// The whole way: nothing but LLVM is left; weights are external symbols.

// CHECK: module attributes {quant_llm.externals = [{symbol = "qk_fc.packed", value = dense_resource<fc.packed> : tensor<1152xi8>}]}
// CHECK-NOT: {{ (func|memref|arith|scf|vector|linalg|tensor|quant_llm|qk_kernel)\.[a-z_]+ }}
// CHECK: llvm.mlir.global external constant @qk_fc.packed()
// CHECK: llvm.func @main(
// CHECK: llvm.call @qk_quantize_int16_g4_k10_f32
// CHECK: llvm.call @qk_matmul_u4_g4_f16_k10_int16_f32
// FLOAT-NOT: qk_quantize
// FLOAT: llvm.call @qk_matmul_u4_g4_f16_k10_float_f32
// FLOAT: target_cpu = "x86-64-v4"
func.func @main(%x: tensor<?x10xf32>) -> tensor<?x4xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<4x10xi4> = dense<17> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xf32>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// bf16 is i16 inside of kernels; no cast is left.
// CHECK: llvm.func @bf16(
// CHECK: llvm.call @qk_matmul_u4_g4_f16_k10_int16_bf16
// CHECK-NOT: unrealized_conversion_cast
func.func @bf16(%x: tensor<?x10xbf16>) -> tensor<?x4xbf16> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<4x10xi4> = dense<17> : tensor<4x5xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<4x3xf16> = dense<0.5> : tensor<4x3xf16>
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x10xbf16>, tensor<4x10xi4>, tensor<4x3xf16>) -> tensor<?x4xbf16>
  return %y : tensor<?x4xbf16>
}

// Float layers: products by BLAS, or with arithmetic=plain summed in order.
// CHECK: llvm.func @unquantised(
// CHECK: llvm.call @qk_sgemm_batch(
// PLAIN: llvm.func @unquantised(
// PLAIN: llvm.call @qk_sgemm_ordered_batch(
func.func @unquantised(%x: tensor<?x10xf32>, %w: tensor<4x10xf32>) -> tensor<?x4xf32> {
  %y = quant_llm.linear %x, %w name("head") : (tensor<?x10xf32>, tensor<4x10xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
