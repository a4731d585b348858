// RUN: qk-opt --quant-llm-fold-scales --split-input-file --verify-diagnostics %s | FileCheck %s
// TOSA, where operands are repeated along dimensions of size one.

// A norm's weight and bias, before which a number is added.
// CHECK-LABEL: @norm
// CHECK: %[[W:.*]] = quant_llm.scale_columns %{{.*}} by inverse %{{.*}} {offset = 1.000000e+00 : f64} : tensor<1x1x4xf32>, tensor<4xf32>
// CHECK: %[[SUM:.*]] = tosa.add %[[W]], %{{.*}} : (tensor<1x1x4xf32>, tensor<1x1x1xf32>)
// CHECK: tosa.mul %arg0, %[[SUM]]
// CHECK: %[[B:.*]] = quant_llm.scale_columns %{{.*}} by inverse
// CHECK: tosa.add %{{.*}}, %[[B]]
// CHECK-NOT: scale_columns
func.func @norm(%x: tensor<1x5x4xf32>) -> tensor<1x5x3xf32> {
  %s = quant_llm.parameter ""::"s" : tensor<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %fc = quant_llm.parameter ""::"fc.weight" : tensor<3x4xf32> = dense<1.0> : tensor<3x4xf32>
  %w = "tosa.const"() <{values = dense<[[[0.1, 0.2, 0.3, 0.4]]]> : tensor<1x1x4xf32>}> : () -> tensor<1x1x4xf32>
  %b = "tosa.const"() <{values = dense<[[[0.5, 0.6, 0.7, 0.8]]]> : tensor<1x1x4xf32>}> : () -> tensor<1x1x4xf32>
  %one = "tosa.const"() <{values = dense<1.0> : tensor<1x1x1xf32>}> : () -> tensor<1x1x1xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %sum = tosa.add %w, %one : (tensor<1x1x4xf32>, tensor<1x1x1xf32>) -> tensor<1x1x4xf32>
  %0 = tosa.mul %x, %sum, %shift : (tensor<1x5x4xf32>, tensor<1x1x4xf32>, tensor<1xi8>) -> tensor<1x5x4xf32>
  %1 = tosa.add %0, %b : (tensor<1x5x4xf32>, tensor<1x1x4xf32>) -> tensor<1x5x4xf32>
  // expected-remark@+1 {{the scale of the input of 'fc' is folded into}}
  %2 = quant_llm.scale_columns %1 by inverse %s : tensor<1x5x4xf32>, tensor<4xf32>
  %y = quant_llm.linear %2, %fc name("fc") : (tensor<1x5x4xf32>, tensor<3x4xf32>) -> tensor<1x5x3xf32>
  return %y : tensor<1x5x3xf32>
}

// -----

