// RUN: qk-opt %s --split-input-file --verify-diagnostics
// The dialect's attributes on a module.

// expected-error @+1 {{'builtin.module' op expected attribute quant_llm.weights to be a dictionary of strings, got "model.safetensors"}}
module attributes {quant_llm.weights = "model.safetensors"} {}

// -----

// expected-error @+1 {{'builtin.module' op expected entry 'model' of attribute quant_llm.weights to be a string, got 1 : i64}}
module attributes {quant_llm.weights = {model = 1}} {}

// -----

// expected-error @+1 {{'builtin.module' op expected entry 'inputs' of attribute quant_llm.calibration to be a string, got unit}}
module attributes {quant_llm.calibration = {inputs}} {}

// -----

// expected-error @+1 {{'builtin.module' op expected attribute quant_llm.recipe_only without a value, got true}}
module attributes {quant_llm.recipe_only = true} {}

// -----

// expected-error @+1 {{'builtin.module' op expected attribute quant_llm.evaluate to be a dictionary, got 1 : i64}}
module attributes {quant_llm.evaluate = 1} {}

// -----

// expected-error @+1 {{'builtin.module' op expected attribute quant_llm.externals to be an array of dictionaries, got {}}}
module attributes {quant_llm.externals = {} } {}

// -----

// A negative offset, and an entry that says nowhere.
// expected-error @+1 {{'builtin.module' op expected entry 0 of attribute quant_llm.externals to be {symbol, path, offset, bytes} or {symbol, value}, got {bytes = 4 : i64, offset = -1 : i64, path = "p", symbol = "a"}}}
module attributes {quant_llm.externals = [{symbol = "a", path = "p", offset = -1, bytes = 4}]} {}

// -----

// expected-error @+1 {{'builtin.module' op expected entry 1 of attribute quant_llm.externals to be {symbol, path, offset, bytes} or {symbol, value}, got {symbol = "b"}}}
module attributes {quant_llm.externals = [{symbol = "a", value = dense<1> : tensor<2xi8>}, {symbol = "b"}]} {}

// -----

// expected-error @+1 {{'func.func' op has attribute quant_llm.weights, which belongs on a module}}
func.func private @f() attributes {quant_llm.weights = {model = "model.safetensors"}}
