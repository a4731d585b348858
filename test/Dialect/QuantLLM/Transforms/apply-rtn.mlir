// RUN: qk-opt --quant-llm-apply-rtn="bits=3 group-size=4 recipe-only" %s | FileCheck %s
// RUN: qk-opt --quant-llm-apply-rtn="bits=8 group-size=-1 symmetric scale-type=f32 scale-search=mse recipe-only" %s | FileCheck %s --check-prefix=SYM
// RUN: qk-opt --quant-llm-apply-gptq="bits=4 group-size=4 recipe-only" --quant-llm-apply-rtn="bits=2 group-size=4 recipe-only" %s | FileCheck %s --check-prefix=CHAIN
// The recipe of round-to-nearest: one rounding a weight, however often used.

// CHECK: quant_llm.recipe_only
// CHECK-LABEL: func.func @main
// CHECK: %[[W:.*]] = quant_llm.parameter
// CHECK: %[[C:.*]], %[[S:.*]], %[[Z:.*]] = quant_llm.round_to_nearest %[[W]] scheme(<u3, group = 4, scale = f16>) : tensor<2x6xf32> -> tensor<2x6xi3>, tensor<2x2xf16>, tensor<2x2xi8>
// CHECK-NOT: round_to_nearest
// CHECK: quant_llm.matmul %{{.*}}, %[[C]], %[[S]] zero_points(%[[Z]]) bias(%{{.*}}) scheme(<u3, group = 4, scale = f16>) name("fc")
// CHECK: quant_llm.matmul %{{.*}}, %[[C]], %[[S]] zero_points(%[[Z]]) scheme(<u3, group = 4, scale = f16>) name("fc")

// SYM: quant_llm.round_to_nearest %{{.*}} scheme(<s8, group = -1, scale = f32>) symmetric scale_search = mse : tensor<2x6xf32> -> tensor<2x6xi8>, tensor<2x1xf32>
// SYM-NOT: zero_points

// A later method that rounds replaces the earlier rounding.
// CHAIN-NOT: round_compensated
// CHAIN: quant_llm.round_to_nearest %{{.*}} scheme(<u2
// CHAIN-NOT: quant_llm.statistic
func.func @main(%x: tensor<?x6xf32>, %b: tensor<2xf32>) -> (tensor<?x2xf32>, tensor<?x2xf32>) {
  %w = quant_llm.parameter ""::"fc.weight" : tensor<2x6xf32> = dense<1.0> : tensor<2x6xf32>
  %0 = quant_llm.linear %x, %w bias(%b) name("fc") : (tensor<?x6xf32>, tensor<2x6xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  %1 = quant_llm.linear %x, %w name("fc") : (tensor<?x6xf32>, tensor<2x6xf32>) -> tensor<?x2xf32>
  return %0, %1 : tensor<?x2xf32>, tensor<?x2xf32>
}
