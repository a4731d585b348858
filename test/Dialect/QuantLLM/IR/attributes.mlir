// RUN: qk-opt %s --allow-unregistered-dialect | qk-opt --allow-unregistered-dialect | FileCheck %s
// RUN: qk-opt %s --allow-unregistered-dialect --emit-bytecode | qk-opt --allow-unregistered-dialect | FileCheck %s
// The attributes in text and bytecode.

// CHECK: #quant_llm.scheme<u2, group = -1, scale = f16>
"test.op"() {a = #quant_llm.scheme<u2, group = -1, scale = f16>} : () -> ()
// CHECK: #quant_llm.scheme<u3, group = 1, scale = bf16>
"test.op"() {a = #quant_llm.scheme<u3, group = 1, scale = bf16>} : () -> ()
// CHECK: #quant_llm.scheme<u4, group = 128, scale = f32>
"test.op"() {a = #quant_llm.scheme<u4, group = 128, scale = f32>} : () -> ()
// CHECK: #quant_llm.scheme<u8, group = 64, scale = f16>
"test.op"() {a = #quant_llm.scheme<u8, group = 64, scale = f16>} : () -> ()
// CHECK: #quant_llm.scheme<s8, group = 64, scale = f16>
"test.op"() {a = #quant_llm.scheme<s8, group = 64, scale = f16>} : () -> ()
// CHECK: #quant_llm.scheme<e4m3, group = -1, scale = f32>
"test.op"() {a = #quant_llm.scheme<e4m3, group = -1, scale = f32>} : () -> ()

// A group is written for per_token_group only.
// CHECK: #quant_llm.activation_scheme<8, per_tensor>
"test.op"() {a = #quant_llm.activation_scheme<8, per_tensor>} : () -> ()
// CHECK: #quant_llm.activation_scheme<16, per_token>
"test.op"() {a = #quant_llm.activation_scheme<16, per_token>} : () -> ()
// CHECK: #quant_llm.activation_scheme<16, per_token_group, group = 64>
"test.op"() {a = #quant_llm.activation_scheme<16, per_token_group, group = 64>} : () -> ()
// CHECK: #quant_llm.activation_scheme<e4m3, per_token>
"test.op"() {a = #quant_llm.activation_scheme<e4m3, per_token>} : () -> ()
// CHECK: #quant_llm.activation_scheme<e4m3, per_token_group, group = 128>
"test.op"() {a = #quant_llm.activation_scheme<e4m3, per_token_group, group = 128>} : () -> ()
