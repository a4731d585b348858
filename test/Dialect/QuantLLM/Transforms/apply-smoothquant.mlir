// RUN: qk-opt --quant-llm-apply-smoothquant=recipe-only %s | FileCheck %s
// RUN: qk-opt --quant-llm-apply-smoothquant="recipe-only alpha=0.5 layers=all activations=per-tensor-static per-tensor" %s | FileCheck %s --check-prefix=STATIC
// RUN: qk-opt --quant-llm-apply-smoothquant="recipe-only round=false alpha=0.8" %s | FileCheck %s --check-prefix=FLOAT
// RUN: qk-opt --pass-pipeline="builtin.module(quant-llm-apply-smoothquant{recipe-only}, quant-llm-apply-gptq{inherit=bits,group-size,symmetric,scale-type})" %s | FileCheck %s --check-prefix=CHAIN
// RUN: qk-opt --quant-llm-apply-smoothquant="recipe-only bits=4 group-size=4 symmetric=false" %s | FileCheck %s --check-prefix=W4A8
// RUN: qk-opt --quant-llm-apply-smoothquant="recipe-only format=e4m3" %s | FileCheck %s --check-prefix=FLOAT8
// RUN: qk-opt --pass-pipeline="builtin.module(quant-llm-apply-smoothquant{recipe-only format=e4m3}, quant-llm-apply-gptq{inherit=bits,group-size,symmetric,scale-type})" %s | FileCheck %s --check-prefix=FLOAT8-CHAIN

#id = affine_map<(d0, d1) -> (d0, d1)>
#last = affine_map<(d0, d1) -> (d1)>

// a and b read a norm's result, through different shapes; c reads nothing that
// could be divided, and is only quantised.
//
// CHECK-LABEL: @layers
// CHECK-DAG: %[[A:.*]] = quant_llm.statistic absmax of "a" : tensor<8xf32>
// CHECK-DAG: %[[H:.*]] = quant_llm.statistic hessian of "a" : tensor<8x8xf32>
// CHECK: %[[S:.*]] = quant_llm.search_smoothing_factors %[[A]], %[[H]], (%[[WA:.*]], %[[WB:.*]]) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) grid = 20 symmetric
// CHECK-DAG: %[[SA:.*]] = quant_llm.scale_columns %[[WA]] by %[[S]]
// CHECK-DAG: quant_llm.round_to_nearest %[[SA]] scheme(<s8, group = -1, scale = f16>) symmetric
// CHECK: %[[N:.*]] = linalg.generic
// CHECK: %[[XA:.*]] = quant_llm.scale_columns %[[N]] by inverse %[[S]]
// CHECK: %[[C:.*]], %[[CS:.*]] = quant_llm.quantize %[[XA]] scheme(<8, per_token>) : tensor<4x8xf32> -> tensor<4x8xi8>, tensor<4x1xf32>
// CHECK: quant_llm.matmul %[[C]], {{.*}} x_scales(%[[CS]]) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) name("a")
// CHECK: quant_llm.scale_columns %{{.*}} by inverse %[[S]] : tensor<2x2x8xf32>
// CHECK: quant_llm.matmul {{.*}} name("b")
// CHECK: quant_llm.quantize %arg0
// CHECK: quant_llm.matmul {{.*}} name("c")

// STATIC: %[[F:.*]] = quant_llm.smoothing_factors %{{.*}}, (%{{.*}}, %{{.*}}) alpha = 5.000000e-01
// STATIC: quant_llm.round_to_nearest {{.*}} symmetric {per_tensor}
// STATIC: %[[A:.*]] = quant_llm.statistic absmax of "a"
// STATIC: %[[R:.*]] = quant_llm.scale_statistic %[[A]] by %[[F]] : tensor<8xf32>
// c has factors of its own.
// STATIC: quant_llm.smoothing_factors
// STATIC: %[[T:.*]] = quant_llm.activation_scale %[[R]] scheme(<8, per_tensor>) : tensor<8xf32> -> tensor<1x1xf32>
// STATIC: quant_llm.quantize %{{.*}} static_scale(%[[T]] : tensor<1x1xf32>) scheme(<8, per_tensor>)

