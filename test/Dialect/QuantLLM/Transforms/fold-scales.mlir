// RUN: qk-opt --quant-llm-fold-scales --split-input-file --verify-diagnostics %s | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#last = affine_map<(d0, d1) -> (d1)>

// A norm's weight and bias, for two layers of which one reads another shape.
// CHECK-LABEL: @layer_norm
// CHECK: %[[S:.*]] = quant_llm.parameter ""::"s"
// CHECK: %[[GAMMA:.*]] = quant_llm.parameter ""::"gamma"
// CHECK: %[[G:.*]] = quant_llm.scale_columns %[[GAMMA]] by inverse %[[S]] : tensor<8xf32>, tensor<8xf32>
// CHECK: linalg.generic {{.*}} ins(%arg0, %[[G]]
// CHECK: %[[BETA:.*]] = quant_llm.parameter ""::"a.input_norm"
// CHECK: %[[B:.*]] = quant_llm.scale_columns %[[BETA]] by inverse %[[S]]
// CHECK: %[[N:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %[[B]]
// CHECK: quant_llm.linear %[[N]]
// CHECK: %[[X:.*]] = tensor.expand_shape %[[N]]
// CHECK: quant_llm.linear %[[X]]
func.func @layer_norm(%x: tensor<4x8xf32>) -> (tensor<4x3xf32>, tensor<2x2x3xf32>) {
  %s = quant_llm.parameter ""::"s" : tensor<8xf32> = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %wa = quant_llm.parameter ""::"a.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %wb = quant_llm.parameter ""::"b.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %gamma = quant_llm.parameter ""::"gamma" : tensor<8xf32> = dense<0.5> : tensor<8xf32>
  // No parameter yet.
  %beta = arith.constant dense<0.25> : tensor<8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #last, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %gamma : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %g: f32, %o: f32):
    %m = arith.mulf %a, %g : f32
    linalg.yield %m : f32
  } -> tensor<4x8xf32>
  %1 = linalg.generic {indexing_maps = [#id, #last, #id], iterator_types = ["parallel", "parallel"]} ins(%0, %beta : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.addf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<4x8xf32>
  // expected-remark@+1 {{the scale of the input of 'a', 'b' is folded into 'gamma', 'a.input_norm'}}
  %xa = quant_llm.scale_columns %1 by inverse %s : tensor<4x8xf32>, tensor<8xf32>
  %ya = quant_llm.linear %xa, %wa name("a") : (tensor<4x8xf32>, tensor<3x8xf32>) -> tensor<4x3xf32>
  %2 = tensor.expand_shape %1 [[0, 1], [2]] output_shape [2, 2, 8] : tensor<4x8xf32> into tensor<2x2x8xf32>
  %xb = quant_llm.scale_columns %2 by inverse %s : tensor<2x2x8xf32>, tensor<8xf32>
  %yb = quant_llm.linear %xb, %wb name("b") : (tensor<2x2x8xf32>, tensor<3x8xf32>) -> tensor<2x2x3xf32>
  return %ya, %yb : tensor<4x3xf32>, tensor<2x2x3xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#last = affine_map<(d0, d1) -> (d1)>
#one = affine_map<(d0) -> (d0)>

// A norm that multiplies by 1 + w, the sum made apart and widened.
// CHECK-LABEL: @one_plus
// CHECK: %[[W:.*]] = quant_llm.parameter ""::"w"
// CHECK: %[[NEW:.*]] = quant_llm.scale_columns %[[W]] by inverse %{{.*}} {offset = 1.000000e+00 : f64} : tensor<8xbf16>, tensor<8xf32>
// CHECK: %[[WIDE:.*]] = linalg.generic {{.*}} ins(%[[NEW]] : tensor<8xbf16>)
// CHECK: linalg.generic {{.*}} ins(%[[WIDE]] : tensor<8xf32>)
func.func @one_plus(%x: tensor<4x8xf32>) -> tensor<4x3xf32> {
  %s = quant_llm.parameter ""::"s" : tensor<8xf32> = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %wa = quant_llm.parameter ""::"a.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %w = quant_llm.parameter ""::"w" : tensor<8xbf16> = dense<0.5> : tensor<8xbf16>
  %one = arith.constant 1.0 : f32
  %e1 = tensor.empty() : tensor<8xf32>
  %wide = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%w : tensor<8xbf16>) outs(%e1 : tensor<8xf32>) {
  ^bb0(%a: bf16, %o: f32):
    %m = arith.extf %a : bf16 to f32
    linalg.yield %m : f32
  } -> tensor<8xf32>
  %sum = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%wide : tensor<8xf32>) outs(%e1 : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.addf %a, %one : f32
    linalg.yield %m : f32
  } -> tensor<8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #last, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %sum : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %g: f32, %o: f32):
    %m = arith.mulf %a, %g : f32
    linalg.yield %m : f32
  } -> tensor<4x8xf32>
  // expected-remark@+1 {{folded into 'w'}}
  %xa = quant_llm.scale_columns %0 by inverse %s : tensor<4x8xf32>, tensor<8xf32>
  %ya = quant_llm.linear %xa, %wa name("a") : (tensor<4x8xf32>, tensor<3x8xf32>) -> tensor<4x3xf32>
  return %ya : tensor<4x3xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// act(gate) * up: into up's rows and bias, whose recipe is there already.
