// RUN: qk-opt --quant-llm-raise-linear %s | FileCheck %s
// The idioms in which exporters write one linear layer in TOSA; computed to the
// same by test/Integration/CPU/raise-equal.test.

// torch-mlir: a batch of one in front, the bias added after it is gone again.
// CHECK-LABEL: func.func @matmul_with_bias
// CHECK-DAG: quant_llm.parameter ""::"matmul_with_bias.0.weight" : tensor<3x2xf32>
// CHECK-DAG: quant_llm.parameter ""::"matmul_with_bias.0.bias" : tensor<2xf32>
// CHECK: %[[X:.*]] = tosa.reshape %arg0
// CHECK: %[[Y:.*]] = quant_llm.linear %[[X]], %{{.*}} bias(%{{.*}}) name("matmul_with_bias.0") : (tensor<1x5x3xf32>, tensor<2x3xf32>, tensor<2xf32>) -> tensor<1x5x2xf32>
// CHECK: %[[R:.*]] = tosa.reshape %[[Y]]
// CHECK: return %[[R]]
func.func @matmul_with_bias(%x: tensor<5x3xf32>) -> tensor<5x2xf32> {
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<[[[1., 2.], [-3., 4.], [5., -6.]]]> : tensor<1x3x2xf32>}> : () -> tensor<1x3x2xf32>
  %b = "tosa.const"() <{values = dense<[[0.5, -1.5]]> : tensor<1x2xf32>}> : () -> tensor<1x2xf32>
  %s3 = tosa.const_shape {values = dense<[1, 5, 3]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %s2 = tosa.const_shape {values = dense<[5, 2]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %r = tosa.reshape %x, %s3 : (tensor<5x3xf32>, !tosa.shape<3>) -> tensor<1x5x3xf32>
  %p = tosa.matmul %r, %w, %zp, %zp : (tensor<1x5x3xf32>, tensor<1x3x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x5x2xf32>
  %q = tosa.reshape %p, %s2 : (tensor<1x5x2xf32>, !tosa.shape<2>) -> tensor<5x2xf32>
  %y = tosa.add %q, %b : (tensor<5x2xf32>, tensor<1x2xf32>) -> tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}

// f16 computed in f32: activation, weight and bias widened before they are
// reshaped, the sum narrowed after.
// CHECK-LABEL: func.func @widened
// CHECK-NOT: tosa.cast
// CHECK: quant_llm.linear %{{.*}} bias(%{{.*}}) name("widened.0") : (tensor<1x5x3xf16>, tensor<2x3xf16>, tensor<2xf16>) -> tensor<1x5x2xf16>
// CHECK-NOT: tosa.cast
// CHECK: return
func.func @widened(%x: tensor<5x3xf16>) -> tensor<5x2xf16> {
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<[[1., 2.], [-3., 4.], [5., -6.]]> : tensor<3x2xf16>}> : () -> tensor<3x2xf16>
  %b = "tosa.const"() <{values = dense<[0.5, -1.5]> : tensor<2xf16>}> : () -> tensor<2xf16>
  %s3 = tosa.const_shape {values = dense<[1, 5, 3]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %sw = tosa.const_shape {values = dense<[1, 3, 2]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %s2 = tosa.const_shape {values = dense<[5, 2]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %sb = tosa.const_shape {values = dense<[1, 2]> : tensor<2xindex>} : () -> !tosa.shape<2>
  %xw = tosa.cast %x : (tensor<5x3xf16>) -> tensor<5x3xf32>
  %ww = tosa.cast %w : (tensor<3x2xf16>) -> tensor<3x2xf32>
  %bw = tosa.cast %b : (tensor<2xf16>) -> tensor<2xf32>
  %r = tosa.reshape %xw, %s3 : (tensor<5x3xf32>, !tosa.shape<3>) -> tensor<1x5x3xf32>
  %wr = tosa.reshape %ww, %sw : (tensor<3x2xf32>, !tosa.shape<3>) -> tensor<1x3x2xf32>
  %p = tosa.matmul %r, %wr, %zp, %zp : (tensor<1x5x3xf32>, tensor<1x3x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x5x2xf32>
  %q = tosa.reshape %p, %s2 : (tensor<1x5x2xf32>, !tosa.shape<2>) -> tensor<5x2xf32>
  %br = tosa.reshape %bw, %sb : (tensor<2xf32>, !tosa.shape<2>) -> tensor<1x2xf32>
  %y = tosa.add %br, %q : (tensor<1x2xf32>, tensor<5x2xf32>) -> tensor<5x2xf32>
  %n = tosa.cast %y : (tensor<5x2xf32>) -> tensor<5x2xf16>
  return %n : tensor<5x2xf16>
}

// A weight transposed, and repeated for each batch by a tile; a product with
// ones before the bias, which is 1x1xN.
// CHECK-LABEL: func.func @transposed_and_tiled
// CHECK-NOT: quant_llm.transpose
// CHECK: quant_llm.linear %arg0, %{{.*}} bias(%{{.*}}) name("transposed_and_tiled.0") : (tensor<2x5x3xf32>, tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x5x2xf32>
// CHECK-NEXT: return
func.func @transposed_and_tiled(%x: tensor<2x5x3xf32>) -> tensor<2x5x2xf32> {
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %one = "tosa.const"() <{values = dense<1.0> : tensor<1x1x1xf32>}> : () -> tensor<1x1x1xf32>
  %w = "tosa.const"() <{values = dense<[[1., 2., 3.], [4., -5., 6.]]> : tensor<2x3xf32>}> : () -> tensor<2x3xf32>
  %b = "tosa.const"() <{values = dense<[[[0.5, -1.5]]]> : tensor<1x1x2xf32>}> : () -> tensor<1x1x2xf32>
  %sw = tosa.const_shape {values = dense<[1, 3, 2]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %times = tosa.const_shape {values = dense<[2, 1, 1]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %t = tosa.transpose %w {perms = array<i32: 1, 0>} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  %wr = tosa.reshape %t, %sw : (tensor<3x2xf32>, !tosa.shape<3>) -> tensor<1x3x2xf32>
  %wt = tosa.tile %wr, %times : (tensor<1x3x2xf32>, !tosa.shape<3>) -> tensor<2x3x2xf32>
  %p = tosa.matmul %x, %wt, %zp, %zp : (tensor<2x5x3xf32>, tensor<2x3x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<2x5x2xf32>
  %q = tosa.mul %p, %one, %shift : (tensor<2x5x2xf32>, tensor<1x1x1xf32>, tensor<1xi8>) -> tensor<2x5x2xf32>
  %y = tosa.add %q, %b : (tensor<2x5x2xf32>, tensor<1x1x2xf32>) -> tensor<2x5x2xf32>
  return %y : tensor<2x5x2xf32>
}

// TFLite: convolutions of size 1x1, with the bias inside, without, and added
// after.
// CHECK-LABEL: func.func @convolutions
// CHECK: quant_llm.linear %{{.*}} bias(%{{.*}}) name("convolutions.0") : (tensor<5x1x1x3xf32>, tensor<2x3xf32>, tensor<2xf32>) -> tensor<5x1x1x2xf32>
// CHECK: quant_llm.linear %{{.*}} name("convolutions.1") : (tensor<5x1x1x2xf32>, tensor<3x2xf32>) -> tensor<5x1x1x3xf32>
// CHECK: quant_llm.linear %{{.*}} bias(%{{.*}}) name("convolutions.2") : (tensor<5x1x1x3xf32>, tensor<2x3xf32>, tensor<2xf32>) -> tensor<5x1x1x2xf32>
// CHECK-NOT: tosa
// CHECK: return
func.func @convolutions(%x: tensor<5x1x1x3xf32>) -> tensor<5x1x1x2xf32> {
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<[[[[1., 2., 3.]]], [[[4., -5., 6.]]]]> : tensor<2x1x1x3xf32>}> : () -> tensor<2x1x1x3xf32>
  %v = "tosa.const"() <{values = dense<[[[[1., 2.]]], [[[3., 4.]]], [[[-5., 6.]]]]> : tensor<3x1x1x2xf32>}> : () -> tensor<3x1x1x2xf32>
  %u = "tosa.const"() <{values = dense<[[[[0.5, 2., 3.]]], [[[4., -5., 0.25]]]]> : tensor<2x1x1x3xf32>}> : () -> tensor<2x1x1x3xf32>
  %b = "tosa.const"() <{values = dense<[0.5, -1.5]> : tensor<2xf32>}> : () -> tensor<2xf32>
  %c = "tosa.const"() <{values = dense<[[[[2.5, -3.5]]]]> : tensor<1x1x1x2xf32>}> : () -> tensor<1x1x1x2xf32>
  %p = tosa.conv2d %x, %w, %b, %zp, %zp {acc_type = f32, dilation = array<i64: 2, 2>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<5x1x1x3xf32>, tensor<2x1x1x3xf32>, tensor<2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<5x1x1x2xf32>
  %q = tosa.conv2d %p, %v, %zp, %zp, %zp {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<5x1x1x2xf32>, tensor<3x1x1x2xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<5x1x1x3xf32>
  %r = tosa.conv2d %q, %u, %zp, %zp, %zp {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<5x1x1x3xf32>, tensor<2x1x1x3xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<5x1x1x2xf32>
  %y = tosa.add %r, %c : (tensor<5x1x1x2xf32>, tensor<1x1x1x2xf32>) -> tensor<5x1x1x2xf32>
  return %y : tensor<5x1x1x2xf32>
}

// A residual that is added stays; so does a table of positions.
// CHECK-LABEL: func.func @sums
// CHECK: quant_llm.linear %arg0, %{{.*}} name("sums.0") : (tensor<1x2x2xf32>, tensor<2x2xf32>) -> tensor<1x2x2xf32>
// CHECK: tosa.add
// CHECK: tosa.add
func.func @sums(%x: tensor<1x2x2xf32>) -> tensor<1x2x2xf32> {
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<[[[1., 2.], [-3., 4.]]]> : tensor<1x2x2xf32>}> : () -> tensor<1x2x2xf32>
  %t = "tosa.const"() <{values = dense<[[[0.5, 2.], [-3.5, 4.]]]> : tensor<1x2x2xf32>}> : () -> tensor<1x2x2xf32>
  %p = tosa.matmul %x, %w, %zp, %zp : (tensor<1x2x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x2xf32>
  %q = tosa.add %p, %t : (tensor<1x2x2xf32>, tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  %y = tosa.add %q, %x : (tensor<1x2x2xf32>, tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  return %y : tensor<1x2x2xf32>
}

// One element added to all channels is no bias of the layer.
// CHECK-LABEL: func.func @bias_of_one(
// CHECK: %[[Y:.*]] = quant_llm.linear %arg0, %{{[^ ]*}} name("bias_of_one.0")
// CHECK: tosa.add %[[Y]], %{{.*}} : (tensor<1x2x2xf32>, tensor<1x1x1xf32>)
func.func @bias_of_one(%x: tensor<1x2x2xf32>) -> tensor<1x2x2xf32> {
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<[[[1., 2.], [-3., 4.]]]> : tensor<1x2x2xf32>}> : () -> tensor<1x2x2xf32>
  %b = "tosa.const"() <{values = dense<0.5> : tensor<1x1x1xf32>}> : () -> tensor<1x1x1xf32>
  %p = tosa.matmul %x, %w, %zp, %zp : (tensor<1x2x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x2xf32>
  %y = tosa.add %p, %b : (tensor<1x2x2xf32>, tensor<1x1x1xf32>) -> tensor<1x2x2xf32>
  return %y : tensor<1x2x2xf32>
}
