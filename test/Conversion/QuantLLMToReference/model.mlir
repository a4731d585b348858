// RUN: qk-opt %s --quant-llm-to-reference | FileCheck %s --check-prefixes=CHECK,PLAIN
// RUN: qk-opt %s --quant-llm-to-reference=plain=false | FileCheck %s --check-prefixes=CHECK,FAST
// The linalg form of what a float model is made of.

// PLAIN: module attributes {quant_llm.plain_arithmetic}
// FAST-NOT: quant_llm.plain_arithmetic

// A bias is added and the sum rounded once, after the contraction.
// CHECK-LABEL: func.func @linear_f16(
// CHECK-SAME: %[[X:.*]]: tensor<2x?x8xf16>, %[[W:.*]]: tensor<4x8xf16>, %[[B:.*]]: tensor<4xf16>
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0, 1], [2]]
// CHECK: %[[XF:.*]] = linalg.generic {{.*}} ins(%[[FLAT]] : tensor<?x8xf16>)
// CHECK: %[[WF:.*]] = linalg.generic {{.*}} ins(%[[W]] : tensor<4x8xf16>)
// CHECK: %[[SUM:.*]] = linalg.matmul
// CHECK-SAME: ins(%[[XF]], %[[WF]] : tensor<?x8xf32>, tensor<4x8xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[SUM]], %[[B]] : tensor<?x4xf32>, tensor<4xf16>)
// CHECK: arith.addf
// CHECK: arith.truncf
// CHECK: tensor.expand_shape
// CHECK-SAME: tensor<?x4xf16> into tensor<2x?x4xf16>
func.func @linear_f16(%x: tensor<2x?x8xf16>, %w: tensor<4x8xf16>, %b: tensor<4xf16>) -> tensor<2x?x4xf16> {
  %y = quant_llm.linear %x, %w bias(%b) name("fc") : (tensor<2x?x8xf16>, tensor<4x8xf16>, tensor<4xf16>) -> tensor<2x?x4xf16>
  return %y : tensor<2x?x4xf16>
}

// A two-dimensional f32 linear is one matmul.
// CHECK-LABEL: func.func @linear_f32(
// CHECK-NOT: linalg.generic
// CHECK: linalg.matmul
// CHECK-NEXT: return
func.func @linear_f32(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>) -> tensor<?x4xf32> {
  %y = quant_llm.linear %x, %w name("fc") : (tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// A weight stored as [K,N] is not copied (here it is square, where the wrong
// one would go unnoticed).
// CHECK-LABEL: func.func @linear_transposed(
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32>, %[[W:.*]]: tensor<4x4xf32>
// CHECK: linalg.matmul ins(%[[X]], %[[W]] : tensor<?x4xf32>, tensor<4x4xf32>)
// CHECK-NOT: indexing_maps
func.func @linear_transposed(%x: tensor<?x4xf32>, %w: tensor<4x4xf32>) -> tensor<?x4xf32> {
  %t = quant_llm.transpose %w : tensor<4x4xf32>
  %y = quant_llm.linear %x, %t name("fc") : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// CHECK-LABEL: func.func @transpose(
// CHECK: linalg.transpose
// CHECK-SAME: permutation = [1, 0]
func.func @transpose(%w: tensor<8x4xf32>) -> tensor<4x8xf32> {
  %0 = quant_llm.transpose %w : tensor<8x4xf32>
  return %0 : tensor<4x8xf32>
}

// Other parameters stay; those of sub-byte elements become their bytes.
// CHECK-LABEL: func.func @parameter() -> (tensor<4x8xf32>, tensor<2x3xi8>)
// CHECK: quant_llm.parameter "model"::"fc.weight" : tensor<4x8xf32>
// CHECK: %[[BYTES:.*]] = quant_llm.parameter ""::"fc.codes" : tensor<2x2xi8> = dense<17> : tensor<2x2xi8>
// CHECK: tensor.extract %[[BYTES]]
func.func @parameter() -> (tensor<4x8xf32>, tensor<2x3xi4>) {
  %w = quant_llm.parameter "model"::"fc.weight" : tensor<4x8xf32>
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x3xi4> = dense<17> : tensor<2x2xi8>
  return %w, %c : tensor<4x8xf32>, tensor<2x3xi4>
}

// Codes become bytes across calls and control flow.
// CHECK-LABEL: func.func @callee(%{{.*}}: tensor<2x3xi8>, %{{.*}}: i1) -> tensor<2x3xi8>
// CHECK: arith.constant dense<{{\[\[}}1, 2, 15], [0, 7, 8]]> : tensor<2x3xi8>
// CHECK: scf.if {{.*}} -> (tensor<2x3xi8>)
func.func @callee(%c: tensor<2x3xi4>, %b: i1) -> tensor<2x3xi4> {
  %0 = arith.constant dense<[[1, 2, -1], [0, 7, -8]]> : tensor<2x3xi4>
  %1 = scf.if %b -> tensor<2x3xi4> {
    scf.yield %0 : tensor<2x3xi4>
  } else {
    scf.yield %c : tensor<2x3xi4>
  }
  return %1 : tensor<2x3xi4>
}
// CHECK-LABEL: func.func @caller
// CHECK: call @callee(%{{.*}}, %{{.*}}) : (tensor<2x3xi8>, i1) -> tensor<2x3xi8>
func.func @caller(%c: tensor<2x3xi4>, %b: i1) -> tensor<2x3xi4> {
  %0 = call @callee(%c, %b) : (tensor<2x3xi4>, i1) -> tensor<2x3xi4>
  return %0 : tensor<2x3xi4>
}

// What calibration and kernels need stays.
// CHECK-LABEL: func.func @kept(
// CHECK: quant_llm.observe
func.func @kept(%x: tensor<1x?x8xf32>) {
  quant_llm.observe %x of "fc" : tensor<1x?x8xf32>
  return
}
