// RUN: qk-opt --allow-unregistered-dialect --quant-llm-raise-linear --split-input-file %s | FileCheck %s
// StableHLO in generic form, a dialect that is not linked: what torch-mlir and
// JAX make of a linear layer, and that nothing of it is left.

// addmm: product and bias are each multiplied by one.
// CHECK-LABEL: func.func @addmm
// CHECK-SAME: (%[[X:.*]]: tensor<5x3xf32>)
// CHECK-NEXT: %[[W:.*]] = quant_llm.parameter ""::"addmm.0.weight" : tensor<2x3xf32>
// CHECK-NEXT: %[[B:.*]] = "stablehlo.constant"
// CHECK-NEXT: %[[Y:.*]] = quant_llm.linear %[[X]], %[[W]] bias(%[[B]]) name("addmm.0")
// CHECK-NEXT: return %[[Y]]
func.func @addmm(%x: tensor<5x3xf32>) -> tensor<5x2xf32> {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>}> : () -> tensor<2x3xf32>
  %one = "arith.constant"() <{value = dense<1> : tensor<1xi64>}> : () -> tensor<1xi64>
  %t = "stablehlo.transpose"(%w) <{permutation = array<i64: 1, 0>}> : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %p = "stablehlo.dot_general"(%x, %t) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]>}> : (tensor<5x3xf32>, tensor<3x2xf32>) -> tensor<5x2xf32>
  %f = "stablehlo.convert"(%one) : (tensor<1xi64>) -> tensor<1xf32>
  %s = "stablehlo.reshape"(%f) : (tensor<1xf32>) -> tensor<f32>
  %ones = "stablehlo.broadcast_in_dim"(%s) <{broadcast_dimensions = array<i64>}> : (tensor<f32>) -> tensor<5x2xf32>
  %ap = "stablehlo.multiply"(%p, %ones) : (tensor<5x2xf32>, tensor<5x2xf32>) -> tensor<5x2xf32>
  %b = "stablehlo.constant"() <{value = dense<[1., 2.]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %bb = "stablehlo.broadcast_in_dim"(%b) <{broadcast_dimensions = array<i64: 1>}> : (tensor<2xf32>) -> tensor<5x2xf32>
  %ab = "stablehlo.multiply"(%bb, %ones) : (tensor<5x2xf32>, tensor<5x2xf32>) -> tensor<5x2xf32>
  %y = "stablehlo.add"(%ap, %ab) : (tensor<5x2xf32>, tensor<5x2xf32>) -> tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}

// -----

// The same of dynamic shape: sizes are asked of values between, and the sum is
// guarded. They are asked of the result instead where something else needs them.
// CHECK-LABEL: func.func @dynamic
// CHECK-SAME: (%[[X:.*]]: tensor<?x3xf32>)
// CHECK: %[[Y:.*]] = quant_llm.linear %[[X]], %{{.*}} bias(%{{.*}}) name("dynamic.0")
// CHECK-NEXT: %[[S:.*]] = shape.shape_of %[[Y]]
// CHECK-NEXT: return %[[Y]], %[[S]]
func.func @dynamic(%x: tensor<?x3xf32>) -> (tensor<?x2xf32>, tensor<2xindex>) {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2.], [3., 4.], [5., 6.]]> : tensor<3x2xf32>}> : () -> tensor<3x2xf32>
  %b = "stablehlo.constant"() <{value = dense<[1., 2.]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %d = tensor.dim %x, %c0 : tensor<?x3xf32>
  %p = "stablehlo.dot_general"(%x, %w) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]>}> : (tensor<?x3xf32>, tensor<3x2xf32>) -> tensor<?x2xf32>
  %ps = shape.shape_of %p : tensor<?x2xf32> -> tensor<2xindex>
  %shape = tensor.from_elements %d, %c2 : tensor<2xindex>
  %bb = "stablehlo.dynamic_broadcast_in_dim"(%b, %shape) <{broadcast_dimensions = array<i64: 1>}> : (tensor<2xf32>, tensor<2xindex>) -> tensor<?x2xf32>
  %bs = shape.shape_of %bb : tensor<?x2xf32> -> tensor<2xindex>
  %ok = shape.cstr_broadcastable %ps, %bs : tensor<2xindex>, tensor<2xindex>
  %y = shape.assuming %ok -> (tensor<?x2xf32>) {
    %s = shape.broadcast %ps, %bs : tensor<2xindex>, tensor<2xindex> -> tensor<2xindex>
    %0 = "stablehlo.dynamic_broadcast_in_dim"(%p, %s) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<?x2xf32>, tensor<2xindex>) -> tensor<?x2xf32>
    %1 = "stablehlo.dynamic_broadcast_in_dim"(%bb, %s) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<?x2xf32>, tensor<2xindex>) -> tensor<?x2xf32>
    %2 = "stablehlo.add"(%0, %1) : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
    shape.assuming_yield %2 : tensor<?x2xf32>
  }
  return %y, %ps : tensor<?x2xf32>, tensor<2xindex>
}

