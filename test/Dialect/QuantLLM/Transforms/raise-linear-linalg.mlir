// RUN: qk-opt --quant-llm-raise-linear %s | FileCheck %s
// The idioms in which exporters write one linear layer in linalg. Nothing of
// the product is left, and (test/Integration/CPU/raise-equal.test) the raised
// function computes the same.

#v = affine_map<(d0) -> (d0)>
#row = affine_map<(d0, d1) -> (d1)>
#id2 = affine_map<(d0, d1) -> (d0, d1)>
#row3 = affine_map<(d0, d1, d2) -> (d2)>
#w3 = affine_map<(d0, d1, d2) -> (d1, d2)>
#ones3 = affine_map<(d0, d1, d2) -> (0, 0, d2)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>

// GPT-2's Conv1D: the weight is stored [K,N]; the bias is broadcast and added
// by named ops.
// CHECK-LABEL: func.func @stored_kn_named_bias
// CHECK: %[[T:.*]] = quant_llm.transpose
// CHECK-NOT: linalg
// CHECK: quant_llm.linear %{{.*}}, %[[T]] bias(%{{.*}}) name("stored_kn_named_bias.0")
// CHECK-NOT: linalg
// CHECK: return
func.func @stored_kn_named_bias(%x: tensor<5x3xf32>) -> tensor<5x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1., 2.], [-3., 4.], [5., -6.]]> : tensor<3x2xf32>
  %b = arith.constant dense<[0.5, -1.5]> : tensor<2xf32>
  %e = tensor.empty() : tensor<5x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x2xf32>) -> tensor<5x2xf32>
  %p = linalg.matmul ins(%x, %w : tensor<5x3xf32>, tensor<3x2xf32>) outs(%f : tensor<5x2xf32>) -> tensor<5x2xf32>
  %r = linalg.broadcast ins(%b : tensor<2xf32>) outs(%e : tensor<5x2xf32>) dimensions = [0]
  %y = linalg.add ins(%r, %p : tensor<5x2xf32>, tensor<5x2xf32>) outs(%e : tensor<5x2xf32>) -> tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}

// IREE and ONNX: the weight is repeated for each batch; bias in one generic.
// CHECK-LABEL: func.func @repeated_for_batches
// CHECK: quant_llm.linear %arg0, %{{.*}} bias(%{{.*}}) name("repeated_for_batches.0") : (tensor<2x5x3xf32>, tensor<2x3xf32>, tensor<2xf32>) -> tensor<2x5x2xf32>
// CHECK-NEXT: return
func.func @repeated_for_batches(%x: tensor<2x5x3xf32>) -> tensor<2x5x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1., 2., 3.], [4., -5., 6.]]> : tensor<2x3xf32>
  %b = arith.constant dense<[0.5, -1.5]> : tensor<2xf32>
  %et = tensor.empty() : tensor<3x2xf32>
  %t = linalg.transpose ins(%w : tensor<2x3xf32>) outs(%et : tensor<3x2xf32>) permutation = [1, 0]
  %eb = tensor.empty() : tensor<2x3x2xf32>
  %wb = linalg.generic {indexing_maps = [#w3, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%t : tensor<3x2xf32>) outs(%eb : tensor<2x3x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<2x3x2xf32>
  %e = tensor.empty() : tensor<2x5x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x5x2xf32>) -> tensor<2x5x2xf32>
  %p = linalg.batch_matmul ins(%x, %wb : tensor<2x5x3xf32>, tensor<2x3x2xf32>) outs(%f : tensor<2x5x2xf32>) -> tensor<2x5x2xf32>
  %y = linalg.generic {indexing_maps = [#id3, #row3, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%p, %b : tensor<2x5x2xf32>, tensor<2xf32>) outs(%e : tensor<2x5x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<2x5x2xf32>
  return %y : tensor<2x5x2xf32>
}

// The same by named ops: transpose and broadcast in one go, dynamic batch.
// CHECK-LABEL: func.func @repeated_by_named_ops
// CHECK: quant_llm.linear %arg0, %{{.*}} name("repeated_by_named_ops.0") : (tensor<?x5x3xf32>, tensor<2x3xf32>) -> tensor<?x5x2xf32>
func.func @repeated_by_named_ops(%x: tensor<?x5x3xf32>) -> tensor<?x5x2xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1., 2., 3.], [4., -5., 6.]]> : tensor<2x3xf32>
  %et = tensor.empty() : tensor<3x2xf32>
  %t = linalg.transpose ins(%w : tensor<2x3xf32>) outs(%et : tensor<3x2xf32>) permutation = [1, 0]
  %n = tensor.dim %x, %c0 : tensor<?x5x3xf32>
  %eb = tensor.empty(%n) : tensor<?x3x2xf32>
  %wb = linalg.broadcast ins(%t : tensor<3x2xf32>) outs(%eb : tensor<?x3x2xf32>) dimensions = [0]
  %e = tensor.empty(%n) : tensor<?x5x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x5x2xf32>) -> tensor<?x5x2xf32>
  %p = linalg.batch_matmul ins(%x, %wb : tensor<?x5x3xf32>, tensor<?x3x2xf32>) outs(%f : tensor<?x5x2xf32>) -> tensor<?x5x2xf32>
  return %p : tensor<?x5x2xf32>
}

