// RUN: qk-opt %s -split-input-file --quant-llm-to-linalg | FileCheck %s
// RUN: rm -rf %t && mkdir %t
// RUN: qk-opt %s -split-input-file --quant-llm-to-linalg="parameters=named output-weights=%t/new.safetensors" --allow-unregistered-dialect | FileCheck %s --check-prefix=NAMED

// The form that IREE looks for: extui, uitofp, subf, mulf on (n, g, k), zero
// points and scales as f32; then the contraction with two reductions.
// CHECK-DAG: #[[NGK:.*]] = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
// CHECK-DAG: #[[NG:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-DAG: #[[X:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2, d3) -> (d1, d2, d3)>
// CHECK-DAG: #[[Y:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d1)>
// CHECK-LABEL: func.func @groups
// CHECK-DAG: %[[C:.*]] = arith.constant dense_resource<fc.codes> : tensor<2x2x4xi8>
// CHECK-DAG: %[[S:.*]] = arith.constant dense<{{.*}}> : tensor<2x2xf16>
// CHECK-DAG: %[[Z:.*]] = arith.constant dense<{{.*}}> : tensor<2x2xi8>
// CHECK: %[[XG:.*]] = tensor.expand_shape %{{.*}} {{\[\[}}0], [1, 2]] {{.*}} : tensor<?x8xf32> into tensor<?x2x4xf32>
// CHECK: %[[SF:.*]] = linalg.generic {{.*}} ins(%[[S]] : tensor<2x2xf16>)
// CHECK: %[[ZF:.*]] = linalg.generic {{.*}} ins(%[[Z]] : tensor<2x2xi8>)
// CHECK: %[[D:.*]] = linalg.generic {indexing_maps = [#[[NGK]], #[[NG]], #[[NG]], #[[NGK]]], iterator_types = ["parallel", "parallel", "parallel"]} ins(%[[C]], %[[SF]], %[[ZF]]
// CHECK-NEXT: ^bb0(%[[CODE:.*]]: i8, %[[SCALE:.*]]: f32, %[[ZERO:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[I:.*]] = arith.extui %[[CODE]] : i8 to i32
// CHECK-NEXT: %[[F:.*]] = arith.uitofp %[[I]] : i32 to f32
// CHECK-NEXT: %[[B:.*]] = arith.subf %[[F]], %[[ZERO]]
// CHECK-NEXT: %[[R:.*]] = arith.mulf %[[B]], %[[SCALE]]
// CHECK-NEXT: linalg.yield %[[R]]
// CHECK: linalg.generic {indexing_maps = [#[[X]], #[[W]], #[[Y]]], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%[[XG]], %[[D]]
// CHECK-NOT: quant_llm
// Codes that are no tensor of a file are written to a new one; four bits stay
// four bits.
// NAMED: "util.global"() <{initial_value = #flow.parameter.named<"exported"::"fc.codes"> : tensor<2x2x4xi4>, sym_name = "fc.codes", sym_visibility = "private", type = tensor<2x2x4xi4>}>
// NAMED: func.func @groups
// NAMED: "util.global.load"() <{global = @fc.codes}> : () -> tensor<2x2x4xi4>
func.func @groups(%x: tensor<?x8xf32>) -> tensor<?x2xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x8xi4> = dense<0x21> : tensor<2x4xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x2xf16> = dense<[[0.5, 1.0], [2.0, 0.25]]> : tensor<2x2xf16>
  %z = quant_llm.parameter ""::"fc.zero_points" : tensor<2x2xi8> = dense<[[1, 2], [3, 4]]> : tensor<2x2xi8>
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x8xf32>, tensor<2x8xi4>, tensor<2x2xf16>, tensor<2x2xi8>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// Groups that don't divide K: codes and x are padded; bias; f16 is accumulated
// in f32; no zero points: the default is a constant.
// CHECK-LABEL: func.func @tail
// CHECK-DAG: arith.constant dense_resource<fc.codes{{.*}}> : tensor<2x2x4xi8>
// CHECK: tensor.pad %{{.*}} low[0, 0] high[0, 2]
// CHECK: arith.subf %{{.*}}, %{{.*}} : f32
// CHECK: arith.truncf
// CHECK-NOT: quant_llm
// CHECK: resource
// CHECK: fc.codes{{.*}}: "0x{{........}}00010203040200000001020304020000"
func.func @tail(%x: tensor<3x6xf16>) -> tensor<3x2xf16> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x6xi3> = dense<[[0x88, 0x46, 0x01], [0x88, 0x46, 0x01]]> : tensor<2x3xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x2xf16> = dense<0.5> : tensor<2x2xf16>
  %b = quant_llm.parameter ""::"fc.bias" : tensor<2xf16> = dense<[1.0, 2.0]> : tensor<2xf16>
  %y = quant_llm.matmul %x, %c, %s bias(%b) scheme(<u3, group = 4, scale = f16>) name("fc") : (tensor<3x6xf16>, tensor<2x6xi3>, tensor<2x2xf16>, tensor<2xf16>) -> tensor<3x2xf16>
  return %y : tensor<3x2xf16>
}

// -----

