// RUN: qk-opt --quant-llm-apply-gptq="group-size=4 recipe-only" %s | FileCheck %s
// RUN: qk-opt --quant-llm-apply-gptq="group-size=4 static-groups=false symmetric damping=0.05 block-size=64 recipe-only" %s | FileCheck %s --check-prefix=PLAIN
// RUN: qk-opt --quant-llm-apply-gptq="group-size=4 order=none recipe-only" %s | FileCheck %s --check-prefix=NONE
// RUN: qk-opt --quant-llm-apply-gptq="group-size=4 order=group_aware static-groups=false scale-search=weighted sweeps=3 recipe-only" %s | FileCheck %s --check-prefix=GAR
// RUN: qk-opt --quant-llm-apply-gptq="group-size=4 retarget=0.5 damping=0.02 recipe-only" %s | FileCheck %s --check-prefix=RETARGET
// RUN: qk-opt --quant-llm-apply-gptq="group-size=4 retarget=0.25 retarget-optional recipe-only" %s | FileCheck %s --check-prefix=OPTIONAL
// RUN: qk-opt --quant-llm-apply-gptq="group-size=4 retarget=0.5 recipe-only" --quant-llm-apply-rtn="group-size=4 recipe-only" %s | FileCheck %s --check-prefix=REPLACED
// RUN: not qk-opt --quant-llm-apply-gptq="retarget=1.5" %s 2>&1 | FileCheck %s --check-prefix=RANGE
// The recipe of GPTQ. Column scales of an earlier step scale the Hessian too.

// CHECK-LABEL: func.func @main
// CHECK: %[[SCALED:.*]] = quant_llm.scale_columns %{{.*}} by %[[F:.*]] :
// CHECK: %[[H:.*]] = quant_llm.statistic hessian of "fc" : tensor<6x6xf32>
// CHECK: %[[HS:.*]] = quant_llm.scale_statistic %[[H]] by %[[F]]
// CHECK: %[[C:.*]], %[[S:.*]], %[[Z:.*]] = quant_llm.round_compensated %[[SCALED]], %[[HS]] scheme(<u4, group = 4, scale = f16>) static_groups
// CHECK: quant_llm.matmul %{{.*}}, %[[C]], %[[S]] zero_points(%[[Z]])

// PLAIN: %[[C:.*]], %[[S:.*]], %[[P:.*]] = quant_llm.round_compensated %{{.*}} scheme(<u4, group = 4, scale = f16>) symmetric {block = 64 : i64, damping = 5.000000e-02 : f64}
// PLAIN: quant_llm.matmul %{{.*}}, %[[C]], %[[S]] permutation(%[[P]])

// NONE: quant_llm.round_compensated %{{.*}} static_groups order = none
// GAR: quant_llm.round_compensated %{{.*}} scheme(<u4, group = 4, scale = f16>) order = group_aware scale_search = weighted {sweeps = 3 : i64} : {{.*}} -> tensor<2x6xi4>, tensor<2x2xf16>, tensor<2x2xi8>{{$}}

// RETARGET: %[[SCALED:.*]] = quant_llm.scale_columns
// RETARGET: %[[H:.*]] = quant_llm.statistic hessian of "fc"
// RETARGET: %[[HS:.*]] = quant_llm.scale_statistic %[[H]]
// RETARGET: %[[C:.*]] = quant_llm.statistic cross of "fc" : tensor<6x6xf32>
// RETARGET: %[[CS:.*]] = quant_llm.scale_statistic %[[C]]
// RETARGET: %[[W:.*]] = quant_llm.retarget %[[SCALED]], %[[HS]], %[[CS]] alpha = 5.000000e-01 {damping = 2.000000e-02 : f64}
// RETARGET: quant_llm.round_compensated %[[W]], %[[HS]] {{.*}}damping = 2.000000e-02
// OPTIONAL: quant_llm.retarget {{.*}} alpha = 2.500000e-01 optional
// A later method's rounding is of the weight as it was.
// REPLACED-NOT: quant_llm.retarget
// REPLACED: %[[SCALED:.*]] = quant_llm.scale_columns
// REPLACED: quant_llm.round_to_nearest %[[SCALED]]
// RANGE: error: expected retarget to be in [0, 1], got 1.5