// -----

// f16 computed in f32: the layer is the f16 one.
// CHECK-LABEL: func.func @narrowed
// CHECK-SAME: (%[[X:.*]]: tensor<5x3xf16>)
// CHECK: %[[Y:.*]] = quant_llm.linear %[[X]], %{{.*}} name("narrowed.0") : (tensor<5x3xf16>, tensor<2x3xf16>) -> tensor<5x2xf16>
// CHECK-NEXT: return %[[Y]]
func.func @narrowed(%x: tensor<5x3xf16>) -> tensor<5x2xf16> {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf16>}> : () -> tensor<2x3xf16>
  %wide = "stablehlo.convert"(%x) : (tensor<5x3xf16>) -> tensor<5x3xf32>
  %ww = "stablehlo.convert"(%w) : (tensor<2x3xf16>) -> tensor<2x3xf32>
  %p = "stablehlo.dot_general"(%wide, %ww) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>}> : (tensor<5x3xf32>, tensor<2x3xf32>) -> tensor<5x2xf32>
  %y = "stablehlo.convert"(%p) : (tensor<5x2xf32>) -> tensor<5x2xf16>
  return %y : tensor<5x2xf16>
}

// -----

// A bf16 product kept in f32 (preferred_element_type): the layer is f32's. A
// precision says how to round.
// CHECK-LABEL: func.func @kept_wide
// CHECK: %[[X:.*]] = "stablehlo.convert"(%{{.*}}) : (tensor<5x3xbf16>) -> tensor<5x3xf32>
// CHECK: quant_llm.linear %[[X]], %{{.*}} name("kept_wide.0") : (tensor<5x3xf32>, tensor<2x3xbf16>) -> tensor<5x2xf32>
func.func @kept_wide(%x: tensor<5x3xbf16>) -> tensor<5x2xf32> {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xbf16>}> : () -> tensor<2x3xbf16>
  %p = "stablehlo.dot_general"(%x, %w) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision DEFAULT>]}> : (tensor<5x3xbf16>, tensor<2x3xbf16>) -> tensor<5x2xf32>
  return %p : tensor<5x2xf32>
}

// -----

// JAX: a bias through two broadcasts.
// CHECK-LABEL: func.func @two_broadcasts
// CHECK: quant_llm.linear %{{.*}}, %{{.*}} bias(%{{.*}}) name("two_broadcasts.0") : (tensor<2x5x3xf32>, tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x5x2xf32>
// CHECK-NEXT: return
func.func @two_broadcasts(%x: tensor<2x5x3xf32>) -> tensor<2x5x2xf32> {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2.], [3., 4.], [5., 6.]]> : tensor<3x2xf32>}> : () -> tensor<3x2xf32>
  %b = "stablehlo.constant"() <{value = dense<[1., 2.]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %p = "stablehlo.dot_general"(%x, %w) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [2], rhs_contracting_dimensions = [0]>}> : (tensor<2x5x3xf32>, tensor<3x2xf32>) -> tensor<2x5x2xf32>
  %b1 = "stablehlo.broadcast_in_dim"(%b) <{broadcast_dimensions = array<i64: 2>}> : (tensor<2xf32>) -> tensor<1x1x2xf32>
  %b2 = "stablehlo.broadcast_in_dim"(%b1) <{broadcast_dimensions = array<i64: 0, 1, 2>}> : (tensor<1x1x2xf32>) -> tensor<2x5x2xf32>
  %y = "stablehlo.add"(%b2, %p) : (tensor<2x5x2xf32>, tensor<2x5x2xf32>) -> tensor<2x5x2xf32>
  return %y : tensor<2x5x2xf32>
}

// -----

