// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @statistic_c1_hessian() {
  // expected-error @+1 {{'quant_llm.statistic' op expected a square Hessian, got 'tensor<8x4xf32>'}}
  %0 = quant_llm.statistic hessian of "fc" : tensor<8x4xf32>
  return
}

// -----

func.func @statistic_c1_cross() {
  // expected-error @+1 {{'quant_llm.statistic' op expected a square cross moment, got 'tensor<8xf32>'}}
  %0 = quant_llm.statistic cross of "fc" : tensor<8xf32>
  return
}

// -----

func.func @statistic_c1_residual() {
  // expected-error @+1 {{'quant_llm.statistic' op expected a residual moment of two dimensions, got 'tensor<8xf32>'}}
  %0 = quant_llm.statistic residual of "fc" : tensor<8xf32>
  return
}

// -----

func.func @statistic_c1_absmax() {
  // expected-error @+1 {{'quant_llm.statistic' op expected absmax to have one dimension, got 'tensor<8x8xf32>'}}
  %0 = quant_llm.statistic absmax of "fc" : tensor<8x8xf32>
  return
}

// -----

func.func @statistic_c1_static() {
  // expected-error @+1 {{'quant_llm.statistic' op expected the statistic to have a static shape, got 'tensor<?xf32>'}}
  %0 = quant_llm.statistic absmean of "fc" : tensor<?xf32>
  return
}

// -----

func.func @statistic_c2() {
  // expected-error @+1 {{'quant_llm.statistic' op expected a layer name, got an empty string}}
  %0 = quant_llm.statistic absmax of "" : tensor<8xf32>
  return
}

// -----

func.func @statistic_kind() {
  // expected-error @+2 {{custom op 'quant_llm.statistic' expected one of [hessian, absmax, absmean, cross, residual] for kind of statistic, got: variance}}
  // expected-error @+1 {{custom op 'quant_llm.statistic' failed to parse QuantLLM_StatisticKindAttr parameter 'value' which is to be a `::qk::quant_llm::StatisticKind`}}
  %0 = quant_llm.statistic variance of "fc" : tensor<8xf32>
  return
}
