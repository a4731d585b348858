// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// SmoothQuant's factors of one and several weights.

// CHECK-LABEL: func.func @group(
// CHECK: quant_llm.smoothing_factors %{{.*}}, (%{{.*}}, %{{.*}}) alpha = 5.000000e-01 : tensor<8xf32>, (tensor<4x8xf32>, tensor<2x8xf16>){{$}}
func.func @group(%a: tensor<8xf32>, %q: tensor<4x8xf32>, %k: tensor<2x8xf16>) -> tensor<8xf32> {
  %s = quant_llm.smoothing_factors %a, (%q, %k) alpha = 5.000000e-01 : tensor<8xf32>, (tensor<4x8xf32>, tensor<2x8xf16>)
  return %s : tensor<8xf32>
}

// The ends of alpha's range.
// CHECK-LABEL: func.func @ends(
// CHECK: quant_llm.smoothing_factors %{{.*}}, (%{{.*}}) alpha = 0.000000e+00 : tensor<8xf32>, (tensor<4x8xf32>){{$}}
// CHECK: quant_llm.smoothing_factors %{{.*}}, (%{{.*}}) alpha = 1.000000e+00 : tensor<8xf32>, (tensor<4x8xf32>){{$}}
func.func @ends(%a: tensor<8xf32>, %q: tensor<4x8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %s = quant_llm.smoothing_factors %a, (%q) alpha = 0.000000e+00 : tensor<8xf32>, (tensor<4x8xf32>)
  %t = quant_llm.smoothing_factors %a, (%q) alpha = 1.000000e+00 : tensor<8xf32>, (tensor<4x8xf32>)
  return %s, %t : tensor<8xf32>, tensor<8xf32>
}

// Channels 0 and 2, 1 and 3, 4 and 6, 5 and 7 have one factor.
// CHECK-LABEL: func.func @shared(
// CHECK: quant_llm.smoothing_factors %{{.*}}, (%{{.*}}) alpha = 5.000000e-01 {shared = array<i64: 2, 2>} : tensor<8xf32>, (tensor<4x8xf32>){{$}}
func.func @shared(%a: tensor<8xf32>, %q: tensor<4x8xf32>) -> tensor<8xf32> {
  %s = quant_llm.smoothing_factors %a, (%q) alpha = 5.000000e-01 {shared = array<i64: 2, 2>} : tensor<8xf32>, (tensor<4x8xf32>)
  return %s : tensor<8xf32>
}
