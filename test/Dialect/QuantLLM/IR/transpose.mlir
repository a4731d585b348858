// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// A weight stored as [K,N].

// CHECK-LABEL: func.func @transpose(
// CHECK: quant_llm.transpose %{{.*}} : tensor<8x4xf32>{{$}}
func.func @transpose(%w: tensor<8x4xf32>) -> tensor<4x8xf32> {
  %0 = quant_llm.transpose %w : tensor<8x4xf32>
  return %0 : tensor<4x8xf32>
}

// A dynamic size moves with its dimension.
// CHECK-LABEL: func.func @dynamic(
// CHECK: quant_llm.transpose %{{.*}} : tensor<?x4xbf16>{{$}}
func.func @dynamic(%w: tensor<?x4xbf16>) -> tensor<4x?xbf16> {
  %0 = quant_llm.transpose %w : tensor<?x4xbf16>
  return %0 : tensor<4x?xbf16>
}