// FLOAT: %[[F:.*]] = quant_llm.smoothing_factors {{.*}} alpha = 8.000000e-01
// FLOAT-DAG: %[[WA:.*]] = quant_llm.scale_columns %{{.*}} by %[[F]]
// FLOAT-DAG: %[[XA:.*]] = quant_llm.scale_columns %{{.*}} by inverse %[[F]]
// FLOAT: quant_llm.linear %[[XA]], %{{.*}} name("a")
// FLOAT-NOT: quant_llm.round
// FLOAT: quant_llm.linear %arg0, %{{.*}} name("c")

// The Hessian that both share is scaled, and the activations stay quantised.
// CHAIN: %[[S:.*]] = quant_llm.search_smoothing_factors
// CHAIN: %[[H:.*]] = quant_llm.scale_statistic %{{.*}} by %[[S]] : tensor<8x8xf32>
// CHAIN: quant_llm.round_compensated %{{.*}}, %[[H]] scheme(<s8, group = -1, scale = f16>) symmetric
// CHAIN: quant_llm.round_compensated %{{.*}}, %[[H]] scheme(<s8, group = -1, scale = f16>) symmetric
// CHAIN-NOT: quant_llm.round_to_nearest
// CHAIN: quant_llm.matmul {{.*}} x_scales({{.*}}) scheme({{.*}}) x_scheme(<8, per_token>) name("a")

// W4A8: quant_llm.round_to_nearest {{.*}} scheme(<u4, group = 4, scale = f16>) : {{.*}} -> tensor<3x8xi4>, tensor<3x2xf16>, tensor<3x2xi8>
// W4A8: x_scheme(<8, per_token>)

// FLOAT8: quant_llm.search_smoothing_factors {{.*}} scheme(<e4m3, group = -1, scale = f16>) x_scheme(<e4m3, per_token>) grid = 20 symmetric
// FLOAT8: quant_llm.round_to_nearest %{{.*}} scheme(<e4m3, group = -1, scale = f16>) symmetric : tensor<3x8xf32> -> tensor<3x8xi8>, tensor<3x1xf16>
// FLOAT8: quant_llm.quantize %{{.*}} scheme(<e4m3, per_token>) : tensor<4x8xf32> -> tensor<4x8xi8>, tensor<4x1xf32>
// FLOAT8: quant_llm.matmul {{.*}} scheme(<e4m3, group = -1, scale = f16>) x_scheme(<e4m3, per_token>) name("a")

// FLOAT8-CHAIN: quant_llm.round_compensated %{{.*}} scheme(<e4m3, group = -1, scale = f16>) symmetric
// FLOAT8-CHAIN: quant_llm.matmul {{.*}} x_scheme(<e4m3, per_token>) name("a")
func.func @layers(%x: tensor<4x8xf32>) -> (tensor<4x3xf32>, tensor<2x2x3xf32>, tensor<4x3xf32>) {
  %wa = quant_llm.parameter ""::"a.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %wb = quant_llm.parameter ""::"b.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %wc = quant_llm.parameter ""::"c.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %gamma = quant_llm.parameter ""::"gamma" : tensor<8xf32> = dense<0.5> : tensor<8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #last, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %gamma : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %g: f32, %o: f32):
    %m = arith.mulf %a, %g : f32
    linalg.yield %m : f32
  } -> tensor<4x8xf32>
  %ya = quant_llm.linear %0, %wa name("a") : (tensor<4x8xf32>, tensor<3x8xf32>) -> tensor<4x3xf32>
  %1 = tensor.expand_shape %0 [[0, 1], [2]] output_shape [2, 2, 8] : tensor<4x8xf32> into tensor<2x2x8xf32>
  %yb = quant_llm.linear %1, %wb name("b") : (tensor<2x2x8xf32>, tensor<3x8xf32>) -> tensor<2x2x3xf32>
  %yc = quant_llm.linear %x, %wc name("c") : (tensor<4x8xf32>, tensor<3x8xf32>) -> tensor<4x3xf32>
  return %ya, %yb, %yc : tensor<4x3xf32>, tensor<2x2x3xf32>, tensor<4x3xf32>
}
