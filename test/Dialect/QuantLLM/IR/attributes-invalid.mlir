// RUN: qk-opt %s --allow-unregistered-dialect --split-input-file --verify-diagnostics
// One case a constraint of the attributes' descriptions, and what does not parse.

// The code types are listed: 5 bits is none of them.
// expected-error @+2 {{expected one of [u2, u3, u4, u8, s8, e4m3] for type of one code of a weight, got: u5}}
// expected-error @+1 {{failed to parse QuantLLM_SchemeAttr parameter 'codeType'}}
"scheme_code_type"() {a = #quant_llm.scheme<u5, group = 4, scale = f16>} : () -> ()

// -----

// expected-error @+1 {{expected group to be -1 (the whole row) or at least 1, got 0}}
"scheme_c1"() {a = #quant_llm.scheme<u4, group = 0, scale = f16>} : () -> ()

// -----

// expected-error @+1 {{expected scale to be f16, bf16 or f32, got 'f64'}}
"scheme_c2"() {a = #quant_llm.scheme<u4, group = 4, scale = f64>} : () -> ()

// -----

// expected-error @+1 {{expected 'group'}}
"scheme_group"() {a = #quant_llm.scheme<u4, scale = f16>} : () -> ()

// -----

// expected-error @+1 {{expected 8 or 16 bits, got 4}}
"activation_scheme_c1"() {a = #quant_llm.activation_scheme<4, per_token>} : () -> ()

// -----

// What is neither bits nor e4m3.
// expected-error @+1 {{expected integer value}}
"activation_scheme_codes"() {a = #quant_llm.activation_scheme<e5m2, per_token>} : () -> ()

// -----

// expected-error @+1 {{expected a group for per_token_group only, got 4 for per_token}}
"activation_scheme_c2"() {a = #quant_llm.activation_scheme<8, per_token, group = 4>} : () -> ()

// -----

// expected-error @+1 {{expected group to be at least 1, got -1}}
"activation_scheme_c2_missing"() {a = #quant_llm.activation_scheme<8, per_token_group>} : () -> ()

// -----

// expected-error @+2 {{expected one of [per_tensor, per_token, per_token_group] for what shares one scale of an activation, got: per_row}}
// expected-error @+1 {{failed to parse QuantLLM_ActivationSchemeAttr parameter 'granularity'}}
"activation_scheme_granularity"() {a = #quant_llm.activation_scheme<8, per_row>} : () -> ()

// -----

// expected-error @+1 {{unknown attribute `nothing` in dialect `quant_llm`}}
"unknown"() {a = #quant_llm.nothing<1>} : () -> ()

// -----

// expected-error @+1 {{expected at least one size and as many strides, got 2 and 1}}
"part_c1"() {a = #quant_llm.part<offset = 0, sizes = [2, 8], strides = [1]>} : () -> ()

// -----

// expected-error @+1 {{expected the sizes of a part to be at least 1, got 0}}
"part_c2_size"() {a = #quant_llm.part<offset = 0, sizes = [0], strides = [1]>} : () -> ()

// -----

// expected-error @+1 {{expected the offset of a part to be at least 0, got -1}}
"part_c2_offset"() {a = #quant_llm.part<offset = -1, sizes = [2], strides = [1]>} : () -> ()

// -----

// expected-error @+1 {{expected the strides of a part to be at least 0, got -8}}
"part_c2_stride"() {a = #quant_llm.part<offset = 0, sizes = [2], strides = [-8]>} : () -> ()

// -----

// expected-error @+1 {{expected elements of a part to be counted in 63 bits, got offset 9223372036854775807, sizes [2], strides [1]}}
"part_c2_last"() {a = #quant_llm.part<offset = 9223372036854775807, sizes = [2], strides = [1]>} : () -> ()
