// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --mlir-print-op-generic | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// Collects a layer's input.

// CHECK-LABEL: func.func @observe(
// CHECK: quant_llm.observe %{{.*}} of "fc" : tensor<1x?x8xf32>{{$}}
func.func @observe(%x: tensor<1x?x8xf32>) {
  quant_llm.observe %x of "fc" : tensor<1x?x8xf32>
  return
}