// Signed codes have no zero point; the whole row is one group.
// CHECK-LABEL: func.func @signed
// CHECK: arith.extsi
// CHECK-NEXT: arith.sitofp
// CHECK-NEXT: arith.mulf
func.func @signed(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x4xi8> = dense<-3> : tensor<2x4xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x1xf32> = dense<0.5> : tensor<2x1xf32>
  %y = quant_llm.matmul %x, %c, %s scheme(<s8, group = -1, scale = f32>) name("fc") : (tensor<1x4xf32>, tensor<2x4xi8>, tensor<2x1xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// A quantised input is multiplied as integers, in i32 where the sums fit: codes
// of the weight less their zero points, in 8 bits where they fit.
// CHECK-LABEL: func.func @integers
// CHECK-DAG: arith.constant dense_resource<fc.centred> : tensor<2x1x4xi8>
// CHECK: arith.extsi %{{.*}} : i8 to i32
// CHECK: arith.extsi %{{.*}} : i8 to i32
// CHECK: arith.muli
// CHECK: arith.sitofp
// NAMED-LABEL: func.func @integers
// NAMED: tensor<2x1x4xi8>
func.func @integers(%x: tensor<1x4xi8>, %sx: tensor<1x1xf32>) -> tensor<1x2xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x4xi8> = dense<-3> : tensor<2x4xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x1xf32> = dense<0.5> : tensor<2x1xf32>
  %y = quant_llm.matmul %x, %c, %s x_scales(%sx) scheme(<s8, group = -1, scale = f32>) x_scheme(<8, per_token>) name("fc") : (tensor<1x4xi8>, tensor<2x4xi8>, tensor<2x1xf32>, tensor<1x1xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// Codes of 8 bits less zero points have 9: they go in 16.
// CHECK-LABEL: func.func @wide
// CHECK-DAG: arith.constant dense_resource<fc.centred{{.*}}> : tensor<2x1x4xi16>
// CHECK: arith.extsi %{{.*}} : i16 to i32
func.func @wide(%x: tensor<1x4xi8>, %sx: tensor<1x1xf32>) -> tensor<1x2xf32> {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x4xi8> = dense<-3> : tensor<2x4xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x1xf32> = dense<0.5> : tensor<2x1xf32>
  %z = quant_llm.parameter ""::"fc.zero_points" : tensor<2x1xi16> = dense<[[3], [200]]> : tensor<2x1xi16>
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) x_scales(%sx) scheme(<u8, group = -1, scale = f32>) x_scheme(<8, per_token>) name("fc") : (tensor<1x4xi8>, tensor<2x4xi8>, tensor<2x1xf32>, tensor<2x1xi16>, tensor<1x1xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

// Two layers on the same codes: one tensor; less zero points of their own, two.
// CHECK-LABEL: func.func @shared
// CHECK-DAG: dense_resource<a.codes{{.*}}> : tensor<2x1x4xi8>
// CHECK-DAG: dense_resource<a.centred> : tensor<2x1x4xi8>
// CHECK-DAG: dense_resource<b.centred> : tensor<2x1x4xi8>
// CHECK: return
// CHECK-NOT: b.codes
// CHECK-DAG: a.centred: "0x{{........}}0202020202020202"
// CHECK-DAG: b.centred: "0x{{........}}0101010101010101"
func.func @shared(%x: tensor<1x4xi8>, %sx: tensor<1x1xf32>, %f: tensor<1x4xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>) {
  %c = quant_llm.parameter ""::"fc.codes" : tensor<2x4xi4> = dense<0x33> : tensor<2x2xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<2x1xf32> = dense<0.5> : tensor<2x1xf32>
  %z1 = quant_llm.parameter ""::"fc.one" : tensor<2x1xi8> = dense<1> : tensor<2x1xi8>
  %z2 = quant_llm.parameter ""::"fc.two" : tensor<2x1xi8> = dense<2> : tensor<2x1xi8>
  %y = quant_llm.matmul %x, %c, %s zero_points(%z1) x_scales(%sx) scheme(<u4, group = -1, scale = f32>) x_scheme(<8, per_token>) name("a") : (tensor<1x4xi8>, tensor<2x4xi4>, tensor<2x1xf32>, tensor<2x1xi8>, tensor<1x1xf32>) -> tensor<1x2xf32>
  %u = quant_llm.matmul %x, %c, %s zero_points(%z2) x_scales(%sx) scheme(<u4, group = -1, scale = f32>) x_scheme(<8, per_token>) name("b") : (tensor<1x4xi8>, tensor<2x4xi4>, tensor<2x1xf32>, tensor<2x1xi8>, tensor<1x1xf32>) -> tensor<1x2xf32>
  %v = quant_llm.matmul %f, %c, %s zero_points(%z1) scheme(<u4, group = -1, scale = f32>) name("a") : (tensor<1x4xf32>, tensor<2x4xi4>, tensor<2x1xf32>, tensor<2x1xi8>) -> tensor<1x2xf32>
  %w = quant_llm.matmul %f, %c, %s zero_points(%z2) scheme(<u4, group = -1, scale = f32>) name("b") : (tensor<1x4xf32>, tensor<2x4xi4>, tensor<2x1xf32>, tensor<2x1xi8>) -> tensor<1x2xf32>
  return %y, %u, %v, %w : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>
}