// f16: the sum in f32, narrowed before the bias is added.
// CHECK-LABEL: func.func @narrowed_before_bias
// CHECK: quant_llm.linear %arg0, %{{.*}} bias(%{{.*}}) name("narrowed_before_bias.0") : (tensor<5x3xf16>, tensor<2x3xf16>, tensor<2xf16>) -> tensor<5x2xf16>
// CHECK-NEXT: return
func.func @narrowed_before_bias(%x: tensor<5x3xf16>) -> tensor<5x2xf16> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1., 2.], [-3., 4.], [5., -6.]]> : tensor<3x2xf16>
  %b = arith.constant dense<[0.5, -1.5]> : tensor<2xf16>
  %e = tensor.empty() : tensor<5x2xf32>
  %h = tensor.empty() : tensor<5x2xf16>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x2xf32>) -> tensor<5x2xf32>
  %p = linalg.matmul ins(%x, %w : tensor<5x3xf16>, tensor<3x2xf16>) outs(%f : tensor<5x2xf32>) -> tensor<5x2xf32>
  %n = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%p : tensor<5x2xf32>) outs(%h : tensor<5x2xf16>) {
  ^bb0(%in: f32, %out: f16):
    %0 = arith.truncf %in : f32 to f16
    linalg.yield %0 : f16
  } -> tensor<5x2xf16>
  %y = linalg.generic {indexing_maps = [#id2, #row, #id2], iterator_types = ["parallel", "parallel"]} ins(%n, %b : tensor<5x2xf16>, tensor<2xf16>) outs(%h : tensor<5x2xf16>) {
  ^bb0(%a: f16, %c: f16, %out: f16):
    %s = arith.addf %a, %c : f16
    linalg.yield %s : f16
  } -> tensor<5x2xf16>
  return %y : tensor<5x2xf16>
}

// The conversions inside the bodies: of the product, and of the sum.
// CHECK-LABEL: func.func @converted_inside
// CHECK: quant_llm.linear %arg0, %{{.*}} bias(%{{.*}}) name("converted_inside.0") : (tensor<5x3xbf16>, tensor<2x3xbf16>, tensor<2xbf16>) -> tensor<5x2xbf16>
// CHECK-NEXT: return
func.func @converted_inside(%x: tensor<5x3xbf16>) -> tensor<5x2xbf16> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1., 2., 3.], [4., -5., 6.]]> : tensor<2x3xbf16>
  %b = arith.constant dense<[0.5, -1.5]> : tensor<2xbf16>
  %e = tensor.empty() : tensor<5x2xf32>
  %h = tensor.empty() : tensor<5x2xbf16>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x2xf32>) -> tensor<5x2xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%w, %x : tensor<2x3xbf16>, tensor<5x3xbf16>) outs(%f : tensor<5x2xf32>) {
  ^bb0(%a: bf16, %c: bf16, %out: f32):
    %aw = arith.extf %a : bf16 to f32
    %cw = arith.extf %c : bf16 to f32
    %m = arith.mulf %cw, %aw : f32
    %s = arith.addf %m, %out : f32
    linalg.yield %s : f32
  } -> tensor<5x2xf32>
  %y = linalg.generic {indexing_maps = [#id2, #row, #id2], iterator_types = ["parallel", "parallel"]} ins(%p, %b : tensor<5x2xf32>, tensor<2xbf16>) outs(%h : tensor<5x2xbf16>) {
  ^bb0(%a: f32, %c: bf16, %out: bf16):
    %cw = arith.extf %c : bf16 to f32
    %s = arith.addf %a, %cw : f32
    %n = arith.truncf %s : f32 to bf16
    linalg.yield %n : bf16
  } -> tensor<5x2xbf16>
  return %y : tensor<5x2xbf16>
}

// f16 widened, multiplied in f32 and kept: the layer is in f32.
// CHECK-LABEL: func.func @kept_in_f32
// CHECK: %[[X:.*]] = linalg.generic {{.*}} ins(%arg0 : tensor<5x3xf16>)
// CHECK: quant_llm.linear %[[X]], %{{.*}} name("kept_in_f32.0") : (tensor<5x3xf32>, tensor<2x3xf16>) -> tensor<5x2xf32>
func.func @kept_in_f32(%x: tensor<5x3xf16>) -> tensor<5x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<5x2xf32>
  %w = arith.constant dense<[[1., 2.], [-3., 4.], [5., -6.]]> : tensor<3x2xf16>
  %y = linalg.matmul ins(%x, %w : tensor<5x3xf16>, tensor<3x2xf16>) outs(%zero : tensor<5x2xf32>) -> tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}