// CHECK-LABEL: @gated
// CHECK: %[[UP:.*]] = quant_llm.parameter ""::"up.weight"
// CHECK: %[[ROWS:.*]] = quant_llm.scale_rows %[[UP]] by inverse %[[S:.*]] : tensor<8x4xf32>, tensor<8xf32>
// CHECK: %[[COLS:.*]] = quant_llm.scale_columns %[[ROWS]] by %{{.*}} : tensor<8x4xf32>, tensor<4xf32>
// CHECK: quant_llm.round_to_nearest %[[COLS]]
// CHECK: %[[BIAS:.*]] = quant_llm.scale_columns %{{.*}} by inverse %[[S]]
// CHECK: quant_llm.matmul {{.*}} bias(%[[BIAS]]) {{.*}} name("up")
// CHECK-NOT: by inverse
func.func @gated(%x: tensor<2x4xf32>, %gate: tensor<2x8xf32>) -> tensor<2x3xf32> {
  %t = quant_llm.parameter ""::"t" : tensor<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %up = quant_llm.parameter ""::"up.weight" : tensor<8x4xf32> = dense<1.0> : tensor<8x4xf32>
  %b = quant_llm.parameter ""::"up.bias" : tensor<8xf32> = dense<1.0> : tensor<8xf32>
  %scaled = quant_llm.scale_columns %up by %t : tensor<8x4xf32>, tensor<4xf32>
  %c, %cs = quant_llm.round_to_nearest %scaled scheme(<s8, group = -1, scale = f16>) symmetric : tensor<8x4xf32> -> tensor<8x4xi8>, tensor<8x1xf16>
  %u = quant_llm.matmul %x, %c, %cs bias(%b) scheme(<s8, group = -1, scale = f16>) name("up") : (tensor<2x4xf32>, tensor<8x4xi8>, tensor<8x1xf16>, tensor<8xf32>) -> tensor<2x8xf32>
  %e = tensor.empty() : tensor<2x8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%gate, %u : tensor<2x8xf32>, tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%g: f32, %v: f32, %o: f32):
    %n = arith.negf %g : f32
    %ex = math.exp %n : f32
    %act = arith.divf %g, %ex : f32
    %m = arith.mulf %act, %v : f32
    linalg.yield %m : f32
  } -> tensor<2x8xf32>
  // The factors come after all that they are folded into.
  %s = quant_llm.statistic absmax of "down" : tensor<8xf32>
  %down = quant_llm.parameter ""::"down.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %f = quant_llm.smoothing_factors %s, (%down) alpha = 0.5 : tensor<8xf32>, (tensor<3x8xf32>)
  // expected-remark@+1 {{the scale of the input of 'down' is folded into 'up', 'up.bias'}}
  %1 = quant_llm.scale_columns %0 by inverse %f : tensor<2x8xf32>, tensor<8xf32>
  %y = quant_llm.linear %1, %down name("down") : (tensor<2x8xf32>, tensor<3x8xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// relu, as torch-mlir writes it, and a maximum.
// CHECK-LABEL: @relu
// CHECK: quant_llm.scale_rows %{{.*}} by inverse
// CHECK-NOT: scale_columns
func.func @relu(%x: tensor<2x4xf32>) -> tensor<2x3xf32> {
  %zero = arith.constant 0.0 : f32
  %s = quant_llm.parameter ""::"s" : tensor<8xf32> = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %w = quant_llm.parameter ""::"fc1.weight" : tensor<8x4xf32> = dense<1.0> : tensor<8x4xf32>
  %w2 = quant_llm.parameter ""::"fc2.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %u = quant_llm.linear %x, %w name("fc1") : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
  %e = tensor.empty() : tensor<2x8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%u : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%v: f32, %o: f32):
    %p = arith.cmpf ugt, %v, %zero : f32
    %r = arith.select %p, %v, %zero : f32
    %m = arith.maximumf %r, %zero : f32
    linalg.yield %m : f32
  } -> tensor<2x8xf32>
  // expected-remark@+1 {{folded into 'fc1'}}
  %1 = quant_llm.scale_columns %0 by inverse %s : tensor<2x8xf32>, tensor<8xf32>
  %y = quant_llm.linear %1, %w2 name("fc2") : (tensor<2x8xf32>, tensor<3x8xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// An activation that is not homogeneous.
// CHECK-LABEL: @gelu
// CHECK: quant_llm.scale_columns %{{.*}} by inverse
func.func @gelu(%x: tensor<2x4xf32>) -> tensor<2x3xf32> {
  %half = arith.constant 0.5 : f32
  %s = quant_llm.parameter ""::"s" : tensor<8xf32> = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %w = quant_llm.parameter ""::"fc1.weight" : tensor<8x4xf32> = dense<1.0> : tensor<8x4xf32>
  %w2 = quant_llm.parameter ""::"fc2.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %u = quant_llm.linear %x, %w name("fc1") : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
  %e = tensor.empty() : tensor<2x8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%u : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) {
  // expected-note@-1 {{here}}
  ^bb0(%v: f32, %o: f32):
    %r = math.erf %v : f32
    %m = arith.mulf %r, %v : f32
    linalg.yield %m : f32
  } -> tensor<2x8xf32>
  // expected-remark@+1 {{the scale of the input of 'fc2' stays an op that runs: division does not go through 'math.erf', for f(s*x) is not s*f(x) there}}
  %1 = quant_llm.scale_columns %0 by inverse %s : tensor<2x8xf32>, tensor<8xf32>
  %y = quant_llm.linear %1, %w2 name("fc2") : (tensor<2x8xf32>, tensor<3x8xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

#ids = affine_map<(d0, d1) -> (d0)>
#id = affine_map<(d0, d1) -> (d0, d1)>

// A model without norms before its layers: they read the residual stream, which
// is the reason, rather than the embedding that it starts at.
// CHECK-LABEL: @residual_stream
// CHECK: quant_llm.scale_columns %{{.*}} by inverse
func.func @residual_stream(%ids: tensor<4xi64>) -> tensor<4x8xf32> {
  %s = quant_llm.parameter ""::"s" : tensor<8xf32> = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %w = quant_llm.parameter ""::"a.weight" : tensor<8x8xf32> = dense<1.0> : tensor<8x8xf32>
  %table = quant_llm.parameter ""::"table" : tensor<16x8xf32> = dense<1.0> : tensor<16x8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %x = linalg.generic {indexing_maps = [#ids, #id], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<4xi64>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%i: i64, %o: f32):
    %row = arith.index_cast %i : i64 to index
    %column = linalg.index 1 : index
    %v = tensor.extract %table[%row, %column] : tensor<16x8xf32>
    linalg.yield %v : f32
  } -> tensor<4x8xf32>
  // expected-remark@+1 {{the scale of the input of 'a' stays an op that runs: 'arith.addf' reads it too}}
  %xa = quant_llm.scale_columns %x by inverse %s : tensor<4x8xf32>, tensor<8xf32>
  %y = quant_llm.linear %xa, %w name("a") : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  // expected-note@+1 {{here}}
  %r = arith.addf %x, %y : tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#last = affine_map<(d0, d1) -> (d1)>

// Somebody else reads the norm: a layer that is not scaled.
// CHECK-LABEL: @other_reader
// CHECK: quant_llm.scale_columns %{{.*}} by inverse
func.func @other_reader(%x: tensor<4x8xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>) {
  %s = quant_llm.parameter ""::"s" : tensor<8xf32> = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %wa = quant_llm.parameter ""::"a.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %wb = quant_llm.parameter ""::"b.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %gamma = quant_llm.parameter ""::"gamma" : tensor<8xf32> = dense<0.5> : tensor<8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #last, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %gamma : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %g: f32, %o: f32):
    %m = arith.mulf %a, %g : f32
    linalg.yield %m : f32
  } -> tensor<4x8xf32>
  // expected-remark@+1 {{the scale of the input of 'a' stays an op that runs: 'quant_llm.linear' reads it too}}
  %xa = quant_llm.scale_columns %0 by inverse %s : tensor<4x8xf32>, tensor<8xf32>
  %ya = quant_llm.linear %xa, %wa name("a") : (tensor<4x8xf32>, tensor<3x8xf32>) -> tensor<4x3xf32>
  // expected-note@+1 {{here}}
  %yb = quant_llm.linear %0, %wb name("b") : (tensor<4x8xf32>, tensor<3x8xf32>) -> tensor<4x3xf32>
  return %ya, %yb : tensor<4x3xf32>, tensor<4x3xf32>
}

// -----

#rep = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
#all = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>

// Attention: 4 query heads of 2, 2 value heads; only shared factors can be
// folded. v is [tokens, 2·2], o reads [tokens, 4·2].
// CHECK-LABEL: @attention
// CHECK-DAG: %[[F:.*]] = quant_llm.smoothing_factors {{.*}} {shared = array<i64: 2, 2>}
// CHECK-DAG: %[[G:.*]] = quant_llm.gather_factors %[[F]] sizes = [2, 2] strides = [4, 1] : tensor<8xf32> -> tensor<4xf32>
// CHECK-DAG: quant_llm.scale_rows %{{.*}} by inverse %[[G]] : tensor<4x6xf32>, tensor<4xf32>
// CHECK-NOT: scale_columns
func.func @attention(%x: tensor<5x6xf32>, %p: tensor<4x5x5xf32>) -> tensor<5x3xf32> {
  %a = quant_llm.statistic absmax of "o" : tensor<8xf32>
  %wv = quant_llm.parameter ""::"v.weight" : tensor<4x6xf32> = dense<1.0> : tensor<4x6xf32>
  %wo = quant_llm.parameter ""::"o.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %s = quant_llm.smoothing_factors %a, (%wo) alpha = 0.5 {shared = array<i64: 2, 2>} : tensor<8xf32>, (tensor<3x8xf32>)
  %zero = arith.constant 0.0 : f32
  %v = quant_llm.linear %x, %wv name("v") : (tensor<5x6xf32>, tensor<4x6xf32>) -> tensor<5x4xf32>
  %v3 = tensor.expand_shape %v [[0], [1, 2]] output_shape [5, 2, 2] : tensor<5x4xf32> into tensor<5x2x2xf32>
  %e3 = tensor.empty() : tensor<2x5x2xf32>
  %vt = linalg.transpose ins(%v3 : tensor<5x2x2xf32>) outs(%e3 : tensor<2x5x2xf32>) permutation = [1, 0, 2]
  %e4 = tensor.empty() : tensor<2x2x5x2xf32>
  %vr = linalg.generic {indexing_maps = [#rep, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%vt : tensor<2x5x2xf32>) outs(%e4 : tensor<2x2x5x2xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  } -> tensor<2x2x5x2xf32>
  %v4 = tensor.collapse_shape %vr [[0, 1], [2], [3]] : tensor<2x2x5x2xf32> into tensor<4x5x2xf32>
  %e5 = tensor.empty() : tensor<4x5x2xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e5 : tensor<4x5x2xf32>) -> tensor<4x5x2xf32>
  %pv = linalg.batch_matmul ins(%p, %v4 : tensor<4x5x5xf32>, tensor<4x5x2xf32>) outs(%init : tensor<4x5x2xf32>) -> tensor<4x5x2xf32>
  %e6 = tensor.empty() : tensor<5x4x2xf32>
  %pt = linalg.transpose ins(%pv : tensor<4x5x2xf32>) outs(%e6 : tensor<5x4x2xf32>) permutation = [1, 0, 2]
  %j = tensor.collapse_shape %pt [[0], [1, 2]] : tensor<5x4x2xf32> into tensor<5x8xf32>
  // expected-remark@+1 {{the scale of the input of 'o' is folded into 'v'}}
  %xo = quant_llm.scale_columns %j by inverse %s : tensor<5x8xf32>, tensor<8xf32>
  %y = quant_llm.linear %xo, %wo name("o") : (tensor<5x8xf32>, tensor<3x8xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}

// -----

#rep = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
#all = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>

// The same with factors that differ between query heads.
// CHECK-LABEL: @unshared
// CHECK: quant_llm.scale_columns %{{.*}} by inverse
func.func @unshared(%x: tensor<5x6xf32>) -> tensor<5x3xf32> {
  %s = quant_llm.parameter ""::"s" : tensor<8xf32> = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %wv = quant_llm.parameter ""::"v.weight" : tensor<4x6xf32> = dense<1.0> : tensor<4x6xf32>
  %wo = quant_llm.parameter ""::"o.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %v = quant_llm.linear %x, %wv name("v") : (tensor<5x6xf32>, tensor<4x6xf32>) -> tensor<5x4xf32>
  %v3 = tensor.expand_shape %v [[0], [1, 2]] output_shape [5, 2, 2] : tensor<5x4xf32> into tensor<5x2x2xf32>
  %e4 = tensor.empty() : tensor<5x2x2x2xf32>
  %vr = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%v3 : tensor<5x2x2xf32>) outs(%e4 : tensor<5x2x2x2xf32>) {
  ^bb0(%in: f32, %o: f32):
    linalg.yield %in : f32
  } -> tensor<5x2x2x2xf32>
  %j = tensor.collapse_shape %vr [[0], [1, 2, 3]] : tensor<5x2x2x2xf32> into tensor<5x8xf32>
  // expected-remark@+2 {{the scale of the input of 'o' stays an op that runs: channels that come from one producer's have factors of their own}}
  // expected-note@+1 {{here}}
  %xo = quant_llm.scale_columns %j by inverse %s : tensor<5x8xf32>, tensor<8xf32>
  %y = quant_llm.linear %xo, %wo name("o") : (tensor<5x8xf32>, tensor<3x8xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// gate and up in one layer: into the rows of up alone, which are the second half.
// CHECK-LABEL: @fused_gate_up
// CHECK: %[[G:.*]] = quant_llm.gather_factors %{{.*}} sizes = [16] strides = [1] within first = [8] count = [8] : tensor<8xf32> -> tensor<16xf32>
// CHECK: quant_llm.scale_rows %{{.*}} by inverse %[[G]] : tensor<16x4xf32>, tensor<16xf32>
// CHECK-NOT: scale_columns
func.func @fused_gate_up(%x: tensor<2x4xf32>) -> tensor<2x3xf32> {
  %s = quant_llm.parameter ""::"s" : tensor<8xf32> = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %w = quant_llm.parameter ""::"gate_up.weight" : tensor<16x4xf32> = dense<1.0> : tensor<16x4xf32>
  %w2 = quant_llm.parameter ""::"down.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %u = quant_llm.linear %x, %w name("gate_up") : (tensor<2x4xf32>, tensor<16x4xf32>) -> tensor<2x16xf32>
  %gate = tensor.extract_slice %u[0, 0] [2, 8] [1, 1] : tensor<2x16xf32> to tensor<2x8xf32>
  %up = tensor.extract_slice %u[0, 8] [2, 8] [1, 1] : tensor<2x16xf32> to tensor<2x8xf32>
  %e = tensor.empty() : tensor<2x8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%gate, %up : tensor<2x8xf32>, tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%g: f32, %v: f32, %o: f32):
    %t = math.tanh %g : f32
    %m = arith.mulf %t, %v : f32
    linalg.yield %m : f32
  } -> tensor<2x8xf32>
  // expected-remark@+1 {{the scale of the input of 'down' is folded into 'gate_up'}}
  %1 = quant_llm.scale_columns %0 by inverse %s : tensor<2x8xf32>, tensor<8xf32>
  %y = quant_llm.linear %1, %w2 name("down") : (tensor<2x8xf32>, tensor<3x8xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// Query, key and value in one layer, head by head: the third slot of each head.
// CHECK-LABEL: @fused_qkv_by_head
// CHECK: quant_llm.gather_factors %{{.*}} sizes = [2, 3, 4] strides = [4, 0, 1] within first = [0, 2, 0] count = [2, 1, 4] : tensor<8xf32> -> tensor<24xf32>
// CHECK: quant_llm.scale_rows
// CHECK-NOT: scale_columns
func.func @fused_qkv_by_head(%x: tensor<5x4xf32>) -> (tensor<5x3xf32>, tensor<5x2x1x4xf32>) {
  %s = quant_llm.parameter ""::"s" : tensor<8xf32> = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %w = quant_llm.parameter ""::"qkv.weight" : tensor<24x4xf32> = dense<1.0> : tensor<24x4xf32>
  %w2 = quant_llm.parameter ""::"o.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %u = quant_llm.linear %x, %w name("qkv") : (tensor<5x4xf32>, tensor<24x4xf32>) -> tensor<5x24xf32>
  %heads = tensor.expand_shape %u [[0], [1, 2, 3]] output_shape [5, 2, 3, 4] : tensor<5x24xf32> into tensor<5x2x3x4xf32>
  %q = tensor.extract_slice %heads[0, 0, 0, 0] [5, 2, 1, 4] [1, 1, 1, 1] : tensor<5x2x3x4xf32> to tensor<5x2x1x4xf32>
  %v = tensor.extract_slice %heads[0, 0, 2, 0] [5, 2, 1, 4] [1, 1, 1, 1] : tensor<5x2x3x4xf32> to tensor<5x2x4xf32>
  %0 = tensor.collapse_shape %v [[0], [1, 2]] : tensor<5x2x4xf32> into tensor<5x8xf32>
  // expected-remark@+1 {{the scale of the input of 'o' is folded into 'qkv'}}
  %1 = quant_llm.scale_columns %0 by inverse %s : tensor<5x8xf32>, tensor<8xf32>
  %y = quant_llm.linear %1, %w2 name("o") : (tensor<5x8xf32>, tensor<3x8xf32>) -> tensor<5x3xf32>
  return %y, %q : tensor<5x3xf32>, tensor<5x2x1x4xf32>
}

// -----

// What is read beside overlaps.
// CHECK-LABEL: @overlapping_slices
// CHECK: scale_columns
func.func @overlapping_slices(%x: tensor<2x4xf32>) -> (tensor<2x3xf32>, tensor<2x9xf32>) {
  %s = quant_llm.parameter ""::"s" : tensor<8xf32> = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %w = quant_llm.parameter ""::"gate_up.weight" : tensor<16x4xf32> = dense<1.0> : tensor<16x4xf32>
  %w2 = quant_llm.parameter ""::"down.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %u = quant_llm.linear %x, %w name("gate_up") : (tensor<2x4xf32>, tensor<16x4xf32>) -> tensor<2x16xf32>
  // expected-note@+1 {{here}}
  %gate = tensor.extract_slice %u[0, 0] [2, 9] [1, 1] : tensor<2x16xf32> to tensor<2x9xf32>
  %up = tensor.extract_slice %u[0, 8] [2, 8] [1, 1] : tensor<2x16xf32> to tensor<2x8xf32>
  // expected-remark@+1 {{stays an op that runs: 'tensor.extract_slice' reads it too}}
  %1 = quant_llm.scale_columns %up by inverse %s : tensor<2x8xf32>, tensor<8xf32>
  %y = quant_llm.linear %1, %w2 name("down") : (tensor<2x8xf32>, tensor<3x8xf32>) -> tensor<2x3xf32>
  return %y, %gate : tensor<2x3xf32>, tensor<2x9xf32>
}

// -----

// What nothing before can take is divided as it is quantised; factors come
// before all that reads them.
// CHECK-LABEL: @into_quantize
// CHECK: %[[F:.*]] = quant_llm.smoothing_factors
// CHECK: quant_llm.quantize %arg0 divided_by(%[[F]] : tensor<8xf32>) scheme(<8, per_token>)
// CHECK-NOT: by inverse
// expected-note@+1 {{here}}
func.func @into_quantize(%x: tensor<2x8xf32>) -> tensor<2x3xf32> {
  %w = quant_llm.parameter ""::"fc.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %a = quant_llm.statistic absmax of "fc" : tensor<8xf32>
  %f = quant_llm.smoothing_factors %a, (%w) alpha = 0.5 : tensor<8xf32>, (tensor<3x8xf32>)
  %s = quant_llm.scale_columns %w by %f : tensor<3x8xf32>, tensor<8xf32>
  %c, %cs = quant_llm.round_to_nearest %s scheme(<s8, group = -1, scale = f16>) symmetric : tensor<3x8xf32> -> tensor<3x8xi8>, tensor<3x1xf16>
  // expected-remark@+1 {{the scale of the input of 'fc' is applied as it is quantised: it is an argument of the function}}
  %1 = quant_llm.scale_columns %x by inverse %f : tensor<2x8xf32>, tensor<8xf32>
  %q, %qs = quant_llm.quantize %1 scheme(<8, per_token>) : tensor<2x8xf32> -> tensor<2x8xi8>, tensor<2x1xf32>
  %y = quant_llm.matmul %q, %c, %cs x_scales(%qs) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) name("fc") : (tensor<2x8xi8>, tensor<3x8xi8>, tensor<3x1xf16>, tensor<2x1xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// Read as a float too: the division stays.
// CHECK-LABEL: @not_only_quantize
// CHECK: %[[D:.*]] = quant_llm.scale_columns %arg0 by inverse
// CHECK: quant_llm.quantize %[[D]] scheme
// expected-note@+1 {{here}}
func.func @not_only_quantize(%x: tensor<2x8xf32>) -> (tensor<2x3xf32>, tensor<2x8xi8>) {
  %w = quant_llm.parameter ""::"fc.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %f = quant_llm.parameter ""::"f" : tensor<8xf32> = dense<2.0> : tensor<8xf32>
  // expected-remark@+1 {{the scale of the input of 'fc' stays an op that runs: it is an argument of the function}}
  %1 = quant_llm.scale_columns %x by inverse %f : tensor<2x8xf32>, tensor<8xf32>
  %q, %qs = quant_llm.quantize %1 scheme(<8, per_token>) : tensor<2x8xf32> -> tensor<2x8xi8>, tensor<2x1xf32>
  %y = quant_llm.linear %1, %w name("fc") : (tensor<2x8xf32>, tensor<3x8xf32>) -> tensor<2x3xf32>
  return %y, %q : tensor<2x3xf32>, tensor<2x8xi8>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// The whole of it, as exporters write it, x first: not that erf's argument
// reads x, too, but what it is for.
// CHECK-LABEL: @gelu_whole
// CHECK: quant_llm.scale_columns %{{.*}} by inverse
func.func @gelu_whole(%x: tensor<2x4xf32>) -> tensor<2x3xf32> {
  %half = arith.constant 0.5 : f32
  %one = arith.constant 1.0 : f32
  %root = arith.constant 1.41421354 : f32
  %s = quant_llm.parameter ""::"s" : tensor<8xf32> = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %w = quant_llm.parameter ""::"fc1.weight" : tensor<8x4xf32> = dense<1.0> : tensor<8x4xf32>
  %w2 = quant_llm.parameter ""::"fc2.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %u = quant_llm.linear %x, %w name("fc1") : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
  %e = tensor.empty() : tensor<2x8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%u : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%v: f32, %o: f32):
    // expected-note@+1 {{here}}
    %1 = arith.divf %v, %root : f32
    %2 = math.erf %1 : f32
    %3 = arith.addf %2, %one : f32
    %4 = arith.mulf %3, %half : f32
    %5 = arith.mulf %v, %4 : f32
    linalg.yield %5 : f32
  } -> tensor<2x8xf32>
  // expected-remark@+1 {{the scale of the input of 'fc2' stays an op that runs: division does not go through 'math.erf', for f(s*x) is not s*f(x) there}}
  %1 = quant_llm.scale_columns %0 by inverse %s : tensor<2x8xf32>, tensor<8xf32>
  %y = quant_llm.linear %1, %w2 name("fc2") : (tensor<2x8xf32>, tensor<3x8xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}
