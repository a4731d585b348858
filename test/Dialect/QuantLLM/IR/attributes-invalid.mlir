// RUN: qk-opt %s --allow-unregistered-dialect --split-input-file --verify-diagnostics
// One case a constraint of the attributes' descriptions, and what does not parse.

// The code types are listed: 5 bits is none of them.
// expected-error @+2 {{expected one of [u2, u3, u4, u8, s8] for type of one code of a weight, got: u5}}
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
