// RUN: qk-opt --allow-unregistered-dialect --quant-llm-fold-scales --split-input-file --verify-diagnostics %s | FileCheck %s
// StableHLO, torch and ONNX in generic form, known by name.

// StableHLO: a norm's weight, broadcast and widened; into a region that guards.
// CHECK-LABEL: @stablehlo_norm
// CHECK: %[[W:.*]] = quant_llm.scale_columns %{{.*}} by inverse
// CHECK: %[[WIDE:.*]] = "stablehlo.convert"(%[[W]]) : (tensor<4xf16>) -> tensor<4xf32>
// CHECK: %[[B:.*]] = "stablehlo.broadcast_in_dim"(%[[WIDE]])
// CHECK: "stablehlo.multiply"(%arg0, %[[B]])
// CHECK-NOT: scale_columns
func.func @stablehlo_norm(%x: tensor<5x4xf32>, %ok: !shape.witness) -> tensor<5x3xf32> {
  %s = quant_llm.parameter ""::"s" : tensor<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %fc = quant_llm.parameter ""::"fc.weight" : tensor<3x4xf32> = dense<1.0> : tensor<3x4xf32>
  %w = "stablehlo.constant"() {value = dense<[0.5, 1.0, 1.5, 2.0]> : tensor<4xf16>} : () -> tensor<4xf16>
  %wide = "stablehlo.convert"(%w) : (tensor<4xf16>) -> tensor<4xf32>
  %b = "stablehlo.broadcast_in_dim"(%wide) {broadcast_dimensions = array<i64: 1>} : (tensor<4xf32>) -> tensor<5x4xf32>
  %0 = shape.assuming %ok -> tensor<5x4xf32> {
    %m = "stablehlo.multiply"(%x, %b) : (tensor<5x4xf32>, tensor<5x4xf32>) -> tensor<5x4xf32>
    shape.assuming_yield %m : tensor<5x4xf32>
  }
  // expected-remark@+1 {{the scale of the input of 'fc' is folded into 'fc.input_norm'}}
  %1 = quant_llm.scale_columns %0 by inverse %s : tensor<5x4xf32>, tensor<4xf32>
  %y = quant_llm.linear %1, %fc name("fc") : (tensor<5x4xf32>, tensor<3x4xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}

// -----

// Attention's values, through dot_general; max with zeros; a slice of the layer.
// CHECK-LABEL: @stablehlo_values
// CHECK: quant_llm.gather_factors %{{.*}} sizes = [16] strides = [1] within first = [8] count = [8]
// CHECK: quant_llm.scale_rows
// CHECK-NOT: scale_columns
func.func @stablehlo_values(%x: tensor<5x4xf32>, %p: tensor<2x5x5xf32>) -> (tensor<5x3xf32>, tensor<5x8xf32>) {
  %s = quant_llm.parameter ""::"s" : tensor<8xf32> = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %wv = quant_llm.parameter ""::"kv.weight" : tensor<16x4xf32> = dense<1.0> : tensor<16x4xf32>
  %wo = quant_llm.parameter ""::"o.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %kv = quant_llm.linear %x, %wv name("kv") : (tensor<5x4xf32>, tensor<16x4xf32>) -> tensor<5x16xf32>
  %k = "stablehlo.slice"(%kv) {start_indices = array<i64: 0, 0>, limit_indices = array<i64: 5, 8>, strides = array<i64: 1, 1>} : (tensor<5x16xf32>) -> tensor<5x8xf32>
  %v = "stablehlo.slice"(%kv) {start_indices = array<i64: 0, 8>, limit_indices = array<i64: 5, 16>, strides = array<i64: 1, 1>} : (tensor<5x16xf32>) -> tensor<5x8xf32>
  %zero = "stablehlo.constant"() {value = dense<0.0> : tensor<5x8xf32>} : () -> tensor<5x8xf32>
  %r = "stablehlo.maximum"(%v, %zero) : (tensor<5x8xf32>, tensor<5x8xf32>) -> tensor<5x8xf32>
  %v1 = "stablehlo.reshape"(%r) : (tensor<5x8xf32>) -> tensor<5x2x4xf32>
  %a = "stablehlo.dot_general"(%p, %v1) {dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = [0], rhs_batching_dimensions = [1], lhs_contracting_dimensions = [2], rhs_contracting_dimensions = [0]>} : (tensor<2x5x5xf32>, tensor<5x2x4xf32>) -> tensor<2x5x4xf32>
  %t = "stablehlo.transpose"(%a) {permutation = array<i64: 1, 0, 2>} : (tensor<2x5x4xf32>) -> tensor<5x2x4xf32>
  %o = "stablehlo.reshape"(%t) : (tensor<5x2x4xf32>) -> tensor<5x8xf32>
  // expected-remark@+1 {{the scale of the input of 'o' is folded into 'kv'}}
  %1 = quant_llm.scale_columns %o by inverse %s : tensor<5x8xf32>, tensor<8xf32>
  %y = quant_llm.linear %1, %wo name("o") : (tensor<5x8xf32>, tensor<3x8xf32>) -> tensor<5x3xf32>
  return %y, %k : tensor<5x3xf32>, tensor<5x8xf32>
}

// -----

// torch: layer_norm as one op, constants of a type of its own.
// CHECK-LABEL: @torch_norm
// CHECK: %[[W:.*]] = quant_llm.scale_columns %{{.*}} by inverse
// CHECK: %[[TW:.*]] = "torch_c.from_builtin_tensor"(%[[W]]) : (tensor<4xf32>) -> !torch.vtensor<[4],f32>
// CHECK: %[[B:.*]] = quant_llm.scale_columns %{{.*}} by inverse
// CHECK: %[[TB:.*]] = "torch_c.from_builtin_tensor"(%[[B]])
// CHECK: "torch.aten.layer_norm"(%arg0, %{{[^,]*}}, %[[TW]], %[[TB]],
// CHECK-NOT: scale_columns
func.func @torch_norm(%x: !torch.vtensor<[5,4],f32>) -> tensor<5x3xf32> {
  %s = quant_llm.parameter ""::"s" : tensor<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %fc = quant_llm.parameter ""::"fc.weight" : tensor<3x4xf32> = dense<1.0> : tensor<3x4xf32>
  %w = "torch.vtensor.literal"() <{value = dense<[1., 2., 3., 4.]> : tensor<4xf32>}> : () -> !torch.vtensor<[4],f32>
  %b = "torch.vtensor.literal"() <{value = dense<[5., 6., 7., 8.]> : tensor<4xf32>}> : () -> !torch.vtensor<[4],f32>
  %int4 = "torch.constant.int"() <{value = 4 : i64}> : () -> !torch.int
  %list = "torch.prim.ListConstruct"(%int4) : (!torch.int) -> !torch.list<int>
  %eps = "torch.constant.float"() <{value = 1.0e-5 : f64}> : () -> !torch.float
  %false = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %n = "torch.aten.layer_norm"(%x, %list, %w, %b, %eps, %false) : (!torch.vtensor<[5,4],f32>, !torch.list<int>, !torch.vtensor<[4],f32>, !torch.vtensor<[4],f32>, !torch.float, !torch.bool) -> !torch.vtensor<[5,4],f32>
  %0 = "torch_c.to_builtin_tensor"(%n) : (!torch.vtensor<[5,4],f32>) -> tensor<5x4xf32>
  // expected-remark@+1 {{the scale of the input of 'fc' is folded into 'fc.input_norm', 'fc.input_norm'}}
  %1 = quant_llm.scale_columns %0 by inverse %s : tensor<5x4xf32>, tensor<4xf32>
  %y = quant_llm.linear %1, %fc name("fc") : (tensor<5x4xf32>, tensor<3x4xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}

// -----

// torch: (w + 1), operands with fewer dimensions, and an activation that stops.
// CHECK-LABEL: @torch_stops
// CHECK: quant_llm.scale_columns %{{.*}} by inverse %{{.*}} {offset = 1.000000e+00 : f64} : tensor<4xf32>
// CHECK: quant_llm.scale_columns %{{.*}} by inverse %{{.*}} : tensor<5x4xf32>
func.func @torch_stops(%x: !torch.vtensor<[5,4],f32>) -> (tensor<5x3xf32>, tensor<5x3xf32>) {
  %s = quant_llm.parameter ""::"s" : tensor<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %t = quant_llm.parameter ""::"t" : tensor<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %fc = quant_llm.parameter ""::"fc.weight" : tensor<3x4xf32> = dense<1.0> : tensor<3x4xf32>
  %w = "torch.vtensor.literal"() <{value = dense<[1., 2., 3., 4.]> : tensor<4xf32>}> : () -> !torch.vtensor<[4],f32>
  %one = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %sum = "torch.aten.add.Scalar"(%w, %one, %one) : (!torch.vtensor<[4],f32>, !torch.int, !torch.int) -> !torch.vtensor<[4],f32>
  %m = "torch.aten.mul.Tensor"(%x, %sum) : (!torch.vtensor<[5,4],f32>, !torch.vtensor<[4],f32>) -> !torch.vtensor<[5,4],f32>
  %0 = "torch_c.to_builtin_tensor"(%m) : (!torch.vtensor<[5,4],f32>) -> tensor<5x4xf32>
  // expected-note@+1 {{here}}
  %g = "torch.aten.gelu"(%x) : (!torch.vtensor<[5,4],f32>) -> !torch.vtensor<[5,4],f32>
  %1 = "torch_c.to_builtin_tensor"(%g) : (!torch.vtensor<[5,4],f32>) -> tensor<5x4xf32>
  // expected-remark@+1 {{the scale of the input of 'a' is folded into}}
  %2 = quant_llm.scale_columns %0 by inverse %s : tensor<5x4xf32>, tensor<4xf32>
  %ya = quant_llm.linear %2, %fc name("a") : (tensor<5x4xf32>, tensor<3x4xf32>) -> tensor<5x3xf32>
  // expected-remark@+1 {{stays an op that runs: division does not go through 'torch.aten.gelu', for f(s*x) is not s*f(x) there}}
  %3 = quant_llm.scale_columns %1 by inverse %t : tensor<5x4xf32>, tensor<4xf32>
  %yb = quant_llm.linear %3, %fc name("b") : (tensor<5x4xf32>, tensor<3x4xf32>) -> tensor<5x3xf32>
  return %ya, %yb : tensor<5x3xf32>, tensor<5x3xf32>
}

// -----

// torch before its decompositions: one layer makes gate and up, which a list
// holds. Its rows of up alone are scaled.
// CHECK-LABEL: @torch_list
// CHECK: %[[S:.*]] = quant_llm.parameter ""::"s"
// CHECK: %[[W:.*]] = quant_llm.parameter ""::"gate_up.weight"
// CHECK-NOT: quant_llm.scale_columns
// CHECK: quant_llm.linear {{.*}} name("gate_up")
// CHECK-NOT: quant_llm.scale_columns
// CHECK: return
func.func @torch_list(%x: tensor<5x4xf32>) -> tensor<5x3xf32> {
  %s = quant_llm.parameter ""::"s" : tensor<2xf32> = dense<[2.0, 4.0]> : tensor<2xf32>
  %w = quant_llm.parameter ""::"gate_up.weight" : tensor<4x4xf32> = dense<1.0> : tensor<4x4xf32>
  %w2 = quant_llm.parameter ""::"down.weight" : tensor<3x2xf32> = dense<1.0> : tensor<3x2xf32>
  %y = quant_llm.linear %x, %w name("gate_up") : (tensor<5x4xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  %t = "torch_c.from_builtin_tensor"(%y) : (tensor<5x4xf32>) -> !torch.vtensor<[5,4],f32>
  %c2 = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %last = "torch.constant.int"() <{value = -1 : i64}> : () -> !torch.int
  %sizes = "torch.prim.ListConstruct"(%c2, %c2) : (!torch.int, !torch.int) -> !torch.list<int>
  %list = "torch.aten.split_with_sizes"(%t, %sizes, %last) : (!torch.vtensor<[5,4],f32>, !torch.list<int>, !torch.int) -> !torch.list<vtensor>
  %p:2 = "torch.prim.ListUnpack"(%list) : (!torch.list<vtensor>) -> (!torch.vtensor<[5,2],f32>, !torch.vtensor<[5,2],f32>)
  %g = "torch.aten.silu"(%p#0) : (!torch.vtensor<[5,2],f32>) -> !torch.vtensor<[5,2],f32>
  %m = "torch.aten.mul.Tensor"(%g, %p#1) : (!torch.vtensor<[5,2],f32>, !torch.vtensor<[5,2],f32>) -> !torch.vtensor<[5,2],f32>
  %0 = "torch_c.to_builtin_tensor"(%m) : (!torch.vtensor<[5,2],f32>) -> tensor<5x2xf32>
  // expected-remark@+1 {{the scale of the input of 'down' is folded into 'gate_up'}}
  %1 = quant_llm.scale_columns %0 by inverse %s : tensor<5x2xf32>, tensor<2xf32>
  %r = quant_llm.linear %1, %w2 name("down") : (tensor<5x2xf32>, tensor<3x2xf32>) -> tensor<5x3xf32>
  return %r : tensor<5x3xf32>
}

// -----

// The list is of tokens: to scale one part of it is to scale the other.
// CHECK-LABEL: @torch_list_of_tokens
// CHECK: quant_llm.scale_columns %{{.*}} by inverse
func.func @torch_list_of_tokens(%x: tensor<6x4xf32>) -> (tensor<3x3xf32>, !torch.vtensor<[3,2],f32>) {
  %s = quant_llm.parameter ""::"s" : tensor<2xf32> = dense<[2.0, 4.0]> : tensor<2xf32>
  %w = quant_llm.parameter ""::"up.weight" : tensor<2x4xf32> = dense<1.0> : tensor<2x4xf32>
  %w2 = quant_llm.parameter ""::"down.weight" : tensor<3x2xf32> = dense<1.0> : tensor<3x2xf32>
  %y = quant_llm.linear %x, %w name("up") : (tensor<6x4xf32>, tensor<2x4xf32>) -> tensor<6x2xf32>
  %t = "torch_c.from_builtin_tensor"(%y) : (tensor<6x2xf32>) -> !torch.vtensor<[6,2],f32>
  %c2 = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %c0 = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
  // expected-note@+2 {{here}}
  %list = "torch.aten.chunk"(%t, %c2, %c0) : (!torch.vtensor<[6,2],f32>, !torch.int, !torch.int) -> !torch.list<vtensor>
  %p:2 = "torch.prim.ListUnpack"(%list) : (!torch.list<vtensor>) -> (!torch.vtensor<[3,2],f32>, !torch.vtensor<[3,2],f32>)
  %0 = "torch_c.to_builtin_tensor"(%p#0) : (!torch.vtensor<[3,2],f32>) -> tensor<3x2xf32>
  // expected-remark@+1 {{the scale of the input of 'down' stays an op that runs: the other parts of a list would change, too}}
  %1 = quant_llm.scale_columns %0 by inverse %s : tensor<3x2xf32>, tensor<2xf32>
  %r = quant_llm.linear %1, %w2 name("down") : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x3xf32>
  return %r, %p#1 : tensor<3x3xf32>, !torch.vtensor<[3,2],f32>
}

// -----

// Both parts are summed, so both would be scaled: channels of one layer's
// result are read in two orders.
// CHECK-LABEL: @torch_list_summed
// CHECK: quant_llm.scale_columns %{{.*}} by inverse
func.func @torch_list_summed(%x: tensor<5x4xf32>) -> tensor<5x3xf32> {
  %s = quant_llm.parameter ""::"s" : tensor<2xf32> = dense<[2.0, 4.0]> : tensor<2xf32>
  %w = quant_llm.parameter ""::"gate_up.weight" : tensor<4x4xf32> = dense<1.0> : tensor<4x4xf32>
  %w2 = quant_llm.parameter ""::"down.weight" : tensor<3x2xf32> = dense<1.0> : tensor<3x2xf32>
  %y = quant_llm.linear %x, %w name("gate_up") : (tensor<5x4xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  // expected-note@+1 {{here}}
  %t = "torch_c.from_builtin_tensor"(%y) : (tensor<5x4xf32>) -> !torch.vtensor<[5,4],f32>
  %c1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %c2 = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %list = "torch.aten.split.Tensor"(%t, %c2, %c1) : (!torch.vtensor<[5,4],f32>, !torch.int, !torch.int) -> !torch.list<vtensor>
  %p:2 = "torch.prim.ListUnpack"(%list) : (!torch.list<vtensor>) -> (!torch.vtensor<[5,2],f32>, !torch.vtensor<[5,2],f32>)
  %m = "torch.aten.add.Tensor"(%p#0, %p#1, %c1) : (!torch.vtensor<[5,2],f32>, !torch.vtensor<[5,2],f32>, !torch.int) -> !torch.vtensor<[5,2],f32>
  %0 = "torch_c.to_builtin_tensor"(%m) : (!torch.vtensor<[5,2],f32>) -> tensor<5x2xf32>
  // expected-remark@+1 {{the scale of the input of 'down' stays an op that runs: its channels are read in two orders}}
  %1 = quant_llm.scale_columns %0 by inverse %s : tensor<5x2xf32>, tensor<2xf32>
  %r = quant_llm.linear %1, %w2 name("down") : (tensor<5x2xf32>, tensor<3x2xf32>) -> tensor<5x3xf32>
  return %r : tensor<5x3xf32>
}

// -----

// A number that is written for all tokens and channels stays one number: the
// scale goes into the rows of up, not into as much data as there are activations.
// CHECK-LABEL: @splat
// CHECK: "stablehlo.constant"() <{value = dense<5.000000e-01> : tensor<5x2xf32>}>
// CHECK-NOT: quant_llm.scale_columns
// CHECK: quant_llm.scale_rows
// CHECK-NOT: quant_llm.scale_columns
// CHECK: return
func.func @splat(%x: tensor<5x4xf32>, %gate: tensor<5x2xf32>) -> tensor<5x3xf32> {
  %s = quant_llm.parameter ""::"s" : tensor<2xf32> = dense<[2.0, 4.0]> : tensor<2xf32>
  %w = quant_llm.parameter ""::"up.weight" : tensor<2x4xf32> = dense<1.0> : tensor<2x4xf32>
  %w2 = quant_llm.parameter ""::"down.weight" : tensor<3x2xf32> = dense<1.0> : tensor<3x2xf32>
  %half = "stablehlo.constant"() <{value = dense<0.5> : tensor<5x2xf32>}> : () -> tensor<5x2xf32>
  %up = quant_llm.linear %x, %w name("up") : (tensor<5x4xf32>, tensor<2x4xf32>) -> tensor<5x2xf32>
  %g = "stablehlo.multiply"(%half, %gate) : (tensor<5x2xf32>, tensor<5x2xf32>) -> tensor<5x2xf32>
  %m = "stablehlo.multiply"(%g, %up) : (tensor<5x2xf32>, tensor<5x2xf32>) -> tensor<5x2xf32>
  // expected-remark@+1 {{the scale of the input of 'down' is folded into 'up'}}
  %1 = quant_llm.scale_columns %m by inverse %s : tensor<5x2xf32>, tensor<2xf32>
  %r = quant_llm.linear %1, %w2 name("down") : (tensor<5x2xf32>, tensor<3x2xf32>) -> tensor<5x3xf32>
  return %r : tensor<5x3xf32>
}

// -----

// A cache of no tokens before the value's, and a type that is asserted.
// CHECK-LABEL: @torch_cache
// CHECK: quant_llm.scale_rows
// CHECK-NOT: quant_llm.scale_columns
// CHECK: "torch.aten.cat"
func.func @torch_cache(%x: tensor<5x4xf32>) -> tensor<5x3xf32> {
  %s = quant_llm.parameter ""::"s" : tensor<2xf32> = dense<[2.0, 4.0]> : tensor<2xf32>
  %w = quant_llm.parameter ""::"v.weight" : tensor<2x4xf32> = dense<1.0> : tensor<2x4xf32>
  %w2 = quant_llm.parameter ""::"o.weight" : tensor<3x2xf32> = dense<1.0> : tensor<3x2xf32>
  %y = quant_llm.linear %x, %w name("v") : (tensor<5x4xf32>, tensor<2x4xf32>) -> tensor<5x2xf32>
  %t = "torch_c.from_builtin_tensor"(%y) : (tensor<5x2xf32>) -> !torch.vtensor<[5,2],f32>
  %none = "torch.constant.none"() : () -> !torch.none
  %c0 = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
  "torch.aten._assert_tensor_metadata"(%t, %none, %none, %none, %none, %none) : (!torch.vtensor<[5,2],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none) -> ()
  %nothing = "torch.vtensor.literal"() <{value = dense<> : tensor<0xf32>}> : () -> !torch.vtensor<[0],f32>
  %l = "torch.prim.ListConstruct"(%nothing, %t) : (!torch.vtensor<[0],f32>, !torch.vtensor<[5,2],f32>) -> !torch.list<vtensor>
  %c = "torch.aten.cat"(%l, %c0) : (!torch.list<vtensor>, !torch.int) -> !torch.vtensor<[5,2],f32>
  %0 = "torch_c.to_builtin_tensor"(%c) : (!torch.vtensor<[5,2],f32>) -> tensor<5x2xf32>
  // expected-remark@+1 {{the scale of the input of 'o' is folded into 'v'}}
  %1 = quant_llm.scale_columns %0 by inverse %s : tensor<5x2xf32>, tensor<2xf32>
  %r = quant_llm.linear %1, %w2 name("o") : (tensor<5x2xf32>, tensor<3x2xf32>) -> tensor<5x3xf32>
  return %r : tensor<5x3xf32>
}

// -----

// Joined along the channels, which no map follows; and something that is added
// to a product of matrices.
// CHECK-LABEL: @torch_joined
// CHECK-COUNT-2: quant_llm.scale_columns %{{.*}} by inverse
func.func @torch_joined(%a: !torch.vtensor<[5,1],f32>, %x: !torch.vtensor<[1,5,5],f32>, %v: !torch.vtensor<[1,5,2],f32>) -> (tensor<5x3xf32>, tensor<1x5x3xf32>) {
  %s = quant_llm.parameter ""::"s" : tensor<2xf32> = dense<[2.0, 4.0]> : tensor<2xf32>
  %s2 = quant_llm.parameter ""::"s2" : tensor<2xf32> = dense<[2.0, 4.0]> : tensor<2xf32>
  %w = quant_llm.parameter ""::"a.weight" : tensor<3x2xf32> = dense<1.0> : tensor<3x2xf32>
  %w2 = quant_llm.parameter ""::"b.weight" : tensor<3x2xf32> = dense<1.0> : tensor<3x2xf32>
  %c1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %l = "torch.prim.ListConstruct"(%a, %a) : (!torch.vtensor<[5,1],f32>, !torch.vtensor<[5,1],f32>) -> !torch.list<vtensor>
  // expected-note@+1 {{here}}
  %c = "torch.aten.cat"(%l, %c1) : (!torch.list<vtensor>, !torch.int) -> !torch.vtensor<[5,2],f32>
  %0 = "torch_c.to_builtin_tensor"(%c) : (!torch.vtensor<[5,2],f32>) -> tensor<5x2xf32>
  // expected-remark@+1 {{stays an op that runs: division does not go through 'torch.aten.cat'}}
  %1 = quant_llm.scale_columns %0 by inverse %s : tensor<5x2xf32>, tensor<2xf32>
  %r = quant_llm.linear %1, %w name("a") : (tensor<5x2xf32>, tensor<3x2xf32>) -> tensor<5x3xf32>
  // expected-note@+1 {{here}}
  %b = "torch.aten.baddbmm"(%v, %x, %v, %c1, %c1) : (!torch.vtensor<[1,5,2],f32>, !torch.vtensor<[1,5,5],f32>, !torch.vtensor<[1,5,2],f32>, !torch.int, !torch.int) -> !torch.vtensor<[1,5,2],f32>
  %2 = "torch_c.to_builtin_tensor"(%b) : (!torch.vtensor<[1,5,2],f32>) -> tensor<1x5x2xf32>
  // expected-remark@+1 {{stays an op that runs: something is added to a product}}
  %3 = quant_llm.scale_columns %2 by inverse %s2 : tensor<1x5x2xf32>, tensor<2xf32>
  %t = quant_llm.linear %3, %w2 name("b") : (tensor<1x5x2xf32>, tensor<3x2xf32>) -> tensor<1x5x3xf32>
  return %r, %t : tensor<5x3xf32>, tensor<1x5x3xf32>
}

// -----

// torch's gelu, of either form; and x * sigmoid(x) in ops of its own.
// CHECK-LABEL: @torch_gelu
// CHECK-COUNT-2: quant_llm.scale_columns %{{.*}} by inverse
func.func @torch_gelu(%x: !torch.vtensor<[5,2],f32>, %z: tensor<5x2xf32>) -> (tensor<5x3xf32>, tensor<5x3xf32>) {
  %s = quant_llm.parameter ""::"s" : tensor<2xf32> = dense<[2.0, 4.0]> : tensor<2xf32>
  %s2 = quant_llm.parameter ""::"s2" : tensor<2xf32> = dense<[2.0, 4.0]> : tensor<2xf32>
  %w = quant_llm.parameter ""::"a.weight" : tensor<3x2xf32> = dense<1.0> : tensor<3x2xf32>
  %w2 = quant_llm.parameter ""::"b.weight" : tensor<3x2xf32> = dense<1.0> : tensor<3x2xf32>
  %tanh = "torch.constant.str"() <{value = "tanh"}> : () -> !torch.str
  // expected-note@+1 {{here}}
  %g = "torch.aten.gelu"(%x, %tanh) : (!torch.vtensor<[5,2],f32>, !torch.str) -> !torch.vtensor<[5,2],f32>
  %0 = "torch_c.to_builtin_tensor"(%g) : (!torch.vtensor<[5,2],f32>) -> tensor<5x2xf32>
  // expected-remark@+1 {{the scale of the input of 'a' stays an op that runs: division does not go through 'torch.aten.gelu', for f(s*x) is not s*f(x) there}}
  %1 = quant_llm.scale_columns %0 by inverse %s : tensor<5x2xf32>, tensor<2xf32>
  %a = quant_llm.linear %1, %w name("a") : (tensor<5x2xf32>, tensor<3x2xf32>) -> tensor<5x3xf32>
  %w3 = quant_llm.parameter ""::"u.weight" : tensor<2x2xf32> = dense<1.0> : tensor<2x2xf32>
  %u = quant_llm.linear %z, %w3 name("u") : (tensor<5x2xf32>, tensor<2x2xf32>) -> tensor<5x2xf32>
  %h = "torch_c.from_builtin_tensor"(%u) : (tensor<5x2xf32>) -> !torch.vtensor<[5,2],f32>
  // expected-note@+1 {{here}}
  %t = "torch.aten.sigmoid"(%h) : (!torch.vtensor<[5,2],f32>) -> !torch.vtensor<[5,2],f32>
  %p = "torch.aten.mul.Tensor"(%h, %t) : (!torch.vtensor<[5,2],f32>, !torch.vtensor<[5,2],f32>) -> !torch.vtensor<[5,2],f32>
  %2 = "torch_c.to_builtin_tensor"(%p) : (!torch.vtensor<[5,2],f32>) -> tensor<5x2xf32>
  // expected-remark@+1 {{the scale of the input of 'b' stays an op that runs: division does not go through 'torch.aten.sigmoid', for f(s*x) is not s*f(x) there}}
  %3 = quant_llm.scale_columns %2 by inverse %s2 : tensor<5x2xf32>, tensor<2xf32>
  %b = quant_llm.linear %3, %w2 name("b") : (tensor<5x2xf32>, tensor<3x2xf32>) -> tensor<5x3xf32>
  return %a, %b : tensor<5x3xf32>, tensor<5x3xf32>
}
