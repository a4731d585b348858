// RUN: qk-opt --allow-unregistered-dialect --quant-llm-raise-linear --split-input-file --verify-diagnostics %s | FileCheck %s
// Layers that stay in float unless `only` names them: routers of mixtures and
// low-rank adapters.

// The scores of a few experts are sorted.
// CHECK-LABEL: func.func @mixture
// CHECK: torch.aten.linear
// CHECK: quant_llm.linear {{.*}} name("mixture.1")
func.func @mixture(%x: !torch.vtensor<[5,3],f16>) -> (!torch.vtensor<[5,1],f32>, !torch.vtensor<[5,2],f16>) {
  %none = "torch.constant.none"() : () -> !torch.none
  %w = "torch.vtensor.literal"() <{value = dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf16>}> : () -> !torch.vtensor<[2,3],f16>
  %v = "torch.vtensor.literal"() <{value = dense<[[2., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf16>}> : () -> !torch.vtensor<[2,3],f16>
  // expected-remark @below {{router 'mixture.0' stays in float; only= with its name raises it}}
  %s = "torch.aten.linear"(%x, %w, %none) : (!torch.vtensor<[5,3],f16>, !torch.vtensor<[2,3],f16>, !torch.none) -> !torch.vtensor<[5,2],f16>
  %y = "torch.aten.linear"(%x, %v, %none) : (!torch.vtensor<[5,3],f16>, !torch.vtensor<[2,3],f16>, !torch.none) -> !torch.vtensor<[5,2],f16>
  %int6 = "torch.constant.int"() <{value = 6 : i64}> : () -> !torch.int
  %minus1 = "torch.constant.int"() <{value = -1 : i64}> : () -> !torch.int
  %int1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %true = "torch.constant.bool"() <{value = true}> : () -> !torch.bool
  %f = "torch.prims.convert_element_type"(%s, %int6) : (!torch.vtensor<[5,2],f16>, !torch.int) -> !torch.vtensor<[5,2],f32>
  %p = "torch.aten._softmax"(%f, %minus1, %true) : (!torch.vtensor<[5,2],f32>, !torch.int, !torch.bool) -> !torch.vtensor<[5,2],f32>
  %k, %i = "torch.aten.topk"(%p, %int1, %minus1, %true, %true) : (!torch.vtensor<[5,2],f32>, !torch.int, !torch.int, !torch.bool, !torch.bool) -> (!torch.vtensor<[5,1],f32>, !torch.vtensor<[5,1],si64>)
  return %k, %y : !torch.vtensor<[5,1],f32>, !torch.vtensor<[5,2],f16>
}

// -----

// Names say it where the sort is elsewhere; a gated unit's gate widens.
"util.global"() <{initial_value = #flow.parameter.named<"model"::"mlp.gate.weight"> : tensor<2x3xf32>, sym_name = "router", type = tensor<2x3xf32>}> : () -> ()
"util.global"() <{initial_value = #flow.parameter.named<"model"::"block.gate.weight"> : tensor<4x3xf32>, sym_name = "gate", type = tensor<4x3xf32>}> : () -> ()
"util.global"() <{initial_value = #flow.parameter.named<"model"::"q_proj.lora_A.default.weight"> : tensor<2x3xf32>, sym_name = "a", type = tensor<2x3xf32>}> : () -> ()
// CHECK-LABEL: func.func @names
// CHECK-COUNT-1: quant_llm.linear {{.*}} name("block.gate")
// CHECK-NOT: quant_llm.linear
func.func @names(%x: tensor<5x3xf32>) -> (tensor<5x2xf32>, tensor<5x4xf32>, tensor<5x2xf32>) {
  %r = "util.global.load"() <{global = @router}> : () -> tensor<2x3xf32>
  %g = "util.global.load"() <{global = @gate}> : () -> tensor<4x3xf32>
  %a = "util.global.load"() <{global = @a}> : () -> tensor<2x3xf32>
  // expected-remark @below {{router 'mlp.gate' stays in float; only= with its name raises it}}
  %0 = "stablehlo.dot_general"(%x, %r) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>}> : (tensor<5x3xf32>, tensor<2x3xf32>) -> tensor<5x2xf32>
  %1 = "stablehlo.dot_general"(%x, %g) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>}> : (tensor<5x3xf32>, tensor<4x3xf32>) -> tensor<5x4xf32>
  // expected-remark @below {{low-rank adapter 'q_proj.lora_A.default' stays in float; only= with its name raises it}}
  %2 = "stablehlo.dot_general"(%x, %a) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>}> : (tensor<5x3xf32>, tensor<2x3xf32>) -> tensor<5x2xf32>
  return %0, %1, %2 : tensor<5x2xf32>, tensor<5x4xf32>, tensor<5x2xf32>
}

// -----

// An adapter beside a layer of the same input, scaled, its result added.
// CHECK-LABEL: func.func @adapter
// CHECK-COUNT-1: quant_llm.linear {{.*}} bias({{.*}}) name("adapter.0")
// CHECK-NOT: quant_llm.linear
func.func @adapter(%x: tensor<5x4xf32>) -> tensor<5x3xf32> {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.], [1., 1., 1.]]> : tensor<4x3xf32>}> : () -> tensor<4x3xf32>
  %a = "stablehlo.constant"() <{value = dense<[[1., 2.], [4., 5.], [7., 8.], [1., 1.]]> : tensor<4x2xf32>}> : () -> tensor<4x2xf32>
  %b = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>}> : () -> tensor<2x3xf32>
  %bias = "stablehlo.constant"() <{value = dense<[1., 2., 3.]> : tensor<3xf32>}> : () -> tensor<3xf32>
  %half = "stablehlo.constant"() <{value = dense<0.5> : tensor<5x3xf32>}> : () -> tensor<5x3xf32>
  %p = "stablehlo.dot"(%x, %w) : (tensor<5x4xf32>, tensor<4x3xf32>) -> tensor<5x3xf32>
  %r = "stablehlo.broadcast_in_dim"(%bias) <{broadcast_dimensions = array<i64: 1>}> : (tensor<3xf32>) -> tensor<5x3xf32>
  %base = "stablehlo.add"(%p, %r) : (tensor<5x3xf32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  // expected-remark @below {{low-rank adapter 'adapter.1' stays in float}}
  %down = "stablehlo.dot"(%x, %a) : (tensor<5x4xf32>, tensor<4x2xf32>) -> tensor<5x2xf32>
  // expected-remark @below {{low-rank adapter 'adapter.2' stays in float}}
  %up = "stablehlo.dot"(%down, %b) : (tensor<5x2xf32>, tensor<2x3xf32>) -> tensor<5x3xf32>
  %s = "stablehlo.multiply"(%up, %half) : (tensor<5x3xf32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  %y = "stablehlo.add"(%base, %s) : (tensor<5x3xf32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}

// -----

// The same in linalg, three-dimensional input collapsed for each product.
#id = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func.func @linalg_adapter
// CHECK-COUNT-1: quant_llm.linear {{.*}} name("linalg_adapter.0")
// CHECK-NOT: quant_llm.linear
func.func @linalg_adapter(%x3: tensor<1x5x4xf32>) -> tensor<5x3xf32> {
  %w = arith.constant dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.], [1., 1., 1.]]> : tensor<4x3xf32>
  %a = arith.constant dense<[[1., 2.], [4., 5.], [7., 8.], [1., 1.]]> : tensor<4x2xf32>
  %b = arith.constant dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>
  %zero2 = arith.constant dense<0.0> : tensor<5x2xf32>
  %zero3 = arith.constant dense<0.0> : tensor<5x3xf32>
  %e = tensor.empty() : tensor<5x3xf32>
  %half = arith.constant 0.5 : f32
  %x0 = tensor.collapse_shape %x3 [[0, 1], [2]] : tensor<1x5x4xf32> into tensor<5x4xf32>
  %base = linalg.matmul ins(%x0, %w : tensor<5x4xf32>, tensor<4x3xf32>) outs(%zero3 : tensor<5x3xf32>) -> tensor<5x3xf32>
  %x1 = tensor.collapse_shape %x3 [[0, 1], [2]] : tensor<1x5x4xf32> into tensor<5x4xf32>
  // expected-remark @below {{low-rank adapter 'linalg_adapter.1' stays in float}}
  %down = linalg.matmul ins(%x1, %a : tensor<5x4xf32>, tensor<4x2xf32>) outs(%zero2 : tensor<5x2xf32>) -> tensor<5x2xf32>
  // expected-remark @below {{low-rank adapter 'linalg_adapter.2' stays in float}}
  %up = linalg.matmul ins(%down, %b : tensor<5x2xf32>, tensor<2x3xf32>) outs(%zero3 : tensor<5x3xf32>) -> tensor<5x3xf32>
  %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%up : tensor<5x3xf32>) outs(%e : tensor<5x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %m = arith.mulf %in, %half : f32
    linalg.yield %m : f32
  } -> tensor<5x3xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%base, %s : tensor<5x3xf32>, tensor<5x3xf32>) outs(%e : tensor<5x3xf32>) {
  ^bb0(%p: f32, %q: f32, %out: f32):
    %m = arith.addf %p, %q : f32
    linalg.yield %m : f32
  } -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}