// Mixed precision (JAX): the parameter is f32 and narrowed for the product.
// The layer reads the parameter itself.
// CHECK-LABEL: func.func @narrowed_weight
// CHECK: quant_llm.linear %arg0, %{{.*}} name("narrowed_weight.0") : (tensor<5x3xbf16>, tensor<2x3xf32>) -> tensor<5x2xbf16>
func.func @narrowed_weight(%x: tensor<5x3xbf16>) -> tensor<5x2xbf16> {
  %zero = arith.constant dense<0.0> : tensor<5x2xbf16>
  %w = arith.constant dense<[[1., 2.], [-3., 4.], [5., -6.]]> : tensor<3x2xf32>
  %e = tensor.empty() : tensor<3x2xbf16>
  %n = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<3x2xf32>) outs(%e : tensor<3x2xbf16>) {
  ^bb0(%in: f32, %out: bf16):
    %0 = arith.truncf %in : f32 to bf16
    linalg.yield %0 : bf16
  } -> tensor<3x2xbf16>
  %y = linalg.matmul ins(%x, %n : tensor<5x3xbf16>, tensor<3x2xbf16>) outs(%zero : tensor<5x2xbf16>) -> tensor<5x2xbf16>
  return %y : tensor<5x2xbf16>
}

// The product starts from the bias.
// CHECK-LABEL: func.func @starts_from_bias
// CHECK: quant_llm.linear %{{.*}} bias(%{{.*}}) name("starts_from_bias.0")
// CHECK-NEXT: return
func.func @starts_from_bias(%x: tensor<5x3xf32>) -> tensor<5x2xf32> {
  %w = arith.constant dense<[[1., 2.], [-3., 4.], [5., -6.]]> : tensor<3x2xf32>
  %b = arith.constant dense<[0.5, -1.5]> : tensor<2xf32>
  %e = tensor.empty() : tensor<5x2xf32>
  %r = linalg.broadcast ins(%b : tensor<2xf32>) outs(%e : tensor<5x2xf32>) dimensions = [0]
  %p = linalg.matmul ins(%x, %w : tensor<5x3xf32>, tensor<3x2xf32>) outs(%r : tensor<5x2xf32>) -> tensor<5x2xf32>
  return %p : tensor<5x2xf32>
}

// The bias is added to the product in place.
// CHECK-LABEL: func.func @bias_in_place
// CHECK: quant_llm.linear %{{.*}} bias(%{{.*}}) name("bias_in_place.0")
// CHECK-NEXT: return
func.func @bias_in_place(%x: tensor<5x3xf32>) -> tensor<5x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<5x2xf32>
  %w = arith.constant dense<[[1., 2.], [-3., 4.], [5., -6.]]> : tensor<3x2xf32>
  %b = arith.constant dense<[0.5, -1.5]> : tensor<2xf32>
  %p = linalg.matmul ins(%x, %w : tensor<5x3xf32>, tensor<3x2xf32>) outs(%zero : tensor<5x2xf32>) -> tensor<5x2xf32>
  %y = linalg.generic {indexing_maps = [#row, #id2], iterator_types = ["parallel", "parallel"]} ins(%b : tensor<2xf32>) outs(%p : tensor<5x2xf32>) {
  ^bb0(%c: f32, %out: f32):
    %s = arith.addf %c, %out : f32
    linalg.yield %s : f32
  } -> tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}