func.func @main(%x: tensor<?x6xf32>, %f: tensor<6xf32>) -> tensor<?x2xf32> {
  %w = quant_llm.parameter ""::"fc.weight" : tensor<2x6xf32> = dense<1.0> : tensor<2x6xf32>
  %s = quant_llm.scale_columns %w by %f : tensor<2x6xf32>, tensor<6xf32>
  %0 = quant_llm.linear %x, %s name("fc") : (tensor<?x6xf32>, tensor<2x6xf32>) -> tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}

// Where a result goes into a residual stream, through reshapes, what the layers
// before left wrong in it is made up for. Its rows are no channels of the input.
// RETARGET-LABEL: func.func @stream
// RETARGET: %[[R:.*]] = quant_llm.statistic residual of "o" : tensor<2x6xf32>
// RETARGET: %[[RS:.*]] = quant_llm.scale_statistic columns %[[R]] by
// RETARGET: quant_llm.retarget {{.*}} residual %[[RS]] alpha = 5.000000e-01
func.func @stream(%x: tensor<?x6xf32>, %f: tensor<6xf32>, %r: tensor<1x?x2xf32>) -> tensor<1x?x2xf32> {
  %w = quant_llm.parameter ""::"o.weight" : tensor<2x6xf32> = dense<1.0> : tensor<2x6xf32>
  %s = quant_llm.scale_columns %w by %f : tensor<2x6xf32>, tensor<6xf32>
  %0 = quant_llm.linear %x, %s name("o") : (tensor<?x6xf32>, tensor<2x6xf32>) -> tensor<?x2xf32>
  %c0 = arith.constant 0 : index
  %d = tensor.dim %x, %c0 : tensor<?x6xf32>
  %1 = tensor.expand_shape %0 [[0, 1], [2]] output_shape [1, %d, 2] : tensor<?x2xf32> into tensor<1x?x2xf32>
  %e = tensor.empty(%d) : tensor<1x?x2xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%r, %1 : tensor<1x?x2xf32>, tensor<1x?x2xf32>) outs(%e : tensor<1x?x2xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %sum = arith.addf %a, %b : f32
    linalg.yield %sum : f32
  } -> tensor<1x?x2xf32>
  return %2 : tensor<1x?x2xf32>
}

// A product, a row that is added to all tokens, another use of the result: none.
// RETARGET-LABEL: func.func @none
// RETARGET-NOT: residual
func.func @none(%x: tensor<4x6xf32>, %r: tensor<4x2xf32>, %row: tensor<2xf32>) -> (tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>) {
  %w = quant_llm.parameter ""::"w" : tensor<2x6xf32> = dense<1.0> : tensor<2x6xf32>
  %v = quant_llm.parameter ""::"v" : tensor<2x6xf32> = dense<2.0> : tensor<2x6xf32>
  %u = quant_llm.parameter ""::"u" : tensor<2x6xf32> = dense<3.0> : tensor<2x6xf32>
  %0 = quant_llm.linear %x, %w name("gate") : (tensor<4x6xf32>, tensor<2x6xf32>) -> tensor<4x2xf32>
  %1 = arith.mulf %0, %r : tensor<4x2xf32>
  %2 = quant_llm.linear %x, %v name("row") : (tensor<4x6xf32>, tensor<2x6xf32>) -> tensor<4x2xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(a, b) -> (a, b)>, affine_map<(a, b) -> (b)>, affine_map<(a, b) -> (a, b)>], iterator_types = ["parallel", "parallel"]}
      ins(%2, %row : tensor<4x2xf32>, tensor<2xf32>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %sum = arith.addf %a, %b : f32
    linalg.yield %sum : f32
  } -> tensor<4x2xf32>
  %4 = quant_llm.linear %x, %u name("twice") : (tensor<4x6xf32>, tensor<2x6xf32>) -> tensor<4x2xf32>
  %5 = arith.addf %4, %r : tensor<4x2xf32>
  return %1, %3, %4, %5 : tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>
}
