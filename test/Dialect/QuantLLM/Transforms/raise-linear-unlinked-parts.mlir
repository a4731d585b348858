// RUN: qk-opt --allow-unregistered-dialect --quant-llm-raise-linear --split-input-file %s | FileCheck %s
// Parts of constants in dialects that are not linked.

// A loop over a stack of two layers, unrolled (jax.lax.scan with unroll), whose
// body became a helper.
// CHECK-LABEL: func.func @unrolled(
// CHECK: call @layer(
// CHECK: call @layer_0(
// CHECK-LABEL: func.func private @layer(
// CHECK: %[[W0:.*]] = quant_llm.parameter ""::"layer.0.weight" : tensor<2x2xf32> = dense<{{\[\[}}1.000000e+00, 3.000000e+00], [2.000000e+00, 4.000000e+00]]>
// CHECK: quant_llm.linear %{{.*}}, %[[W0]] name("layer.0")
// CHECK-LABEL: func.func private @layer_0(
// CHECK: %[[W1:.*]] = quant_llm.parameter ""::"layer_0.0.weight" : tensor<2x2xf32> = dense<{{\[\[}}5.000000e+00, 7.000000e+00], [6.000000e+00, 8.000000e+00]]>
// CHECK: quant_llm.linear %{{.*}}, %[[W1]] name("layer_0.0")
func.func @unrolled(%x: tensor<5x2xf32>) -> tensor<5x2xf32> {
  %w = "stablehlo.constant"() <{value = dense<[[[1., 2.], [3., 4.]], [[5., 6.], [7., 8.]]]> : tensor<2x2x2xf32>}> : () -> tensor<2x2x2xf32>
  %s0 = "stablehlo.slice"(%w) <{start_indices = array<i64: 0, 0, 0>, limit_indices = array<i64: 1, 2, 2>, strides = array<i64: 1, 1, 1>}> : (tensor<2x2x2xf32>) -> tensor<1x2x2xf32>
  %w0 = "stablehlo.reshape"(%s0) : (tensor<1x2x2xf32>) -> tensor<2x2xf32>
  %y0 = func.call @layer(%x, %w0) : (tensor<5x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  %s1 = "stablehlo.slice"(%w) <{start_indices = array<i64: 1, 0, 0>, limit_indices = array<i64: 2, 2, 2>, strides = array<i64: 1, 1, 1>}> : (tensor<2x2x2xf32>) -> tensor<1x2x2xf32>
  %w1 = "stablehlo.reshape"(%s1) : (tensor<1x2x2xf32>) -> tensor<2x2xf32>
  %y1 = func.call @layer(%y0, %w1) : (tensor<5x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  return %y1 : tensor<5x2xf32>
}
func.func private @layer(%x: tensor<5x2xf32>, %w: tensor<2x2xf32>) -> tensor<5x2xf32> {
  %y = "stablehlo.dot"(%x, %w) : (tensor<5x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}

// -----

// Gemma's einsum "btd,ndh->btnh", and a bias cut out of three.
// CHECK-LABEL: func.func @heads(
// CHECK: %[[B:.*]] = quant_llm.parameter ""::"heads.0.bias" : tensor<6xf32> = dense<[7.000000e+00, 8.000000e+00, 9.000000e+00, 1.000000e+01, 1.100000e+01, 1.200000e+01]>
// CHECK: %[[W:.*]] = quant_llm.parameter ""::"heads.0.weight" : tensor<6x2xf32> = dense<{{\[\[}}1.000000e+00, 4.000000e+00], [2.000000e+00, 5.000000e+00], [3.000000e+00, 6.000000e+00], [7.000000e+00, 1.000000e+01], [8.000000e+00, 1.100000e+01], [9.000000e+00, 1.200000e+01]]>
// CHECK: quant_llm.linear %{{.*}}, %[[W]] bias(%[[B]]) name("heads.0")
// CHECK-NOT: stablehlo.slice
func.func @heads(%x: tensor<1x5x2xf32>) -> tensor<1x5x2x3xf32> {
  %w = "stablehlo.constant"() <{value = dense<[[[1., 2., 3.], [4., 5., 6.]], [[7., 8., 9.], [10., 11., 12.]]]> : tensor<2x2x3xf32>}> : () -> tensor<2x2x3xf32>
  %y = "stablehlo.dot_general"(%x, %w) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [2], rhs_contracting_dimensions = [1]>}> : (tensor<1x5x2xf32>, tensor<2x2x3xf32>) -> tensor<1x5x2x3xf32>
  %b = "stablehlo.constant"() <{value = dense<[[[1., 2., 3.], [4., 5., 6.]], [[7., 8., 9.], [10., 11., 12.]]]> : tensor<2x2x3xf32>}> : () -> tensor<2x2x3xf32>
  %b1 = "stablehlo.slice"(%b) <{start_indices = array<i64: 1, 0, 0>, limit_indices = array<i64: 2, 2, 3>, strides = array<i64: 1, 1, 1>}> : (tensor<2x2x3xf32>) -> tensor<1x2x3xf32>
  %rows = "stablehlo.broadcast_in_dim"(%b1) <{broadcast_dimensions = array<i64: 0, 2, 3>}> : (tensor<1x2x3xf32>) -> tensor<1x5x2x3xf32>
  %r = "stablehlo.add"(%y, %rows) : (tensor<1x5x2x3xf32>, tensor<1x5x2x3xf32>) -> tensor<1x5x2x3xf32>
  return %r : tensor<1x5x2x3xf32>
}

// -----

// torch.nn.MultiheadAttention across two sequences: the projection of queries
// is the first rows of one tensor, and that of keys and values the rest.
// CHECK-LABEL: func.func @attention(
// CHECK-DAG: %[[BQ:.*]] = quant_llm.parameter ""::"attention.0.bias" : tensor<2xf32> = dense<[1.000000e+00, 2.000000e+00]>
// CHECK-DAG: %[[WQ:.*]] = quant_llm.parameter ""::"attention.0.weight" : tensor<2x2xf32> = dense<{{\[\[}}1.000000e+00, 2.000000e+00], [3.000000e+00, 4.000000e+00]]>
// CHECK-DAG: %[[BK:.*]] = quant_llm.parameter ""::"attention.1.bias" : tensor<4xf32> = dense<[3.000000e+00, 4.000000e+00, 5.000000e+00, 6.000000e+00]>
// CHECK-DAG: %[[WK:.*]] = quant_llm.parameter ""::"attention.1.weight" : tensor<4x2xf32> = dense<{{\[\[}}5.000000e+00, 6.000000e+00], [7.000000e+00, 8.000000e+00], [9.000000e+00, 1.000000e+01], [1.100000e+01, 1.200000e+01]]>
// CHECK-NOT: torch.aten.slice
// CHECK: quant_llm.linear %{{.*}}, %[[WQ]] bias(%[[BQ]]) name("attention.0")
// CHECK: quant_llm.linear %{{.*}}, %[[WK]] bias(%[[BK]]) name("attention.1")
func.func @attention(%q: !torch.vtensor<[5,2],f32>, %kv: !torch.vtensor<[?,2],f32>) -> (!torch.vtensor<[5,2],f32>, !torch.vtensor<[?,4],f32>) {
  %w = "torch.vtensor.literal"() <{value = dense<[[1., 2.], [3., 4.], [5., 6.], [7., 8.], [9., 10.], [11., 12.]]> : tensor<6x2xf32>}> : () -> !torch.vtensor<[6,2],f32>
  %b = "torch.vtensor.literal"() <{value = dense<[1., 2., 3., 4., 5., 6.]> : tensor<6xf32>}> : () -> !torch.vtensor<[6],f32>
  %0 = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
  %1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %2 = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %end = "torch.constant.int"() <{value = 9223372036854775807 : i64}> : () -> !torch.int
  %none = "torch.constant.none"() : () -> !torch.none
  %wq = "torch.aten.slice.Tensor"(%w, %0, %none, %2, %1) : (!torch.vtensor<[6,2],f32>, !torch.int, !torch.none, !torch.int, !torch.int) -> !torch.vtensor<[2,2],f32>
  %bq = "torch.aten.slice.Tensor"(%b, %0, %0, %2, %1) : (!torch.vtensor<[6],f32>, !torch.int, !torch.int, !torch.int, !torch.int) -> !torch.vtensor<[2],f32>
  %yq = "torch.aten.linear"(%q, %wq, %bq) : (!torch.vtensor<[5,2],f32>, !torch.vtensor<[2,2],f32>, !torch.vtensor<[2],f32>) -> !torch.vtensor<[5,2],f32>
  %wk = "torch.aten.slice.Tensor"(%w, %0, %2, %end, %1) : (!torch.vtensor<[6,2],f32>, !torch.int, !torch.int, !torch.int, !torch.int) -> !torch.vtensor<[4,2],f32>
  %bk = "torch.aten.slice.Tensor"(%b, %0, %2, %end, %1) : (!torch.vtensor<[6],f32>, !torch.int, !torch.int, !torch.int, !torch.int) -> !torch.vtensor<[4],f32>
  %yk = "torch.aten.linear"(%kv, %wk, %bk) : (!torch.vtensor<[?,2],f32>, !torch.vtensor<[4,2],f32>, !torch.vtensor<[4],f32>) -> !torch.vtensor<[?,4],f32>
  return %yq, %yk : !torch.vtensor<[5,2],f32>, !torch.vtensor<[?,4],f32>
}

// -----

// One of a stack, by select.
// CHECK-LABEL: func.func @selected(
// CHECK: %[[W:.*]] = quant_llm.parameter ""::"selected.0.weight" : tensor<3x2xf32> = dense<{{\[\[}}7.000000e+00, 8.000000e+00], [9.000000e+00, 1.000000e+01], [1.100000e+01, 1.200000e+01]]>
// CHECK-NOT: torch.aten.select
// CHECK: quant_llm.linear %{{.*}}, %[[W]] name("selected.0")
func.func @selected(%x: !torch.vtensor<[5,2],f32>) -> !torch.vtensor<[5,3],f32> {
  %w = "torch.vtensor.literal"() <{value = dense<[[[1., 2.], [3., 4.], [5., 6.]], [[7., 8.], [9., 10.], [11., 12.]]]> : tensor<2x3x2xf32>}> : () -> !torch.vtensor<[2,3,2],f32>
  %0 = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
  %last = "torch.constant.int"() <{value = -1 : i64}> : () -> !torch.int
  %none = "torch.constant.none"() : () -> !torch.none
  %w1 = "torch.aten.select.int"(%w, %0, %last) : (!torch.vtensor<[2,3,2],f32>, !torch.int, !torch.int) -> !torch.vtensor<[3,2],f32>
  %y = "torch.aten.linear"(%x, %w1, %none) : (!torch.vtensor<[5,2],f32>, !torch.vtensor<[3,2],f32>, !torch.none) -> !torch.vtensor<[5,3],f32>
  return %y : !torch.vtensor<[5,3],f32>
}

// -----

// The einsum "bd,hde->bhe" as torch decomposes it: the weight's heads and their
// channels are merged after a transpose.
// CHECK-LABEL: func.func @merged(
// CHECK: %[[W:.*]] = quant_llm.parameter ""::"merged.0.weight" : tensor<6x2xf32> = dense<{{\[\[}}1.000000e+00, 4.000000e+00], [2.000000e+00, 5.000000e+00], [3.000000e+00, 6.000000e+00], [7.000000e+00, 1.000000e+01], [8.000000e+00, 1.100000e+01], [9.000000e+00, 1.200000e+01]]>
// CHECK: quant_llm.linear %{{.*}}, %[[W]] name("merged.0") : (tensor<1x5x2xf32>, tensor<6x2xf32>) -> tensor<1x5x6xf32>
func.func @merged(%x: !torch.vtensor<[1,5,2],f32>) -> !torch.vtensor<[1,5,6],f32> {
  %w = "torch.vtensor.literal"() <{value = dense<[[[1., 2., 3.], [4., 5., 6.]], [[7., 8., 9.], [10., 11., 12.]]]> : tensor<2x2x3xf32>}> : () -> !torch.vtensor<[2,2,3],f32>
  %c0 = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
  %c1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %c2 = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %c3 = "torch.constant.int"() <{value = 3 : i64}> : () -> !torch.int
  %c6 = "torch.constant.int"() <{value = 6 : i64}> : () -> !torch.int
  %none = "torch.constant.none"() : () -> !torch.none
  %u = "torch.aten.unsqueeze"(%w, %c3) : (!torch.vtensor<[2,2,3],f32>, !torch.int) -> !torch.vtensor<[2,2,3,1],f32>
  %p = "torch.prim.ListConstruct"(%c1, %c0, %c2, %c3) : (!torch.int, !torch.int, !torch.int, !torch.int) -> !torch.list<int>
  %t = "torch.aten.permute"(%u, %p) : (!torch.vtensor<[2,2,3,1],f32>, !torch.list<int>) -> !torch.vtensor<[2,2,3,1],f32>
  %c = "torch.aten.clone"(%t, %none) : (!torch.vtensor<[2,2,3,1],f32>, !torch.none) -> !torch.vtensor<[2,2,3,1],f32>
  %s = "torch.prim.ListConstruct"(%c1, %c2, %c6) : (!torch.int, !torch.int, !torch.int) -> !torch.list<int>
  %v = "torch.aten.view"(%c, %s) : (!torch.vtensor<[2,2,3,1],f32>, !torch.list<int>) -> !torch.vtensor<[1,2,6],f32>
  %y = "torch.aten.bmm"(%x, %v) : (!torch.vtensor<[1,5,2],f32>, !torch.vtensor<[1,2,6],f32>) -> !torch.vtensor<[1,5,6],f32>
  return %y : !torch.vtensor<[1,5,6],f32>
}

// -----

// Parts of a list: of one size, and of given sizes. What splits something else
// stays.
// CHECK-LABEL: func.func @lists(
// CHECK: quant_llm.parameter ""::"lists.0.weight" : tensor<2x2xf32> = dense<{{\[\[}}5.000000e+00, 6.000000e+00], [7.000000e+00, 8.000000e+00]]>
// CHECK: quant_llm.parameter ""::"lists.1.weight" : tensor<1x2xf32> = dense<{{\[\[}}9.000000e+00, 1.000000e+01]]>
// CHECK: quant_llm.parameter ""::"lists.2.weight" : tensor<3x2xf32> = dense<{{\[\[}}5.000000e+00, 6.000000e+00], [7.000000e+00, 8.000000e+00], [9.000000e+00, 1.000000e+01]]>
// CHECK-NOT: "torch.aten.split
// CHECK: "torch.aten.chunk"
// CHECK-NOT: "torch.aten.split
// CHECK: quant_llm.linear {{.*}} name("lists.0")
// CHECK: quant_llm.linear {{.*}} name("lists.1")
// CHECK: quant_llm.linear {{.*}} name("lists.2")
func.func @lists(%x: !torch.vtensor<[5,2],f32>) -> (!torch.vtensor<[5,2],f32>, !torch.vtensor<[5,1],f32>, !torch.vtensor<[5,3],f32>, !torch.vtensor<[3,2],f32>) {
  %w = "torch.vtensor.literal"() <{value = dense<[[1., 2.], [3., 4.], [5., 6.], [7., 8.], [9., 10.]]> : tensor<5x2xf32>}> : () -> !torch.vtensor<[5,2],f32>
  %c0 = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
  %c2 = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %c3 = "torch.constant.int"() <{value = 3 : i64}> : () -> !torch.int
  %none = "torch.constant.none"() : () -> !torch.none
  %each = "torch.aten.split.Tensor"(%w, %c2, %c0) : (!torch.vtensor<[5,2],f32>, !torch.int, !torch.int) -> !torch.list<vtensor>
  %a:3 = "torch.prim.ListUnpack"(%each) : (!torch.list<vtensor>) -> (!torch.vtensor<[2,2],f32>, !torch.vtensor<[2,2],f32>, !torch.vtensor<[1,2],f32>)
  %sizes = "torch.prim.ListConstruct"(%c2, %c3) : (!torch.int, !torch.int) -> !torch.list<int>
  %of = "torch.aten.split_with_sizes"(%w, %sizes, %c0) : (!torch.vtensor<[5,2],f32>, !torch.list<int>, !torch.int) -> !torch.list<vtensor>
  %b:2 = "torch.prim.ListUnpack"(%of) : (!torch.list<vtensor>) -> (!torch.vtensor<[2,2],f32>, !torch.vtensor<[3,2],f32>)
  %chunks = "torch.aten.chunk"(%x, %c2, %c0) : (!torch.vtensor<[5,2],f32>, !torch.int, !torch.int) -> !torch.list<vtensor>
  %c:2 = "torch.prim.ListUnpack"(%chunks) : (!torch.list<vtensor>) -> (!torch.vtensor<[3,2],f32>, !torch.vtensor<[2,2],f32>)
  %y0 = "torch.aten.linear"(%x, %a#1, %none) : (!torch.vtensor<[5,2],f32>, !torch.vtensor<[2,2],f32>, !torch.none) -> !torch.vtensor<[5,2],f32>
  %y1 = "torch.aten.linear"(%x, %a#2, %none) : (!torch.vtensor<[5,2],f32>, !torch.vtensor<[1,2],f32>, !torch.none) -> !torch.vtensor<[5,1],f32>
  %y2 = "torch.aten.linear"(%x, %b#1, %none) : (!torch.vtensor<[5,2],f32>, !torch.vtensor<[3,2],f32>, !torch.none) -> !torch.vtensor<[5,3],f32>
  return %y0, %y1, %y2, %c#0 : !torch.vtensor<[5,2],f32>, !torch.vtensor<[5,1],f32>, !torch.vtensor<[5,3],f32>, !torch.vtensor<[3,2],f32>
}