// Flax's DenseGeneral: several output dimensions, then several contracted ones.
// CHECK-LABEL: func.func @heads
// CHECK-SAME: (%[[X:.*]]: tensor<5x4xf32>)
// CHECK: %[[Q:.*]] = quant_llm.linear %[[X]], %{{.*}} bias(%{{.*}}) name("heads.0") : (tensor<5x4xf32>, tensor<6x4xf32>, tensor<6xf32>) -> tensor<5x6xf32>
// CHECK: %[[H:.*]] = "stablehlo.reshape"(%[[Q]]) : (tensor<5x6xf32>) -> tensor<5x2x3xf32>
// CHECK: %[[R:.*]] = "stablehlo.reshape"(%[[H]]) : (tensor<5x2x3xf32>) -> tensor<5x6xf32>
// CHECK: %[[Y:.*]] = quant_llm.linear %[[R]], %{{.*}} name("heads.1") : (tensor<5x6xf32>, tensor<4x6xf32>) -> tensor<5x4xf32>
// CHECK: return %[[Y]]
func.func @heads(%x: tensor<5x4xf32>) -> tensor<5x4xf32> {
  %w = "stablehlo.constant"() <{value = dense<[[[1., 2., 3.], [4., 5., 6.]], [[1., 2., 3.], [4., 5., 6.]], [[1., 2., 3.], [4., 5., 6.]], [[1., 2., 3.], [4., 5., 7.]]]> : tensor<4x2x3xf32>}> : () -> tensor<4x2x3xf32>
  %b = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>}> : () -> tensor<2x3xf32>
  %o = "stablehlo.constant"() <{value = dense<[[[1., 2., 3., 4.], [4., 5., 6., 7.], [1., 2., 3., 4.]], [[4., 5., 6., 7.], [1., 2., 3., 4.], [4., 5., 6., 7.]]]> : tensor<2x3x4xf32>}> : () -> tensor<2x3x4xf32>
  %q = "stablehlo.dot_general"(%x, %w) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]>}> : (tensor<5x4xf32>, tensor<4x2x3xf32>) -> tensor<5x2x3xf32>
  %bb = "stablehlo.broadcast_in_dim"(%b) <{broadcast_dimensions = array<i64: 1, 2>}> : (tensor<2x3xf32>) -> tensor<5x2x3xf32>
  %h = "stablehlo.add"(%q, %bb) : (tensor<5x2x3xf32>, tensor<5x2x3xf32>) -> tensor<5x2x3xf32>
  %y = "stablehlo.dot_general"(%h, %o) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1, 2], rhs_contracting_dimensions = [0, 1]>}> : (tensor<5x2x3xf32>, tensor<2x3x4xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}

// -----

// All of a constant, reshaped.
// CHECK-LABEL: func.func @reshaped_weight
// CHECK: %[[W:.*]] = quant_llm.parameter ""::"reshaped_weight.0.weight" : tensor<4x6xf32>
// CHECK: %[[T:.*]] = quant_llm.transpose %[[W]]
// CHECK: quant_llm.linear %{{.*}}, %[[T]] name("reshaped_weight.0") : (tensor<5x4xf32>, tensor<6x4xf32>) -> tensor<5x6xf32>
func.func @reshaped_weight(%x: tensor<5x4xf32>) -> tensor<5x2x3xf32> {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3., 4., 5., 6.], [1., 2., 3., 4., 5., 6.], [1., 2., 3., 4., 5., 6.], [1., 2., 3., 4., 5., 7.]]> : tensor<4x6xf32>}> : () -> tensor<4x6xf32>
  %r = "stablehlo.reshape"(%w) : (tensor<4x6xf32>) -> tensor<4x2x3xf32>
  %q = "stablehlo.dot_general"(%x, %r) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]>}> : (tensor<5x4xf32>, tensor<4x2x3xf32>) -> tensor<5x2x3xf32>
  return %q : tensor<5x2x3xf32>
}

// -----