// The bias is a constant of shape 1xN, and of 1x1xN repeated by a map with
// zeros (StableHLO); added by linalg.map, by an elementwise op, by arith.
// CHECK-LABEL: func.func @bias_shapes
// CHECK-COUNT-3: quant_llm.linear %{{.*}} bias(%{{.*}})
// CHECK-NOT: linalg
// CHECK: return
func.func @bias_shapes(%x: tensor<2x5x2xf32>) -> tensor<2x5x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x5x2xf32>
  %w0 = arith.constant dense<[[1., 2.], [-3., 4.]]> : tensor<2x2xf32>
  %w1 = arith.constant dense<[[0.5, 2.], [-3., 0.25]]> : tensor<2x2xf32>
  %w2 = arith.constant dense<[[1., -0.5], [-1., 0.25]]> : tensor<2x2xf32>
  %b0 = arith.constant dense<[[0.5, -1.5]]> : tensor<1x2xf32>
  %b1 = arith.constant dense<[[[0.25, -2.5]]]> : tensor<1x1x2xf32>
  %b2 = arith.constant dense<[3.5, 4.5]> : tensor<2xf32>
  %e = tensor.empty() : tensor<2x5x2xf32>
  %p0 = linalg.generic {indexing_maps = [affine_map<(b, s, n, k) -> (b, s, k)>, affine_map<(b, s, n, k) -> (k, n)>, affine_map<(b, s, n, k) -> (b, s, n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x, %w0 : tensor<2x5x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x5x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %m = arith.mulf %a, %c : f32
    %s = arith.addf %out, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x5x2xf32>
  %x0 = tensor.expand_shape %b0 [[0, 1], [2]] output_shape [1, 1, 2] : tensor<1x2xf32> into tensor<1x1x2xf32>
  %r0 = linalg.generic {indexing_maps = [#ones3, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x0 : tensor<1x1x2xf32>) outs(%e : tensor<2x5x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<2x5x2xf32>
  %y0 = linalg.map { arith.addf } ins(%p0, %r0 : tensor<2x5x2xf32>, tensor<2x5x2xf32>) outs(%e : tensor<2x5x2xf32>)
  %p1 = linalg.contract indexing_maps = [affine_map<(b, s, n, k) -> (b, s, k)>, affine_map<(b, s, n, k) -> (n, k)>, affine_map<(b, s, n, k) -> (b, s, n)>] ins(%y0, %w1 : tensor<2x5x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x5x2xf32>) -> tensor<2x5x2xf32>
  %r1 = linalg.generic {indexing_maps = [#ones3, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%b1 : tensor<1x1x2xf32>) outs(%e : tensor<2x5x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<2x5x2xf32>
  %y1 = linalg.elementwise kind=#linalg.elementwise_kind<add> ins(%p1, %r1 : tensor<2x5x2xf32>, tensor<2x5x2xf32>) outs(%e : tensor<2x5x2xf32>) -> tensor<2x5x2xf32>
  %p2 = linalg.contract indexing_maps = [affine_map<(b, s, n, k) -> (b, s, k)>, affine_map<(b, s, n, k) -> (n, k)>, affine_map<(b, s, n, k) -> (b, s, n)>] ins(%y1, %w2 : tensor<2x5x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x5x2xf32>) -> tensor<2x5x2xf32>
  %r2 = linalg.broadcast ins(%b2 : tensor<2xf32>) outs(%e : tensor<2x5x2xf32>) dimensions = [0, 1]
  %y2 = arith.addf %r2, %p2 : tensor<2x5x2xf32>
  return %y2 : tensor<2x5x2xf32>
}

// addmm with alpha and beta written out: a multiplication by one changes
// nothing.
// CHECK-LABEL: func.func @times_one
// CHECK: quant_llm.linear %{{.*}} bias(%{{.*}}) name("times_one.0")
// CHECK-NEXT: return
func.func @times_one(%x: tensor<5x3xf32>) -> tensor<5x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<5x2xf32>
  %one = arith.constant 1.0 : f32
  %w = arith.constant dense<[[1., 2.], [-3., 4.], [5., -6.]]> : tensor<3x2xf32>
  %b = arith.constant dense<[0.5, -1.5]> : tensor<2xf32>
  %e = tensor.empty() : tensor<5x2xf32>
  %p = linalg.matmul ins(%x, %w : tensor<5x3xf32>, tensor<3x2xf32>) outs(%zero : tensor<5x2xf32>) -> tensor<5x2xf32>
  %q = linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%p : tensor<5x2xf32>) outs(%e : tensor<5x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.mulf %in, %one : f32
    linalg.yield %s : f32
  } -> tensor<5x2xf32>
  %y = linalg.generic {indexing_maps = [#id2, #row, #id2], iterator_types = ["parallel", "parallel"]} ins(%q, %b : tensor<5x2xf32>, tensor<2xf32>) outs(%e : tensor<5x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}

// Two times the product is no bias's business: the bias is added to something
// else and stays.
// CHECK-LABEL: func.func @times_two
// CHECK: quant_llm.linear %{{.*}} name("times_two.0") : (tensor<5x3xf32>, tensor<2x3xf32>) -> tensor<5x2xf32>
// CHECK: arith.mulf
// CHECK: arith.addf
func.func @times_two(%x: tensor<5x3xf32>) -> tensor<5x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<5x2xf32>
  %two = arith.constant dense<2.0> : tensor<5x2xf32>
  %w = arith.constant dense<[[1., 2.], [-3., 4.], [5., -6.]]> : tensor<3x2xf32>
  %b = arith.constant dense<[0.5, -1.5]> : tensor<2xf32>
  %e = tensor.empty() : tensor<5x2xf32>
  %p = linalg.matmul ins(%x, %w : tensor<5x3xf32>, tensor<3x2xf32>) outs(%zero : tensor<5x2xf32>) -> tensor<5x2xf32>
  %q = arith.mulf %p, %two : tensor<5x2xf32>
  %r = linalg.broadcast ins(%b : tensor<2xf32>) outs(%e : tensor<5x2xf32>) dimensions = [0]
  %y = arith.addf %q, %r : tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}

// A constant added along the rows of a square result is no bias.
// CHECK-LABEL: func.func @added_along_rows
// CHECK: quant_llm.linear %{{.*}} name("added_along_rows.0") : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
// CHECK: linalg.generic
func.func @added_along_rows(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x2xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  %b = arith.constant dense<[0.5, -1.5]> : tensor<2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %p = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.generic {indexing_maps = [#id2, affine_map<(d0, d1) -> (d0)>, #id2], iterator_types = ["parallel", "parallel"]} ins(%p, %b : tensor<2x2xf32>, tensor<2xf32>) outs(%e : tensor<2x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// A reshape between the product and the bias, as torch-mlir's views make it.
// CHECK-LABEL: func.func @reshaped_before_bias
// CHECK: %[[X:.*]] = tensor.collapse_shape %arg0
// CHECK: %[[Y:.*]] = quant_llm.linear %[[X]], %{{.*}} bias(%{{.*}}) name("reshaped_before_bias.0") : (tensor<10x3xf32>, tensor<2x3xf32>, tensor<2xf32>) -> tensor<10x2xf32>
// CHECK: %[[E:.*]] = tensor.expand_shape %[[Y]]
// CHECK: return %[[E]]
func.func @reshaped_before_bias(%x: tensor<2x5x3xf32>) -> tensor<2x5x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<10x2xf32>
  %w = arith.constant dense<[[1., 2.], [-3., 4.], [5., -6.]]> : tensor<3x2xf32>
  %b = arith.constant dense<[0.5, -1.5]> : tensor<2xf32>
  %c = tensor.collapse_shape %x [[0, 1], [2]] : tensor<2x5x3xf32> into tensor<10x3xf32>
  %p = linalg.matmul ins(%c, %w : tensor<10x3xf32>, tensor<3x2xf32>) outs(%zero : tensor<10x2xf32>) -> tensor<10x2xf32>
  %q = tensor.expand_shape %p [[0, 1], [2]] output_shape [2, 5, 2] : tensor<10x2xf32> into tensor<2x5x2xf32>
  %e = tensor.empty() : tensor<2x5x2xf32>
  %y = linalg.generic {indexing_maps = [#id3, #row3, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%q, %b : tensor<2x5x2xf32>, tensor<2xf32>) outs(%e : tensor<2x5x2xf32>) {
  ^bb0(%a: f32, %d: f32, %out: f32):
    %s = arith.addf %a, %d : f32
    linalg.yield %s : f32
  } -> tensor<2x5x2xf32>
  return %y : tensor<2x5x2xf32>
}

// A reshape that doesn't keep the output channels together ends the layer.
// CHECK-LABEL: func.func @regrouped
// CHECK: quant_llm.linear %{{.*}} name("regrouped.0") : (tensor<6x3xf32>, tensor<2x3xf32>) -> tensor<6x2xf32>
// CHECK: arith.addf
func.func @regrouped(%x: tensor<6x3xf32>) -> tensor<4x3xf32> {
  %zero = arith.constant dense<0.0> : tensor<6x2xf32>
  %w = arith.constant dense<[[1., 2.], [-3., 4.], [5., -6.]]> : tensor<3x2xf32>
  %b = arith.constant dense<[0.5, -1.5, 2.5]> : tensor<3xf32>
  %p = linalg.matmul ins(%x, %w : tensor<6x3xf32>, tensor<3x2xf32>) outs(%zero : tensor<6x2xf32>) -> tensor<6x2xf32>
  %f = tensor.collapse_shape %p [[0, 1]] : tensor<6x2xf32> into tensor<12xf32>
  %q = tensor.expand_shape %f [[0, 1]] output_shape [4, 3] : tensor<12xf32> into tensor<4x3xf32>
  %e = tensor.empty() : tensor<4x3xf32>
  %r = linalg.broadcast ins(%b : tensor<3xf32>) outs(%e : tensor<4x3xf32>) dimensions = [0]
  %y = arith.addf %q, %r : tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}

// Heads as dimensions of their own (flax's attention): the weight is
// [K,heads,size], its bias [heads,size]; the way back contracts both.
// CHECK-LABEL: func.func @heads
// CHECK-DAG: quant_llm.parameter ""::"heads.0.weight" : tensor<3x4xf32>
// CHECK-DAG: quant_llm.parameter ""::"heads.0.bias" : tensor<4xf32>
// CHECK-DAG: quant_llm.parameter ""::"heads.1.weight" : tensor<4x3xf32>
// CHECK: %[[Q:.*]] = quant_llm.linear %arg0, %{{.*}} bias(%{{.*}}) name("heads.0") : (tensor<?x5x3xf32>, tensor<4x3xf32>, tensor<4xf32>) -> tensor<?x5x4xf32>
// CHECK: %[[H:.*]] = tensor.expand_shape %[[Q]] {{\[\[}}0], [1], [2, 3]] {{.*}} into tensor<?x5x2x2xf32>
// CHECK: %[[C:.*]] = tensor.collapse_shape %[[H]] {{\[\[}}0], [1], [2, 3]]
// CHECK: quant_llm.linear %[[C]], %{{.*}} name("heads.1") : (tensor<?x5x4xf32>, tensor<3x4xf32>) -> tensor<?x5x3xf32>
func.func @heads(%x: tensor<?x5x3xf32>) -> tensor<?x5x3xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[[1., 2.], [0.5, -3.]], [[-3., 4.], [1.5, 2.]], [[5., -6.], [0.25, 1.]]]> : tensor<3x2x2xf32>
  %b = arith.constant dense<[[0.5, -1.5], [2.5, -3.5]]> : tensor<2x2xf32>
  %o = arith.constant dense<[[[1., 2., 0.5], [-3., -3., 4.]], [[1.5, 2., 5.], [-6., 0.25, 1.]]]> : tensor<2x2x3xf32>
  %n = tensor.dim %x, %c0 : tensor<?x5x3xf32>
  %e = tensor.empty(%n) : tensor<?x5x2x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x5x2x2xf32>) -> tensor<?x5x2x2xf32>
  %p = linalg.generic {indexing_maps = [affine_map<(b, s, h, d, k) -> (b, s, k)>, affine_map<(b, s, h, d, k) -> (k, h, d)>, affine_map<(b, s, h, d, k) -> (b, s, h, d)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%x, %w : tensor<?x5x3xf32>, tensor<3x2x2xf32>) outs(%f : tensor<?x5x2x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %m = arith.mulf %a, %c : f32
    %s = arith.addf %out, %m : f32
    linalg.yield %s : f32
  } -> tensor<?x5x2x2xf32>
  %q = linalg.generic {indexing_maps = [affine_map<(b, s, h, d) -> (b, s, h, d)>, affine_map<(b, s, h, d) -> (h, d)>, affine_map<(b, s, h, d) -> (b, s, h, d)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%p, %b : tensor<?x5x2x2xf32>, tensor<2x2xf32>) outs(%e : tensor<?x5x2x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<?x5x2x2xf32>
  %e1 = tensor.empty(%n) : tensor<?x5x3xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x5x3xf32>) -> tensor<?x5x3xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(b, s, n, h, d) -> (b, s, h, d)>, affine_map<(b, s, n, h, d) -> (h, d, n)>, affine_map<(b, s, n, h, d) -> (b, s, n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%q, %o : tensor<?x5x2x2xf32>, tensor<2x2x3xf32>) outs(%f1 : tensor<?x5x3xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %m = arith.mulf %a, %c : f32
    %s = arith.addf %out, %m : f32
    linalg.yield %s : f32
  } -> tensor<?x5x3xf32>
  return %y : tensor<?x5x3xf32>
}

// A single token without its dimensions of one: a product with a vector.
// CHECK-LABEL: func.func @vectors
// CHECK: %[[A:.*]] = quant_llm.linear %arg0, %{{.*}} name("vectors.0") : (tensor<3xf32>, tensor<2x3xf32>) -> tensor<2xf32>
// CHECK: quant_llm.linear %[[A]], %{{.*}} name("vectors.1") : (tensor<2xf32>, tensor<3x2xf32>) -> tensor<3xf32>
func.func @vectors(%x: tensor<3xf32>) -> tensor<3xf32> {
  %zero = arith.constant dense<0.0> : tensor<2xf32>
  %zero1 = arith.constant dense<0.0> : tensor<3xf32>
  %w = arith.constant dense<[[1., 2.], [-3., 4.], [5., -6.]]> : tensor<3x2xf32>
  %v = arith.constant dense<[[1., 0.5], [-3., 0.25], [5., -6.]]> : tensor<3x2xf32>
  %y = linalg.vecmat ins(%x, %w : tensor<3xf32>, tensor<3x2xf32>) outs(%zero : tensor<2xf32>) -> tensor<2xf32>
  %z = linalg.matvec ins(%v, %y : tensor<3x2xf32>, tensor<2xf32>) outs(%zero1 : tensor<3xf32>) -> tensor<3xf32>
  return %z : tensor<3xf32>
}

// Convolutions of size one.
// CHECK-LABEL: func.func @convolutions
// CHECK-COUNT-3: quant_llm.linear
// CHECK-NOT: linalg
// CHECK: return
func.func @convolutions(%x: tensor<2x5x4x3xf32>) -> tensor<2x20x3xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x5x4x2xf32>
  %zero1 = arith.constant dense<0.0> : tensor<2x20x3xf32>
  %w = arith.constant dense<[[[[1., 2.], [-3., 4.], [5., -6.]]]]> : tensor<1x1x3x2xf32>
  %v = arith.constant dense<[[[[1., 2.]]], [[[-3., 0.25]]]]> : tensor<2x1x1x2xf32>
  %u = arith.constant dense<[[[0.5, 2., 3.], [-3., 4., 1.]]]> : tensor<1x2x3xf32>
  %b = arith.constant dense<[0.5, -1.5]> : tensor<2xf32>
  %e = tensor.empty() : tensor<2x5x4x2xf32>
  %r = linalg.broadcast ins(%b : tensor<2xf32>) outs(%e : tensor<2x5x4x2xf32>) dimensions = [0, 1, 2]
  %p = linalg.conv_2d_nhwc_hwcf {dilations = dense<2> : tensor<2xi64>, strides = dense<1> : tensor<2xi64>} ins(%x, %w : tensor<2x5x4x3xf32>, tensor<1x1x3x2xf32>) outs(%r : tensor<2x5x4x2xf32>) -> tensor<2x5x4x2xf32>
  %q = linalg.conv_2d_nhwc_fhwc ins(%p, %v : tensor<2x5x4x2xf32>, tensor<2x1x1x2xf32>) outs(%zero : tensor<2x5x4x2xf32>) -> tensor<2x5x4x2xf32>
  %c = tensor.collapse_shape %q [[0], [1, 2], [3]] : tensor<2x5x4x2xf32> into tensor<2x20x2xf32>
  %y = linalg.conv_1d_nwc_wcf ins(%c, %u : tensor<2x20x2xf32>, tensor<1x2x3xf32>) outs(%zero1 : tensor<2x20x3xf32>) -> tensor<2x20x3xf32>
  return %y : tensor<2x20x3xf32>
}

// The weight under reshapes that put dimensions of one around it.
// CHECK-LABEL: func.func @reshaped_weight
// CHECK: quant_llm.parameter ""::"reshaped_weight.0.weight" : tensor<3x2xf32>
// CHECK: quant_llm.linear %arg0, %{{.*}} name("reshaped_weight.0") : (tensor<1x5x3xf32>, tensor<2x3xf32>) -> tensor<1x5x2xf32>
func.func @reshaped_weight(%x: tensor<1x5x3xf32>) -> tensor<1x5x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<1x5x2xf32>
  %w = arith.constant dense<[[[1., 2.], [-3., 4.], [5., -6.]]]> : tensor<1x3x2xf32>
  %c = tensor.collapse_shape %w [[0, 1, 2]] : tensor<1x3x2xf32> into tensor<6xf32>
  %d = tensor.expand_shape %c [[0, 1, 2, 3]] output_shape [1, 3, 1, 2] : tensor<6xf32> into tensor<1x3x1x2xf32>
  %v = tensor.collapse_shape %d [[0], [1], [2, 3]] : tensor<1x3x1x2xf32> into tensor<1x3x2xf32>
  %y = linalg.batch_matmul ins(%x, %v : tensor<1x5x3xf32>, tensor<1x3x2xf32>) outs(%zero : tensor<1x5x2xf32>) -> tensor<1x5x2xf32>
  return %y : tensor<1x5x2xf32>
}

// One weight in two types is one layer; read in two directions it is two.
// CHECK-LABEL: func.func @reused
// CHECK: %[[A:.*]] = quant_llm.linear %arg0, %[[W:.*]] name("reused.0") : (tensor<2x2xf16>, tensor<2x2xf16>) -> tensor<2x2xf16>
// CHECK: %[[B:.*]] = quant_llm.linear %{{.*}}, %[[W]] name("reused.0") : (tensor<2x2xf32>, tensor<2x2xf16>) -> tensor<2x2xf32>
// CHECK: quant_llm.linear %[[B]], %{{.*}} name("reused.1") : (tensor<2x2xf32>, tensor<2x2xf16>) -> tensor<2x2xf32>
func.func @reused(%x: tensor<2x2xf16>) -> tensor<2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x2xf32>
  %zeroh = arith.constant dense<0.0> : tensor<2x2xf16>
  %w = arith.constant dense<[[1., 2.], [-3., 4.]]> : tensor<2x2xf16>
  %a = linalg.matmul ins(%x, %w : tensor<2x2xf16>, tensor<2x2xf16>) outs(%zeroh : tensor<2x2xf16>) -> tensor<2x2xf16>
  %ax = arith.extf %a : tensor<2x2xf16> to tensor<2x2xf32>
  %an = arith.mulf %ax, %ax : tensor<2x2xf32>
  %wx = arith.extf %w : tensor<2x2xf16> to tensor<2x2xf32>
  %b = linalg.matmul ins(%an, %wx : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%b, %wx : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// A body that does more than multiply and add is no product, whatever
// upstream's interface says: the exponential would be lost.
// CHECK-LABEL: func.func @more_than_a_product
// CHECK-NOT: quant_llm.linear
// CHECK: math.exp
func.func @more_than_a_product(%x: tensor<5x3xf32>) -> tensor<5x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<5x2xf32>
  %w = arith.constant dense<[[1., 2.], [-3., 4.], [5., -6.]]> : tensor<3x2xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<5x3xf32>, tensor<3x2xf32>) outs(%zero : tensor<5x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %g = math.exp %a : f32
    %m = arith.mulf %g, %c : f32
    %s = arith.addf %out, %m : f32
    linalg.yield %s : f32
  } -> tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}

// A named op whose own maps repeat the weight, and transpose it.
// CHECK-LABEL: func.func @repeated_by_maps
// CHECK: quant_llm.linear %arg0, %{{.*}} name("repeated_by_maps.0") : (tensor<2x5x3xf32>, tensor<2x3xf32>) -> tensor<2x5x2xf32>
func.func @repeated_by_maps(%x: tensor<2x5x3xf32>) -> tensor<2x5x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x5x2xf32>
  %w = arith.constant dense<[[1., 2.], [-3., 4.], [5., -6.]]> : tensor<3x2xf32>
  %y = linalg.batch_matmul indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (k, n)>, affine_map<(b, m, n, k) -> (b, m, n)>]
    ins(%x, %w : tensor<2x5x3xf32>, tensor<3x2xf32>) outs(%zero : tensor<2x5x2xf32>) -> tensor<2x5x2xf32>
  return %y : tensor<2x5x2xf32>
}

// W*x: the layer reads x transposed, and its result is transposed back. A bias
// along the first dimension stays an addition.
// CHECK-LABEL: func.func @constant_left(
// CHECK-SAME: %[[X:.*]]: tensor<3x?xf32>
// CHECK: %[[T:.*]] = linalg.transpose ins(%[[X]] : tensor<3x?xf32>) outs({{.*}} : tensor<?x3xf32>) permutation = [1, 0]
// CHECK: %[[Y:.*]] = quant_llm.linear %{{.*}}, %{{.*}} name("constant_left.0") : (tensor<?x3xf32>, tensor<2x3xf32>) -> tensor<?x2xf32>
// CHECK: linalg.transpose ins(%[[Y]] : tensor<?x2xf32>) outs({{.*}}) permutation = [1, 0]
// CHECK: linalg.generic
func.func @constant_left(%x: tensor<3x?xf32>) -> tensor<2x?xf32> {
  %c1 = arith.constant 1 : index
  %m = tensor.dim %x, %c1 : tensor<3x?xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty(%m) : tensor<2x?xf32>
  %zero = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x?xf32>) -> tensor<2x?xf32>
  %w = arith.constant dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>
  %b = arith.constant dense<[0.5, -1.0]> : tensor<2xf32>
  %p = linalg.matmul ins(%w, %x : tensor<2x3xf32>, tensor<3x?xf32>) outs(%zero : tensor<2x?xf32>) -> tensor<2x?xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%p, %b : tensor<2x?xf32>, tensor<2xf32>) outs(%e : tensor<2x?xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %s = arith.addf %in, %bias : f32
    linalg.yield %s : f32
  } -> tensor<2x?xf32>
  return %y : tensor<2x?xf32>
}

// The same of f16, summed in f32.
// CHECK-LABEL: func.func @constant_left_f16(
// CHECK: quant_llm.linear {{.*}} -> tensor<4x2xf32>
func.func @constant_left_f16(%x: tensor<3x4xf16>) -> tensor<2x4xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x4xf32>
  %w = arith.constant dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf16>
  %y = linalg.matmul ins(%w, %x : tensor<2x3xf16>, tensor<3x4xf16>) outs(%zero : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// Convolutions of size one with the channels first.
// CHECK-LABEL: func.func @channels_first(
// CHECK: linalg.transpose ins(%{{.*}} : tensor<2x3x4x5xf32>) outs(%{{.*}} : tensor<2x4x5x3xf32>) permutation = [0, 2, 3, 1]
// CHECK: quant_llm.linear {{.*}} : (tensor<2x4x5x3xf32>, tensor<2x3xf32>) -> tensor<2x4x5x2xf32>
// CHECK: linalg.transpose {{.*}} permutation = [0, 3, 1, 2]
func.func @channels_first(%x: tensor<2x3x4x5xf32>) -> tensor<2x2x4x5xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x2x4x5xf32>
  %w = arith.constant dense<[[[[1.]], [[2.]], [[3.]]], [[[4.]], [[5.]], [[6.]]]]> : tensor<2x3x1x1xf32>
  %y = linalg.conv_2d_nchw_fchw ins(%x, %w : tensor<2x3x4x5xf32>, tensor<2x3x1x1xf32>) outs(%zero : tensor<2x2x4x5xf32>) -> tensor<2x2x4x5xf32>
  return %y : tensor<2x2x4x5xf32>
}
// CHECK-LABEL: func.func @channels_first_1d(
// CHECK: quant_llm.linear {{.*}} : (tensor<2x4x3xf32>, tensor<2x3xf32>) -> tensor<2x4x2xf32>
func.func @channels_first_1d(%x: tensor<2x3x4xf32>) -> tensor<2x2x4xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x2x4xf32>
  %w = arith.constant dense<[[[1.], [2.], [3.]], [[4.], [5.], [6.]]]> : tensor<2x3x1xf32>
  %y = linalg.conv_1d_ncw_fcw ins(%x, %w : tensor<2x3x4xf32>, tensor<2x3x1xf32>) outs(%zero : tensor<2x2x4xf32>) -> tensor<2x2x4xf32>
  return %y : tensor<2x2x4xf32>
}

