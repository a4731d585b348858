// RUN: qk-opt %s --quant-llm-lower-observe | FileCheck %s
// RUN: qk-opt %s --quant-llm-host-to-llvm | FileCheck %s --check-prefix=LLVM

// Layers are numbered in the order of their first op; one declaration a type.
// CHECK: module attributes {quant_llm.observed_layers = ["gate", "down"]}
// CHECK-DAG: func.func private @qk_observe_f32(tensor<*xf32> {bufferization.access = "read"}, i64) attributes {llvm.emit_c_interface}
// CHECK-DAG: func.func private @qk_observe_f16(tensor<*xf16> {bufferization.access = "read"}, i64) attributes {llvm.emit_c_interface}
// CHECK-DAG: func.func private @qk_observe_bf16(tensor<*xbf16> {bufferization.access = "read"}, i64) attributes {llvm.emit_c_interface}
// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[X:.*]]: tensor<1x?x8xf32>, %[[H:.*]]: tensor<4x2xf16>, %[[B:.*]]: tensor<8xbf16>
// CHECK: %[[UX:.*]] = tensor.cast %[[X]] : tensor<1x?x8xf32> to tensor<*xf32>
// CHECK: call @qk_observe_f32(%[[UX]], %c0_i64)
// CHECK: %[[UH:.*]] = tensor.cast %[[H]] : tensor<4x2xf16> to tensor<*xf16>
// CHECK: call @qk_observe_f16(%[[UH]], %c1_i64)
// CHECK: %[[UB:.*]] = tensor.cast %[[B]] : tensor<8xbf16> to tensor<*xbf16>
// CHECK: call @qk_observe_bf16(%[[UB]], %c0_i64
// CHECK-NOT: quant_llm.observe

// The names survive to the code; what is observed isn't copied.
// LLVM: module attributes {{.*}}quant_llm.observed_layers = ["gate", "down"]
// LLVM-LABEL: llvm.func @main(
// LLVM-NOT: @malloc
// LLVM-COUNT-3: llvm.call @qk_observe_
// LLVM: llvm.return
func.func @main(%x: tensor<1x?x8xf32>, %h: tensor<4x2xf16>, %b: tensor<8xbf16>) {
  quant_llm.observe %x of "gate" : tensor<1x?x8xf32>
  quant_llm.observe %h of "down" : tensor<4x2xf16>
  quant_llm.observe %b of "gate" : tensor<8xbf16>
  return
}
