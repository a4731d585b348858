// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// RUN: qk-opt %s | FileCheck %s --strict-whitespace --check-prefix=SPACE
// Statistics of a layer's input, of every kind.

// SPACE: quant_llm.statistic hessian of
// CHECK-LABEL: func.func @statistic(
// CHECK: quant_llm.statistic hessian of "fc" : tensor<8x8xf32>{{$}}
// CHECK: quant_llm.statistic absmax of "fc" : tensor<8xf32>{{$}}
// CHECK: quant_llm.statistic absmean of "fc" : tensor<8xf32>{{$}}
// CHECK: quant_llm.statistic cross of "fc" : tensor<8x8xf32>{{$}}
// CHECK: quant_llm.statistic residual of "fc" : tensor<4x8xf32>{{$}}
func.func @statistic() -> (tensor<8x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8x8xf32>, tensor<4x8xf32>) {
  %h = quant_llm.statistic hessian of "fc" : tensor<8x8xf32>
  %a = quant_llm.statistic absmax of "fc" : tensor<8xf32>
  %m = quant_llm.statistic absmean of "fc" : tensor<8xf32>
  %c = quant_llm.statistic cross of "fc" : tensor<8x8xf32>
  %r = quant_llm.statistic residual of "fc" : tensor<4x8xf32>
  return %h, %a, %m, %c, %r : tensor<8x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8x8xf32>, tensor<4x8xf32>
}
