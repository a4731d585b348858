// RUN: qk-opt --gptq="group-size=4 recipe-only effort=fast" %s | FileCheck %s --check-prefix=FAST
// RUN: qk-opt --gptq="group-size=4 recipe-only" %s | FileCheck %s --check-prefix=DEFAULT
// RUN: qk-opt --gptq="group-size=4 recipe-only effort=best" %s | FileCheck %s --check-prefix=BEST
// RUN: qk-opt --gptq="group-size=4 recipe-only effort=best scale-search=none rescales=0 sweeps=1 retarget=0" %s | FileCheck %s --check-prefix=GIVEN
// RUN: qk-opt --gptq="group-size=4 recipe-only effort=fast retarget=0.25 first-token-weight=1" %s | FileCheck %s --check-prefix=MORE
// RUN: not qk-opt --gptq=effort=most %s 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// What an effort sets; an option that is given wins.

// FAST: module attributes {{.*}}first_token_weight = 8.000000e+00
// FAST-NOT: quant_llm.retarget
// FAST: quant_llm.round_compensated {{.*}} scale_search = weighted :

// DEFAULT-NOT: first_token_weight
// DEFAULT: quant_llm.statistic cross of "main.0"
// DEFAULT: quant_llm.retarget {{.*}} alpha = 5.000000e-01 optional :
// DEFAULT: quant_llm.round_compensated {{.*}} scale_search = weighted {rescales = 1 : i64} :

// BEST: quant_llm.retarget {{.*}} alpha = 5.000000e-01 optional :
// BEST: quant_llm.round_compensated {{.*}} scale_search = weighted {rescales = 1 : i64, sweeps = 3 : i64}

// GIVEN-NOT: quant_llm.retarget
// GIVEN: quant_llm.round_compensated {{.*}} static_groups {sweeps = 1 : i64}

// What was asked for is not optional.
// MORE-NOT: first_token_weight
// MORE: quant_llm.retarget {{.*}} alpha = 2.500000e-01 :

// UNKNOWN: {{.*}}effort{{.*}}most

func.func @main(%x: tensor<?x8xf32>) -> tensor<?x4xf32> {
  %w = quant_llm.parameter ""::"fc" : tensor<4x8xf32> = dense<1.0> : tensor<4x8xf32>
  %0 = quant_llm.linear %x, %w name("main.0") : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
