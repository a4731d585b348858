// RUN: qk-opt --quant-llm-raise-linear --split-input-file %s | FileCheck %s
// Weights that are a part of a constant in the module: they become values of
// their own.

// A stack of two layers, by way of slices that drop a dimension; the second is
// stored as [K,N].
// CHECK-LABEL: func.func @stack(
// CHECK-DAG: %[[W0:.*]] = quant_llm.parameter ""::"stack.0.weight" : tensor<2x3xf32> = dense<{{\[\[}}1.000000e+00, 3.000000e+00, 5.000000e+00], [2.000000e+00, 4.000000e+00, 6.000000e+00]]>
// CHECK-DAG: %[[W1:.*]] = quant_llm.parameter ""::"stack.1.weight" : tensor<3x2xf32> = dense<{{\[\[}}7.000000e+00, 8.000000e+00], [9.000000e+00, 1.000000e+01], [1.100000e+01, 1.200000e+01]]>
// CHECK: %[[Y0:.*]] = quant_llm.linear %{{.*}}, %[[W0]] name("stack.0")
// CHECK: quant_llm.linear %[[Y0]], %[[W1]] name("stack.1")
func.func @stack(%x: tensor<4x3xf32>) -> tensor<4x3xf32> {
  %w = arith.constant dense<[[[1., 2.], [3., 4.], [5., 6.]], [[7., 8.], [9., 10.], [11., 12.]]]> : tensor<2x3x2xf32>
  %w0 = tensor.extract_slice %w[0, 0, 0] [1, 3, 2] [1, 1, 1] : tensor<2x3x2xf32> to tensor<3x2xf32>
  %w1 = tensor.extract_slice %w[1, 0, 0] [1, 3, 2] [1, 1, 1] : tensor<2x3x2xf32> to tensor<3x2xf32>
  %z0 = arith.constant dense<0.0> : tensor<4x2xf32>
  %y0 = linalg.matmul ins(%x, %w0 : tensor<4x3xf32>, tensor<3x2xf32>) outs(%z0 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %z1 = arith.constant dense<0.0> : tensor<4x3xf32>
  %y1 = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%y0, %w1 : tensor<4x2xf32>, tensor<3x2xf32>) outs(%z1 : tensor<4x3xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %c, %p : f32
    linalg.yield %s : f32
  } -> tensor<4x3xf32>
  return %y1 : tensor<4x3xf32>
}

// -----

// The second halves of a weight's rows and of a bias.
// CHECK-LABEL: func.func @biases(
// CHECK-DAG: quant_llm.parameter ""::"biases.0.bias" : tensor<2xf32> = dense<[3.000000e+00, 4.000000e+00]>
// CHECK-DAG: quant_llm.parameter ""::"biases.0.weight" : tensor<2x2xf32> = dense<{{\[\[}}5.000000e+00, 6.000000e+00], [7.000000e+00, 8.000000e+00]]>
// CHECK: quant_llm.linear %{{.*}}, %{{.*}} bias(%{{.*}}) name("biases.0")
func.func @biases(%x: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %w = arith.constant dense<[[1., 2.], [3., 4.], [5., 6.], [7., 8.]]> : tensor<4x2xf32>
  %b = arith.constant dense<[1., 2., 3., 4.]> : tensor<4xf32>
  %w1 = tensor.extract_slice %w[2, 0] [2, 2] [1, 1] : tensor<4x2xf32> to tensor<2x2xf32>
  %b1 = tensor.extract_slice %b[2] [2] [1] : tensor<4xf32> to tensor<2xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %rows = linalg.broadcast ins(%b1 : tensor<2xf32>) outs(%e : tensor<4x2xf32>) dimensions = [0]
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w1 : tensor<4x2xf32>, tensor<2x2xf32>) outs(%rows : tensor<4x2xf32>) {
  ^bb0(%a: f32, %c: f32, %d: f32):
    %p = arith.mulf %a, %c : f32
    %s = arith.addf %d, %p : f32
    linalg.yield %s : f32
  } -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

// Through TOSA's slice.
// CHECK-LABEL: func.func @tosa(
// CHECK: quant_llm.parameter ""::"tosa.0.weight" : tensor<2x3xf32> = dense<{{\[\[}}2.000000e+00, 5.000000e+00, 8.000000e+00], [3.000000e+00, 6.000000e+00, 9.000000e+00]]>
// CHECK: quant_llm.linear
func.func @tosa(%x: tensor<1x4x3xf32>) -> tensor<1x4x2xf32> {
  %w = "tosa.const"() <{values = dense<[[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]]> : tensor<1x3x3xf32>}> : () -> tensor<1x3x3xf32>
  %start = tosa.const_shape {values = dense<[0, 0, 1]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %size = tosa.const_shape {values = dense<[1, 3, 2]> : tensor<3xindex>} : () -> !tosa.shape<3>
  %s = tosa.slice %w, %start, %size : (tensor<1x3x3xf32>, !tosa.shape<3>, !tosa.shape<3>) -> tensor<1x3x2xf32>
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %y = tosa.matmul %x, %s, %zp, %zp : (tensor<1x4x3xf32>, tensor<1x3x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  return %y : tensor<1x4x2xf32>
}

// -----

// Parts of a resource are called after their layers: two are not one.
// CHECK-LABEL: func.func @resource(
// CHECK-DAG: quant_llm.parameter ""::"stack.0.weight" : tensor<1x2xf32> = dense_resource<stack.weight{{.*}}> : tensor<1x2xf32>
// CHECK-DAG: quant_llm.parameter ""::"stack.1.weight" : tensor<1x2xf32> = dense_resource<stack.weight{{.*}}> : tensor<1x2xf32>
// CHECK: name("stack.0")
// CHECK: name("stack.1")
func.func @resource(%x: tensor<4x2xf32>) -> (tensor<4x1xf32>, tensor<4x1xf32>) {
  %w = arith.constant dense_resource<stack.weight> : tensor<2x2x1xf32>
  %w0 = tensor.extract_slice %w[0, 0, 0] [1, 2, 1] [1, 1, 1] : tensor<2x2x1xf32> to tensor<2x1xf32>
  %w1 = tensor.extract_slice %w[1, 0, 0] [1, 2, 1] [1, 1, 1] : tensor<2x2x1xf32> to tensor<2x1xf32>
  %z = arith.constant dense<0.0> : tensor<4x1xf32>
  %y0 = linalg.matmul ins(%x, %w0 : tensor<4x2xf32>, tensor<2x1xf32>) outs(%z : tensor<4x1xf32>) -> tensor<4x1xf32>
  %y1 = linalg.matmul ins(%x, %w1 : tensor<4x2xf32>, tensor<2x1xf32>) outs(%z : tensor<4x1xf32>) -> tensor<4x1xf32>
  return %y0, %y1 : tensor<4x1xf32>, tensor<4x1xf32>
}

{-#
  dialect_resources: {
    builtin: {
      stack.weight: "0x040000000000803F000000400000404000008040"
    }
  }
#-}