// A weight that is repeated for each batch, and the old product op.
// CHECK-LABEL: func.func @repeated
// CHECK-SAME: (%[[X:.*]]: tensor<2x5x3xf32>, %[[V:.*]]: tensor<3xf32>)
// CHECK: quant_llm.linear %[[X]], %{{.*}} name("repeated.0") : (tensor<2x5x3xf32>, tensor<2x3xf32>) -> tensor<2x5x2xf32>
// CHECK: quant_llm.linear %[[V]], %{{.*}} name("repeated.0") : (tensor<3xf32>, tensor<2x3xf32>) -> tensor<2xf32>
func.func @repeated(%x: tensor<2x5x3xf32>, %v: tensor<3xf32>) -> (tensor<2x5x2xf32>, tensor<2xf32>) {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2.], [3., 4.], [5., 6.]]> : tensor<3x2xf32>}> : () -> tensor<3x2xf32>
  %r = "stablehlo.broadcast_in_dim"(%w) <{broadcast_dimensions = array<i64: 1, 2>}> : (tensor<3x2xf32>) -> tensor<2x3x2xf32>
  %p = "stablehlo.dot_general"(%x, %r) <{dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = [0], rhs_batching_dimensions = [0], lhs_contracting_dimensions = [2], rhs_contracting_dimensions = [1]>}> : (tensor<2x5x3xf32>, tensor<2x3x2xf32>) -> tensor<2x5x2xf32>
  %q = "stablehlo.dot"(%v, %w) : (tensor<3xf32>, tensor<3x2xf32>) -> tensor<2xf32>
  return %p, %q : tensor<2x5x2xf32>, tensor<2xf32>
}

// -----

// jnp.einsum writes W*x and transposes.
// CHECK-LABEL: func.func @weight_first
// CHECK-SAME: (%[[X:.*]]: tensor<2x5x3xf32>)
// CHECK: %[[Y:.*]] = quant_llm.linear %[[X]], %{{.*}} name("weight_first.0") : (tensor<2x5x3xf32>, tensor<4x3xf32>) -> tensor<2x5x4xf32>
// CHECK-NEXT: return %[[Y]]
func.func @weight_first(%x: tensor<2x5x3xf32>) -> tensor<2x5x4xf32> {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [1., 2., 3.], [4., 5., 7.]]> : tensor<4x3xf32>}> : () -> tensor<4x3xf32>
  %p = "stablehlo.dot_general"(%w, %x) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [2]>}> : (tensor<4x3xf32>, tensor<2x5x3xf32>) -> tensor<4x2x5xf32>
  %y = "stablehlo.transpose"(%p) <{permutation = array<i64: 1, 2, 0>}> : (tensor<4x2x5xf32>) -> tensor<2x5x4xf32>
  return %y : tensor<2x5x4xf32>
}

// -----

// einsum('btd,dhk->bhtk') and einsum('bhtk,hkd->btd'): the heads are in front of
// the tokens, so that the layer's result and input are permuted; what is added
// behind the permutation is no bias of the layer.
// CHECK-LABEL: func.func @heads_first
// CHECK-SAME: (%[[X:.*]]: tensor<2x5x3xf32>)
// CHECK: %[[Q:.*]] = quant_llm.linear %[[X]], %{{.*}} name("heads_first.0") : (tensor<2x5x3xf32>, tensor<8x3xf32>) -> tensor<2x5x8xf32>
// CHECK-NEXT: %[[H:.*]] = "stablehlo.reshape"(%[[Q]]) : (tensor<2x5x8xf32>) -> tensor<2x5x4x2xf32>
// CHECK-NEXT: %[[T:.*]] = "stablehlo.transpose"(%[[H]]) <{permutation = array<i64: 0, 2, 1, 3>}> : (tensor<2x5x4x2xf32>) -> tensor<2x4x5x2xf32>
// CHECK: %[[S:.*]] = "stablehlo.add"(%[[T]],
// CHECK: %[[U:.*]] = "stablehlo.transpose"(%[[S]]) <{permutation = array<i64: 0, 2, 1, 3>}> : (tensor<2x4x5x2xf32>) -> tensor<2x5x4x2xf32>
// CHECK: %[[R:.*]] = "stablehlo.reshape"(%[[U]]) : (tensor<2x5x4x2xf32>) -> tensor<2x5x8xf32>
// CHECK: %[[Y:.*]] = quant_llm.linear %[[R]], %{{.*}} name("heads_first.1") : (tensor<2x5x8xf32>, tensor<3x8xf32>) -> tensor<2x5x3xf32>
// CHECK-NEXT: return %[[Y]]
func.func @heads_first(%x: tensor<2x5x3xf32>) -> tensor<2x5x3xf32> {
  %w = "stablehlo.constant"() <{value = dense<[[[1., 2.], [3., 4.], [5., 6.], [7., 8.]], [[1., 2.], [3., 4.], [5., 6.], [7., 8.]], [[1., 2.], [3., 4.], [5., 6.], [7., 9.]]]> : tensor<3x4x2xf32>}> : () -> tensor<3x4x2xf32>
  %o = "stablehlo.constant"() <{value = dense<[[[1., 2., 3.], [4., 5., 6.]], [[1., 2., 3.], [4., 5., 6.]], [[1., 2., 3.], [4., 5., 6.]], [[1., 2., 3.], [4., 5., 7.]]]> : tensor<4x2x3xf32>}> : () -> tensor<4x2x3xf32>
  %b = "stablehlo.constant"() <{value = dense<[[1., 2.], [3., 4.], [5., 6.], [7., 8.]]> : tensor<4x2xf32>}> : () -> tensor<4x2xf32>
  %p = "stablehlo.dot_general"(%w, %x) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [0], rhs_contracting_dimensions = [2]>}> : (tensor<3x4x2xf32>, tensor<2x5x3xf32>) -> tensor<4x2x2x5xf32>
  %t = "stablehlo.transpose"(%p) <{permutation = array<i64: 2, 0, 3, 1>}> : (tensor<4x2x2x5xf32>) -> tensor<2x4x5x2xf32>
  %bb = "stablehlo.broadcast_in_dim"(%b) <{broadcast_dimensions = array<i64: 1, 3>}> : (tensor<4x2xf32>) -> tensor<2x4x5x2xf32>
  %s = "stablehlo.add"(%t, %bb) : (tensor<2x4x5x2xf32>, tensor<2x4x5x2xf32>) -> tensor<2x4x5x2xf32>
  %y = "stablehlo.dot_general"(%s, %o) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1, 3], rhs_contracting_dimensions = [0, 1]>}> : (tensor<2x4x5x2xf32>, tensor<4x2x3xf32>) -> tensor<2x5x3xf32>
  return %y : tensor<2x5x3xf32>
}

