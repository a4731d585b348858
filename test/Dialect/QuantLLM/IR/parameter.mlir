// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// A named parameter: in a file, inline, of sub-byte elements.

// CHECK-LABEL: func.func @file(
// CHECK: quant_llm.parameter "model"::"fc.weight" : tensor<4x8xf32>{{$}}
func.func @file() -> tensor<4x8xf32> {
  %w = quant_llm.parameter "model"::"fc.weight" : tensor<4x8xf32>
  return %w : tensor<4x8xf32>
}

// Inline, in the type of its storage.
// CHECK-LABEL: func.func @inline(
// CHECK: quant_llm.parameter ""::"fc.bias" : tensor<2xf16> = dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf16>{{$}}
// CHECK: quant_llm.parameter ""::"fc.codes" : tensor<2x3xi4> = dense<17> : tensor<2x2xi8>{{$}}
func.func @inline() -> (tensor<2xf16>, tensor<2x3xi4>) {
  %b = quant_llm.parameter ""::"fc.bias" : tensor<2xf16> = dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf16>
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x3xi4> = dense<17> : tensor<2x2xi8>
  return %b, %c : tensor<2xf16>, tensor<2x3xi4>
}

// Names are arbitrary strings.
// CHECK-LABEL: func.func @names(
// CHECK: quant_llm.parameter "a \22b\22"::"x::y/z" : tensor<i32>{{$}}
func.func @names() -> tensor<i32> {
  %w = quant_llm.parameter "a \22b\22"::"x::y/z" : tensor<i32>
  return %w : tensor<i32>
}

// A part of a file's tensor.
// CHECK-LABEL: func.func @part(
// CHECK: quant_llm.parameter "model"::"stack" {part = #quant_llm.part<offset = 16, sizes = [2, 8], strides = [32, 1]>} : tensor<4x4xf32>{{$}}
func.func @part() -> tensor<4x4xf32> {
  %w = quant_llm.parameter "model"::"stack" {part = #quant_llm.part<offset = 16, sizes = [2, 8], strides = [32, 1]>} : tensor<4x4xf32>
  return %w : tensor<4x4xf32>
}