// Attention: the values' layer, whose single head two query heads share.
// CHECK-LABEL: @attention
// CHECK: quant_llm.gather_factors %{{.*}} sizes = [4] strides = [1] : tensor<8xf32> -> tensor<4xf32>
// CHECK: quant_llm.scale_rows
// CHECK-NOT: scale_columns
func.func @attention(%x: tensor<5x4xf32>, %p: tensor<2x5x5xf32>) -> tensor<5x3xf32> {
  %absmax = quant_llm.statistic absmax of "o" : tensor<8xf32>
  %wv = quant_llm.parameter ""::"v.weight" : tensor<4x4xf32> = dense<1.0> : tensor<4x4xf32>
  %wo = quant_llm.parameter ""::"o.weight" : tensor<3x8xf32> = dense<1.0> : tensor<3x8xf32>
  %s = quant_llm.smoothing_factors %absmax, (%wo) alpha = 0.5 {shared = array<i64: 2, 4>} : tensor<8xf32>, (tensor<3x8xf32>)
  %v = quant_llm.linear %x, %wv name("v") : (tensor<5x4xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  %shape = tosa.const_shape {values = dense<[1, 5, 4]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %v1 = tosa.reshape %v, %shape : (tensor<5x4xf32>, !tosa.shape<3>) -> tensor<1x5x4xf32>
  %times = tosa.const_shape {values = dense<[2, 1, 1]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %v2 = tosa.tile %v1, %times : (tensor<1x5x4xf32>, !tosa.shape<3>) -> tensor<2x5x4xf32>
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %a = tosa.matmul %p, %v2, %z, %z : (tensor<2x5x5xf32>, tensor<2x5x4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<2x5x4xf32>
  %t = tosa.transpose %a {perms = array<i32: 1, 0, 2>} : (tensor<2x5x4xf32>) -> tensor<5x2x4xf32>
  %flat = tosa.const_shape {values = dense<[5, 8]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %o = tosa.reshape %t, %flat : (tensor<5x2x4xf32>, !tosa.shape<2>) -> tensor<5x8xf32>
  // expected-remark@+1 {{the scale of the input of 'o' is folded into 'v'}}
  %1 = quant_llm.scale_columns %o by inverse %s : tensor<5x8xf32>, tensor<8xf32>
  %y = quant_llm.linear %1, %wo name("o") : (tensor<5x8xf32>, tensor<3x8xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}

// -----

// relu by clamping, of a part of what a layer makes; a bound above stops it.
// CHECK-LABEL: @clamp
// CHECK: quant_llm.gather_factors %{{.*}} sizes = [2, 4] strides = [0, 1] within first = [1, 0] count = [1, 4]
// CHECK: scale_columns
func.func @clamp(%x: tensor<5x4xf32>) -> (tensor<5x3xf32>, tensor<5x3xf32>) {
  %s = quant_llm.parameter ""::"s" : tensor<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %t = quant_llm.parameter ""::"t" : tensor<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %w = quant_llm.parameter ""::"w" : tensor<8x4xf32> = dense<1.0> : tensor<8x4xf32>
  %fc = quant_llm.parameter ""::"fc.weight" : tensor<3x4xf32> = dense<1.0> : tensor<3x4xf32>
  %u = quant_llm.linear %x, %w name("u") : (tensor<5x4xf32>, tensor<8x4xf32>) -> tensor<5x8xf32>
  %shape = tosa.const_shape {values = dense<[5, 2, 4]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %parts = tosa.reshape %u, %shape : (tensor<5x8xf32>, !tosa.shape<3>) -> tensor<5x2x4xf32>
  %at0 = tosa.const_shape {values = dense<[0, 0, 0]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %at1 = tosa.const_shape {values = dense<[0, 1, 0]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %size = tosa.const_shape {values = dense<[5, 1, 4]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %a = tosa.slice %parts, %at0, %size : (tensor<5x2x4xf32>, !tosa.shape<3>, !tosa.shape<3>) -> tensor<5x1x4xf32>
  %b = tosa.slice %parts, %at1, %size : (tensor<5x2x4xf32>, !tosa.shape<3>, !tosa.shape<3>) -> tensor<5x1x4xf32>
  %flat = tosa.const_shape {values = dense<[5, 4]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %fa = tosa.reshape %a, %flat : (tensor<5x1x4xf32>, !tosa.shape<2>) -> tensor<5x4xf32>
  %fb = tosa.reshape %b, %flat : (tensor<5x1x4xf32>, !tosa.shape<2>) -> tensor<5x4xf32>
  // expected-note@+1 {{here}}
  %ca = tosa.clamp %fa {min_val = 0.0 : f32, max_val = 6.0 : f32} : (tensor<5x4xf32>) -> tensor<5x4xf32>
  %cb = tosa.clamp %fb {min_val = 0.0 : f32, max_val = 3.40282347E+38 : f32} : (tensor<5x4xf32>) -> tensor<5x4xf32>
  // expected-remark@+1 {{stays an op that runs: division does not go through 'tosa.clamp'}}
  %sa = quant_llm.scale_columns %ca by inverse %t : tensor<5x4xf32>, tensor<4xf32>
  %ya = quant_llm.linear %sa, %fc name("a") : (tensor<5x4xf32>, tensor<3x4xf32>) -> tensor<5x3xf32>
  // expected-remark@+1 {{the scale of the input of 'b' is folded into 'u'}}
  %sb = quant_llm.scale_columns %cb by inverse %s : tensor<5x4xf32>, tensor<4xf32>
  %yb = quant_llm.linear %sb, %fc name("b") : (tensor<5x4xf32>, tensor<3x4xf32>) -> tensor<5x3xf32>
  return %ya, %yb : tensor<5x3xf32>, tensor<5x3xf32>
}