// -----

// W*x whose result is used as it is.
// CHECK-LABEL: func.func @columns
// CHECK: %[[Y:.*]] = quant_llm.linear %{{.*}}, %{{.*}} name("columns.0") : (tensor<5x3xf32>, tensor<2x3xf32>) -> tensor<5x2xf32>
// CHECK-NEXT: %[[T:.*]] = "stablehlo.transpose"(%[[Y]]) <{permutation = array<i64: 1, 0>}> : (tensor<5x2xf32>) -> tensor<2x5xf32>
// CHECK-NEXT: return %[[T]]
func.func @columns(%x: tensor<5x3xf32>) -> tensor<2x5xf32> {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>}> : () -> tensor<2x3xf32>
  %p = "stablehlo.dot_general"(%w, %x) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>}> : (tensor<2x3xf32>, tensor<5x3xf32>) -> tensor<2x5xf32>
  return %p : tensor<2x5xf32>
}

// -----

// A helper that all callers pass one weight: raised within it.
// CHECK-LABEL: func.func @main
// CHECK-COUNT-2: call @helper
// CHECK-LABEL: func.func private @helper
// CHECK-DAG: %{{.*}} = quant_llm.parameter ""::"helper.0.weight"
// CHECK-DAG: %[[B:.*]] = quant_llm.parameter ""::"helper.0.bias"
// CHECK: quant_llm.linear %{{.*}}, %{{.*}} bias(%[[B]]) name("helper.0")
func.func @main(%x: tensor<5x3xf32>) -> (tensor<5x2xf32>, tensor<5x2xf32>) {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2.], [3., 4.], [5., 6.]]> : tensor<3x2xf32>}> : () -> tensor<3x2xf32>
  %b = "stablehlo.constant"() <{value = dense<[1., 2.]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %y = call @helper(%x, %w, %b) : (tensor<5x3xf32>, tensor<3x2xf32>, tensor<2xf32>) -> tensor<5x2xf32>
  %z = call @helper(%x, %w, %b) : (tensor<5x3xf32>, tensor<3x2xf32>, tensor<2xf32>) -> tensor<5x2xf32>
  return %y, %z : tensor<5x2xf32>, tensor<5x2xf32>
}
func.func private @helper(%x: tensor<5x3xf32>, %w: tensor<3x2xf32>, %b: tensor<2xf32>) -> tensor<5x2xf32> {
  %p = "stablehlo.dot_general"(%x, %w) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]>}> : (tensor<5x3xf32>, tensor<3x2xf32>) -> tensor<5x2xf32>
  %bb = "stablehlo.broadcast_in_dim"(%b) <{broadcast_dimensions = array<i64: 1>}> : (tensor<2xf32>) -> tensor<5x2xf32>
  %y = "stablehlo.add"(%p, %bb) : (tensor<5x2xf32>, tensor<5x2xf32>) -> tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}