// Rows of x in another order in the result; two input channels apart from each
// other.
// CHECK-LABEL: func.func @other_order(
// CHECK: linalg.transpose {{.*}} permutation = [1, 2, 0, 3]
// CHECK: quant_llm.linear {{.*}} : (tensor<5x4x6xf32>, tensor<2x6xf32>) -> tensor<5x4x2xf32>
// CHECK: linalg.transpose {{.*}} permutation = [1, 2, 0]
func.func @other_order(%x: tensor<2x5x4x3xf32>) -> tensor<4x2x5xf32> {
  %zero = arith.constant dense<0.0> : tensor<4x2x5xf32>
  %w = arith.constant dense<[[[1., 2., 3.], [4., 5., 6.]], [[7., 8., 9.], [1., 0., 2.]]]> : tensor<2x2x3xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(a, b, n, k, l) -> (k, a, b, l)>, affine_map<(a, b, n, k, l) -> (n, k, l)>, affine_map<(a, b, n, k, l) -> (b, n, a)>],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w : tensor<2x5x4x3xf32>, tensor<2x2x3xf32>) outs(%zero : tensor<4x2x5xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %out, %p : f32
    linalg.yield %s : f32
  } -> tensor<4x2x5xf32>
  return %y : tensor<4x2x5xf32>
}

// One element added to all channels is no bias of the layer.
// CHECK-LABEL: func.func @bias_of_one(
// CHECK: %[[Y:.*]] = quant_llm.linear %arg0, %{{[^ ]*}} name("bias_of_one.0")
// CHECK: linalg.generic {{.*}} ins(%[[Y]], %{{.*}} : tensor<3x2xf32>, tensor<1xf32>)
func.func @bias_of_one(%x: tensor<3x4xf32>) -> tensor<3x2xf32> {
  %zero = arith.constant 0.0 : f32
  %w = arith.constant dense<[[1., 2.], [3., 4.], [5., 6.], [7., 8.]]> : tensor<4x2xf32>
  %b = arith.constant dense<0.5> : tensor<1xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %p = linalg.matmul ins(%x, %w : tensor<3x4xf32>, tensor<4x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = linalg.generic {indexing_maps = [#id2, affine_map<(d0, d1) -> (0)>, #id2], iterator_types = ["parallel", "parallel"]} ins(%p, %b : tensor<3x2xf32>, tensor<1xf32>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}