// -----

// A bottleneck by itself is no adapter, nor is a wide unit beside a layer.
// CHECK-LABEL: func.func @no_adapter
// CHECK-COUNT-5: quant_llm.linear
func.func @no_adapter(%x: tensor<5x3xf32>) -> (tensor<5x3xf32>, tensor<5x3xf32>) {
  %a = "stablehlo.constant"() <{value = dense<[[1., 2.], [4., 5.], [7., 8.]]> : tensor<3x2xf32>}> : () -> tensor<3x2xf32>
  %b = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>}> : () -> tensor<2x3xf32>
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  %c = "stablehlo.constant"() <{value = dense<[[1., 2., 3., 4.], [4., 5., 6., 7.], [7., 8., 9., 1.]]> : tensor<3x4xf32>}> : () -> tensor<3x4xf32>
  %d = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.], [2., 3., 1.]]> : tensor<4x3xf32>}> : () -> tensor<4x3xf32>
  %down = "stablehlo.dot"(%x, %a) : (tensor<5x3xf32>, tensor<3x2xf32>) -> tensor<5x2xf32>
  %up = "stablehlo.dot"(%down, %b) : (tensor<5x2xf32>, tensor<2x3xf32>) -> tensor<5x3xf32>
  %y = "stablehlo.add"(%x, %up) : (tensor<5x3xf32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  %base = "stablehlo.dot"(%x, %w) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  %wide = "stablehlo.dot"(%x, %c) : (tensor<5x3xf32>, tensor<3x4xf32>) -> tensor<5x4xf32>
  %back = "stablehlo.dot"(%wide, %d) : (tensor<5x4xf32>, tensor<4x3xf32>) -> tensor<5x3xf32>
  %z = "stablehlo.add"(%base, %back) : (tensor<5x3xf32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  return %y, %z : tensor<5x3xf32>, tensor<5x3xf32>
}

// -----

// What checkpoints call a head that has a weight of its own.
"util.global"() <{initial_value = #flow.parameter.named<"model"::"embed_out.weight"> : tensor<4x3xf32>, sym_name = "neox", type = tensor<4x3xf32>}> : () -> ()
"util.global"() <{initial_value = #flow.parameter.named<"model"::"transformer.output_layer.weight"> : tensor<4x3xf32>, sym_name = "glm", type = tensor<4x3xf32>}> : () -> ()
"util.global"() <{initial_value = #flow.parameter.named<"model"::"model.lm_head.weight"> : tensor<4x3xf32>, sym_name = "most", type = tensor<4x3xf32>}> : () -> ()
"util.global"() <{initial_value = #flow.parameter.named<"model"::"lm_head.proj.weight"> : tensor<4x3xf32>, sym_name = "other", type = tensor<4x3xf32>}> : () -> ()
// CHECK-LABEL: func.func @heads
// CHECK-COUNT-1: quant_llm.linear {{.*}} name("lm_head.proj")
// CHECK-NOT: quant_llm.linear
func.func @heads(%x: tensor<5x3xf32>) -> (tensor<5x4xf32>, tensor<5x4xf32>, tensor<5x4xf32>, tensor<5x4xf32>) {
  %n = "util.global.load"() <{global = @neox}> : () -> tensor<4x3xf32>
  %g = "util.global.load"() <{global = @glm}> : () -> tensor<4x3xf32>
  %m = "util.global.load"() <{global = @most}> : () -> tensor<4x3xf32>
  %o = "util.global.load"() <{global = @other}> : () -> tensor<4x3xf32>
  // expected-remark @below {{head 'embed_out' stays in float; only= with its name raises it}}
  %0 = "stablehlo.dot_general"(%x, %n) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>}> : (tensor<5x3xf32>, tensor<4x3xf32>) -> tensor<5x4xf32>
  // expected-remark @below {{head 'transformer.output_layer' stays in float; only= with its name raises it}}
  %1 = "stablehlo.dot_general"(%x, %g) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>}> : (tensor<5x3xf32>, tensor<4x3xf32>) -> tensor<5x4xf32>
  // expected-remark @below {{head 'model.lm_head' stays in float; only= with its name raises it}}
  %2 = "stablehlo.dot_general"(%x, %m) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>}> : (tensor<5x3xf32>, tensor<4x3xf32>) -> tensor<5x4xf32>
  %3 = "stablehlo.dot_general"(%x, %o) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>}> : (tensor<5x3xf32>, tensor<4x3xf32>) -> tensor<5x4xf32>
  return %0, %1, %2, %3 : tensor<5x4xf32>, tensor<5x4xf32>, tensor<5x4xf32>, tensor<5x4xf32>
}