// -----

// Nested helpers that are called with different weights: a copy for each weight,
// one for both calls with the same; what has no weight is not copied.
// CHECK-LABEL: func.func @main
// CHECK: call @block(
// CHECK: call @[[SECOND:block_[0-9]+]](
// CHECK: call @block(
// CHECK: func.func private @block(
// CHECK: call @[[DENSE:dense.*]](
// CHECK: call @act(
// CHECK: func.func private @[[SECOND]](
// CHECK: call @[[OTHER:dense.*]](
// CHECK: call @act(
// CHECK-COUNT-2: quant_llm.linear
// CHECK-NOT: quant_llm.linear
// CHECK: func.func private @act(
// CHECK-NOT: func.func
func.func @main(%x: tensor<5x3xf32>) -> tensor<5x3xf32> {
  %v = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [3., 4., 5.], [5., 6., 7.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  %w = "stablehlo.constant"() <{value = dense<[[2., 2., 3.], [3., 4., 5.], [5., 6., 7.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  %0 = call @block(%x, %v) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  %1 = call @block(%0, %w) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  %2 = call @block(%1, %v) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  return %2 : tensor<5x3xf32>
}
func.func private @block(%x: tensor<5x3xf32>, %w: tensor<3x3xf32>) -> tensor<5x3xf32> {
  %0 = call @dense(%x, %w) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  %1 = call @act(%0) : (tensor<5x3xf32>) -> tensor<5x3xf32>
  return %1 : tensor<5x3xf32>
}
func.func private @dense(%x: tensor<5x3xf32>, %w: tensor<3x3xf32>) -> tensor<5x3xf32> {
  %0 = "stablehlo.dot"(%x, %w) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  return %0 : tensor<5x3xf32>
}
func.func private @act(%x: tensor<5x3xf32>) -> tensor<5x3xf32> {
  %0 = "stablehlo.tanh"(%x) : (tensor<5x3xf32>) -> tensor<5x3xf32>
  return %0 : tensor<5x3xf32>
}

// -----

// A weight that a loop hands on as it is, behind a barrier: its parameter is
// made outside.
// CHECK-LABEL: func.func @loop
// CHECK: %[[W:.*]] = quant_llm.parameter ""::"loop.0.weight"
// CHECK: "stablehlo.while"
// CHECK: quant_llm.linear %{{.*}}, %[[W]] name("loop.0")
func.func @loop(%x: tensor<5x3xf32>) -> tensor<5x3xf32> {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [3., 4., 5.], [5., 6., 7.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  %0:2 = "stablehlo.while"(%x, %w) ({
  ^bb0(%y: tensor<5x3xf32>, %v: tensor<3x3xf32>):
    %1 = "test.more"(%y) : (tensor<5x3xf32>) -> tensor<i1>
    "stablehlo.return"(%1) : (tensor<i1>) -> ()
  }, {
  ^bb0(%y: tensor<5x3xf32>, %v: tensor<3x3xf32>):
    %1:2 = "stablehlo.optimization_barrier"(%y, %v) : (tensor<5x3xf32>, tensor<3x3xf32>) -> (tensor<5x3xf32>, tensor<3x3xf32>)
    %2 = "stablehlo.dot_general"(%1#0, %1#1) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>}> : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
    "stablehlo.return"(%2, %v) : (tensor<5x3xf32>, tensor<3x3xf32>) -> ()
  }) : (tensor<5x3xf32>, tensor<3x3xf32>) -> (tensor<5x3xf32>, tensor<3x3xf32>)
  return %0#0 : tensor<5x3xf32>
}

// -----

// The loop hands the weight to a function, which loads it itself: the loop's
// operands stay.
// CHECK-LABEL: func.func @outer_loop
// CHECK: %[[W:.*]] = quant_llm.parameter "model"::"w" : tensor<3x3xf32>
// CHECK: %[[B:.*]] = quant_llm.parameter "model"::"b" : tensor<3xf32>
// CHECK: "stablehlo.while"(%{{.*}}, %[[W]], %[[B]])
// CHECK-LABEL: func.func private @closed_call
// CHECK-DAG: %[[V:.*]] = quant_llm.parameter "model"::"w" : tensor<3x3xf32>
// CHECK-DAG: %[[C:.*]] = quant_llm.parameter "model"::"b" : tensor<3xf32>
// CHECK: quant_llm.linear %{{.*}}, %[[V]] bias(%[[C]]) name("w")
func.func @outer_loop(%x: tensor<5x3xf32>) -> tensor<5x3xf32> {
  %w = quant_llm.parameter "model"::"w" : tensor<3x3xf32>
  %b = quant_llm.parameter "model"::"b" : tensor<3xf32>
  %0:3 = "stablehlo.while"(%x, %w, %b) ({
  ^bb0(%y: tensor<5x3xf32>, %v: tensor<3x3xf32>, %c: tensor<3xf32>):
    %1 = "test.more"(%y) : (tensor<5x3xf32>) -> tensor<i1>
    "stablehlo.return"(%1) : (tensor<i1>) -> ()
  }, {
  ^bb0(%y: tensor<5x3xf32>, %v: tensor<3x3xf32>, %c: tensor<3xf32>):
    %1 = func.call @closed_call(%y, %v, %c) : (tensor<5x3xf32>, tensor<3x3xf32>, tensor<3xf32>) -> tensor<5x3xf32>
    "stablehlo.return"(%1, %v, %c) : (tensor<5x3xf32>, tensor<3x3xf32>, tensor<3xf32>) -> ()
  }) : (tensor<5x3xf32>, tensor<3x3xf32>, tensor<3xf32>) -> (tensor<5x3xf32>, tensor<3x3xf32>, tensor<3xf32>)
  return %0#0 : tensor<5x3xf32>
}
func.func private @closed_call(%x: tensor<5x3xf32>, %w: tensor<3x3xf32>, %b: tensor<3xf32>) -> tensor<5x3xf32> {
  %p = "stablehlo.dot_general"(%x, %w) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>}> : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  %bb = "stablehlo.broadcast_in_dim"(%b) <{broadcast_dimensions = array<i64: 1>}> : (tensor<3xf32>) -> tensor<5x3xf32>
  %y = "stablehlo.add"(%p, %bb) : (tensor<5x3xf32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}

// -----

// What is added may look like a bias and be none: a residual, a table of
// positions, a vector along another dimension; or the product has other users.
// CHECK-LABEL: func.func @no_bias
// CHECK-COUNT-4: quant_llm.linear %{{.*}}, %{{[^ ]*}} name
// CHECK-COUNT-4: "stablehlo.add"
func.func @no_bias(%x: tensor<3x3xf32>) -> (tensor<3x3xf32>, tensor<3x3xf32>) {
  %w0 = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [3., 4., 5.], [5., 6., 7.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  %w1 = "stablehlo.constant"() <{value = dense<[[2., 2., 3.], [3., 4., 5.], [5., 6., 7.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  %w2 = "stablehlo.constant"() <{value = dense<[[3., 2., 3.], [3., 4., 5.], [5., 6., 7.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  %w3 = "stablehlo.constant"() <{value = dense<[[4., 2., 3.], [3., 4., 5.], [5., 6., 7.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  %table = "stablehlo.constant"() <{value = dense<[[5., 2., 3.], [3., 4., 5.], [5., 6., 7.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  %b = "stablehlo.constant"() <{value = dense<[1., 2., 3.]> : tensor<3xf32>}> : () -> tensor<3xf32>
  %rows = "stablehlo.broadcast_in_dim"(%b) <{broadcast_dimensions = array<i64: 0>}> : (tensor<3xf32>) -> tensor<3x3xf32>
  %columns = "stablehlo.broadcast_in_dim"(%b) <{broadcast_dimensions = array<i64: 1>}> : (tensor<3xf32>) -> tensor<3x3xf32>
  %p0 = "stablehlo.dot"(%x, %w0) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  %p1 = "stablehlo.dot"(%x, %w1) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  %p2 = "stablehlo.dot"(%x, %w2) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  %p3 = "stablehlo.dot"(%x, %w3) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  %y0 = "stablehlo.add"(%p0, %x) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  %y1 = "stablehlo.add"(%p1, %table) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  %y2 = "stablehlo.add"(%p2, %rows) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  %y3 = "stablehlo.add"(%p3, %columns) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  %a = "test.use"(%y0, %y1, %y2, %y3) : (tensor<3x3xf32>, tensor<3x3xf32>, tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  return %a, %p3 : tensor<3x3xf32>, tensor<3x3xf32>
}
