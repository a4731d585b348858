// RUN: qk-opt --allow-unregistered-dialect --quant-llm-raise-linear --split-input-file %s | FileCheck %s
// torch ops in generic form: neither the ops nor `!torch.vtensor` are known to
// this tool. Layers work on builtin tensors between torch's own casts.

// addmm as torch.export decomposes it; a weight stored [N,K]; a dynamic size.
// CHECK-LABEL: func.func @decomposed
// CHECK-SAME: (%[[A:.*]]: !torch.vtensor<[?,3],f32>)
// CHECK: %[[X:.*]] = "torch_c.to_builtin_tensor"(%[[A]]) : (!torch.vtensor<[?,3],f32>) -> tensor<?x3xf32>
// CHECK-NOT: torch.vtensor.literal
// CHECK: %[[Y:.*]] = quant_llm.linear %[[X]], %{{.*}} bias(%{{.*}}) name("decomposed.0") : (tensor<?x3xf32>, tensor<2x3xf32>, tensor<2xf32>) -> tensor<?x2xf32>
// CHECK-NEXT: %[[R:.*]] = "torch_c.from_builtin_tensor"(%[[Y]]) : (tensor<?x2xf32>) -> !torch.vtensor<[?,2],f32>
// CHECK-NEXT: return %[[R]]
func.func @decomposed(%x: !torch.vtensor<[?,3],f32>) -> !torch.vtensor<[?,2],f32> {
  %int0 = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
  %size = "torch.aten.size.int"(%x, %int0) : (!torch.vtensor<[?,3],f32>, !torch.int) -> !torch.int
  %w = "torch.vtensor.literal"() <{value = dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>}> : () -> !torch.vtensor<[2,3],f32>
  %int1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %perm = "torch.prim.ListConstruct"(%int1, %int0) : (!torch.int, !torch.int) -> !torch.list<int>
  %t = "torch.aten.permute"(%w, %perm) : (!torch.vtensor<[2,3],f32>, !torch.list<int>) -> !torch.vtensor<[3,2],f32>
  %p = "torch.aten.mm"(%x, %t) : (!torch.vtensor<[?,3],f32>, !torch.vtensor<[3,2],f32>) -> !torch.vtensor<[?,2],f32>
  %ap = "torch.aten.mul.Scalar"(%p, %int1) : (!torch.vtensor<[?,2],f32>, !torch.int) -> !torch.vtensor<[?,2],f32>
  %b = "torch.vtensor.literal"() <{value = dense<[1., 2.]> : tensor<2xf32>}> : () -> !torch.vtensor<[2],f32>
  %int2 = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %shape = "torch.prim.ListConstruct"(%size, %int2) : (!torch.int, !torch.int) -> !torch.list<int>
  %false = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %bb = "torch.aten.expand"(%b, %shape, %false) : (!torch.vtensor<[2],f32>, !torch.list<int>, !torch.bool) -> !torch.vtensor<[?,2],f32>
  %ab = "torch.aten.mul.Scalar"(%bb, %int1) : (!torch.vtensor<[?,2],f32>, !torch.int) -> !torch.vtensor<[?,2],f32>
  %y = "torch.aten.add.Tensor"(%ap, %ab, %int1) : (!torch.vtensor<[?,2],f32>, !torch.vtensor<[?,2],f32>, !torch.int) -> !torch.vtensor<[?,2],f32>
  return %y : !torch.vtensor<[?,2],f32>
}

// -----

// Every op that is a linear layer, one after the other: no casts between.
// CHECK-LABEL: func.func @ops
// CHECK: %[[X:.*]] = "torch_c.to_builtin_tensor"
// GPT-2's Conv1D: addmm with a weight stored [K,N].
// CHECK: %[[T:.*]] = quant_llm.transpose
// CHECK: %[[A:.*]] = quant_llm.linear %[[X]], %[[T]] bias(%{{.*}}) name("ops.0")
// CHECK-NEXT: %[[B:.*]] = quant_llm.linear %[[A]], %{{.*}} bias(%{{.*}}) name("ops.1")
// CHECK-NEXT: %[[C:.*]] = quant_llm.linear %[[B]], %{{[^ ]*}} name("ops.1")
// CHECK-NEXT: %[[D:.*]] = quant_llm.linear %[[C]], %{{[^ ]*}} name("ops.1")
// CHECK-NEXT: %[[E:.*]] = quant_llm.linear %[[D]], %{{[^ ]*}} name("ops.1")
// CHECK-NEXT: %[[Y:.*]] = "torch_c.from_builtin_tensor"(%[[E]])
// CHECK-NEXT: return %[[Y]]
func.func @ops(%x: !torch.vtensor<[5,3],bf16>) -> !torch.vtensor<[5,3],bf16> {
  %w0 = "torch.vtensor.literal"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xbf16>}> : () -> !torch.vtensor<[3,3],bf16>
  %b = "torch.vtensor.literal"() <{value = dense<[1., 2., 3.]> : tensor<3xbf16>}> : () -> !torch.vtensor<[3],bf16>
  %one = "torch.constant.float"() <{value = 1.0 : f64}> : () -> !torch.float
  %int1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %a = "torch.aten.addmm"(%b, %x, %w0, %int1, %one) : (!torch.vtensor<[3],bf16>, !torch.vtensor<[5,3],bf16>, !torch.vtensor<[3,3],bf16>, !torch.int, !torch.float) -> !torch.vtensor<[5,3],bf16>
  %w = "torch.vtensor.literal"() <{value = dense<[[2., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xbf16>}> : () -> !torch.vtensor<[3,3],bf16>
  %l = "torch.aten.linear"(%a, %w, %b) : (!torch.vtensor<[5,3],bf16>, !torch.vtensor<[3,3],bf16>, !torch.vtensor<[3],bf16>) -> !torch.vtensor<[5,3],bf16>
  %none = "torch.constant.none"() : () -> !torch.none
  %n = "torch.aten.linear"(%l, %w, %none) : (!torch.vtensor<[5,3],bf16>, !torch.vtensor<[3,3],bf16>, !torch.none) -> !torch.vtensor<[5,3],bf16>
  %t = "torch.aten.t"(%w) : (!torch.vtensor<[3,3],bf16>) -> !torch.vtensor<[3,3],bf16>
  %m = "torch.aten.matmul"(%n, %t) : (!torch.vtensor<[5,3],bf16>, !torch.vtensor<[3,3],bf16>) -> !torch.vtensor<[5,3],bf16>
  %minus1 = "torch.constant.int"() <{value = -1 : i64}> : () -> !torch.int
  %minus2 = "torch.constant.int"() <{value = -2 : i64}> : () -> !torch.int
  %t2 = "torch.aten.transpose.int"(%w, %minus2, %minus1) : (!torch.vtensor<[3,3],bf16>, !torch.int, !torch.int) -> !torch.vtensor<[3,3],bf16>
  %y = "torch.aten.mm"(%m, %t2) : (!torch.vtensor<[5,3],bf16>, !torch.vtensor<[3,3],bf16>) -> !torch.vtensor<[5,3],bf16>
  return %y : !torch.vtensor<[5,3],bf16>
}

// -----

// A bias that is added after the product is reshaped; layers that read one
// tensor do so through one cast.
// CHECK-LABEL: func.func @reshaped
// CHECK: %[[X:.*]] = "torch_c.to_builtin_tensor"
// CHECK: %[[A:.*]] = quant_llm.linear %[[X]], %{{.*}} bias(%{{.*}}) name("reshaped.0") : (tensor<10x3xf32>, tensor<2x3xf32>, tensor<2xf32>) -> tensor<10x2xf32>
// CHECK: %[[C:.*]] = "torch_c.from_builtin_tensor"(%[[A]])
// CHECK: %[[Y:.*]] = "torch.aten.view"(%[[C]], %{{.*}}) : (!torch.vtensor<[10,2],f32>, !torch.list<int>) -> !torch.vtensor<[2,5,2],f32>
// CHECK-NOT: to_builtin_tensor
// CHECK: %[[Z:.*]] = quant_llm.linear %[[X]], %{{[^ ]*}} name("reshaped.1")
// CHECK: return %[[Y]]
func.func @reshaped(%x: !torch.vtensor<[10,3],f32>) -> (!torch.vtensor<[2,5,2],f32>, !torch.vtensor<[10,2],f32>) {
  %w = "torch.vtensor.literal"() <{value = dense<[[1., 2.], [3., 4.], [5., 6.]]> : tensor<3x2xf32>}> : () -> !torch.vtensor<[3,2],f32>
  %p = "torch.aten.mm"(%x, %w) : (!torch.vtensor<[10,3],f32>, !torch.vtensor<[3,2],f32>) -> !torch.vtensor<[10,2],f32>
  %int2 = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %int5 = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %shape = "torch.prim.ListConstruct"(%int2, %int5, %int2) : (!torch.int, !torch.int, !torch.int) -> !torch.list<int>
  %v = "torch.aten.view"(%p, %shape) : (!torch.vtensor<[10,2],f32>, !torch.list<int>) -> !torch.vtensor<[2,5,2],f32>
  %b = "torch.vtensor.literal"() <{value = dense<[1., 2.]> : tensor<2xf32>}> : () -> !torch.vtensor<[2],f32>
  %int1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %y = "torch.aten.add.Tensor"(%v, %b, %int1) : (!torch.vtensor<[2,5,2],f32>, !torch.vtensor<[2],f32>, !torch.int) -> !torch.vtensor<[2,5,2],f32>
  %w1 = "torch.vtensor.literal"() <{value = dense<[[2., 2.], [3., 4.], [5., 6.]]> : tensor<3x2xf32>}> : () -> !torch.vtensor<[3,2],f32>
  %z = "torch.aten.mm"(%x, %w1) : (!torch.vtensor<[10,3],f32>, !torch.vtensor<[3,2],f32>) -> !torch.vtensor<[10,2],f32>
  return %y, %z : !torch.vtensor<[2,5,2],f32>, !torch.vtensor<[10,2],f32>
}

// -----

// Three dimensions: matmul, a weight repeated for bmm, einsum with and without
// an ellipsis.
// CHECK-LABEL: func.func @three_dimensions
// CHECK-COUNT-4: quant_llm.linear %{{.*}} : (tensor<2x5x3xf16>, tensor<3x3xf16>) -> tensor<2x5x3xf16>
// CHECK-NOT: torch.aten
func.func @three_dimensions(%x: !torch.vtensor<[2,5,3],f16>) -> !torch.vtensor<[2,5,3],f16> {
  %w = "torch.vtensor.literal"() <{value = dense<[[2., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf16>}> : () -> !torch.vtensor<[3,3],f16>
  %a = "torch.aten.matmul"(%x, %w) : (!torch.vtensor<[2,5,3],f16>, !torch.vtensor<[3,3],f16>) -> !torch.vtensor<[2,5,3],f16>
  %int2 = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %int3 = "torch.constant.int"() <{value = 3 : i64}> : () -> !torch.int
  %shape = "torch.prim.ListConstruct"(%int2, %int3, %int3) : (!torch.int, !torch.int, !torch.int) -> !torch.list<int>
  %false = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %r = "torch.aten.expand"(%w, %shape, %false) : (!torch.vtensor<[3,3],f16>, !torch.list<int>, !torch.bool) -> !torch.vtensor<[2,3,3],f16>
  %b = "torch.aten.bmm"(%a, %r) : (!torch.vtensor<[2,5,3],f16>, !torch.vtensor<[2,3,3],f16>) -> !torch.vtensor<[2,5,3],f16>
  %none = "torch.constant.none"() : () -> !torch.none
  %e0 = "torch.constant.str"() <{value = "bsk, nk -> bsn"}> : () -> !torch.str
  %l0 = "torch.prim.ListConstruct"(%b, %w) : (!torch.vtensor<[2,5,3],f16>, !torch.vtensor<[3,3],f16>) -> !torch.list<vtensor>
  %c = "torch.aten.einsum"(%e0, %l0, %none) : (!torch.str, !torch.list<vtensor>, !torch.none) -> !torch.vtensor<[2,5,3],f16>
  %e1 = "torch.constant.str"() <{value = "...k,kn->...n"}> : () -> !torch.str
  %l1 = "torch.prim.ListConstruct"(%c, %w) : (!torch.vtensor<[2,5,3],f16>, !torch.vtensor<[3,3],f16>) -> !torch.list<vtensor>
  %d = "torch.aten.einsum"(%e1, %l1, %none) : (!torch.str, !torch.list<vtensor>, !torch.none) -> !torch.vtensor<[2,5,3],f16>
  return %d : !torch.vtensor<[2,5,3],f16>
}

// -----

// einsum('btd,dhk->bhtk') and einsum('bhtk,hkd->btd') of any number of tokens:
// the layer's result and input are permuted, as builtin tensors.
// CHECK-LABEL: func.func @heads_first
// CHECK: %[[X:.*]] = "torch_c.to_builtin_tensor"(%{{.*}}) : (!torch.vtensor<[2,?,3],f32>) -> tensor<2x?x3xf32>
// CHECK: %[[Q:.*]] = quant_llm.linear %[[X]], %{{.*}} name("heads_first.0") : (tensor<2x?x3xf32>, tensor<8x3xf32>) -> tensor<2x?x8xf32>
// CHECK: %[[T:.*]] = tensor.dim %[[Q]]
// CHECK: %[[H:.*]] = tensor.expand_shape %[[Q]] {{\[\[}}0], [1], [2, 3]] output_shape [2, %[[T]], 4, 2] : tensor<2x?x8xf32> into tensor<2x?x4x2xf32>
// CHECK: %[[P:.*]] = linalg.transpose ins(%[[H]] : tensor<2x?x4x2xf32>) outs(%{{.*}} : tensor<2x4x?x2xf32>) permutation = [0, 2, 1, 3]
// CHECK: "torch.aten.relu"
// CHECK: %[[S:.*]] = "torch_c.to_builtin_tensor"
// CHECK: %[[U:.*]] = linalg.transpose ins(%[[S]] : tensor<2x4x?x2xf32>) outs(%{{.*}} : tensor<2x?x4x2xf32>) permutation = [0, 2, 1, 3]
// CHECK: %[[R:.*]] = tensor.collapse_shape %[[U]] {{\[\[}}0], [1], [2, 3]] : tensor<2x?x4x2xf32> into tensor<2x?x8xf32>
// CHECK: %[[Y:.*]] = quant_llm.linear %[[R]], %{{.*}} name("heads_first.1") : (tensor<2x?x8xf32>, tensor<3x8xf32>) -> tensor<2x?x3xf32>
// CHECK-NOT: torch.aten.einsum
func.func @heads_first(%x: !torch.vtensor<[2,?,3],f32>) -> !torch.vtensor<[2,?,3],f32> {
  %w = "torch.vtensor.literal"() <{value = dense<[[[1., 2.], [3., 4.], [5., 6.], [7., 8.]], [[1., 2.], [3., 4.], [5., 6.], [7., 8.]], [[1., 2.], [3., 4.], [5., 6.], [7., 9.]]]> : tensor<3x4x2xf32>}> : () -> !torch.vtensor<[3,4,2],f32>
  %o = "torch.vtensor.literal"() <{value = dense<[[[1., 2., 3.], [4., 5., 6.]], [[1., 2., 3.], [4., 5., 6.]], [[1., 2., 3.], [4., 5., 6.]], [[1., 2., 3.], [4., 5., 7.]]]> : tensor<4x2x3xf32>}> : () -> !torch.vtensor<[4,2,3],f32>
  %none = "torch.constant.none"() : () -> !torch.none
  %e0 = "torch.constant.str"() <{value = "btd,dhk->bhtk"}> : () -> !torch.str
  %l0 = "torch.prim.ListConstruct"(%x, %w) : (!torch.vtensor<[2,?,3],f32>, !torch.vtensor<[3,4,2],f32>) -> !torch.list<vtensor>
  %p = "torch.aten.einsum"(%e0, %l0, %none) : (!torch.str, !torch.list<vtensor>, !torch.none) -> !torch.vtensor<[2,4,?,2],f32>
  %s = "torch.aten.relu"(%p) : (!torch.vtensor<[2,4,?,2],f32>) -> !torch.vtensor<[2,4,?,2],f32>
  %e1 = "torch.constant.str"() <{value = "bhtk,hkd->btd"}> : () -> !torch.str
  %l1 = "torch.prim.ListConstruct"(%s, %o) : (!torch.vtensor<[2,4,?,2],f32>, !torch.vtensor<[4,2,3],f32>) -> !torch.list<vtensor>
  %y = "torch.aten.einsum"(%e1, %l1, %none) : (!torch.str, !torch.list<vtensor>, !torch.none) -> !torch.vtensor<[2,?,3],f32>
  return %y : !torch.vtensor<[2,?,3],f32>
}

// -----

// What is added or multiplied may repeat the product: no part of the layer.
// CHECK-LABEL: func.func @repeats
// CHECK: quant_llm.linear %{{.*}}, %{{[^ ]*}} name("repeats.0")
// CHECK: torch.aten.mul.Tensor
// CHECK: torch.aten.add.Tensor
func.func @repeats(%x: !torch.vtensor<[?,3],f32>) -> !torch.vtensor<[?,2],f32> {
  %w = "torch.vtensor.literal"() <{value = dense<[[1., 2.], [3., 4.], [5., 6.]]> : tensor<3x2xf32>}> : () -> !torch.vtensor<[3,2],f32>
  %p = "torch.aten.mm"(%x, %w) : (!torch.vtensor<[?,3],f32>, !torch.vtensor<[3,2],f32>) -> !torch.vtensor<[?,2],f32>
  %ones = "torch.vtensor.literal"() <{value = dense<1.0> : tensor<5x2xf32>}> : () -> !torch.vtensor<[5,2],f32>
  %m = "torch.aten.mul.Tensor"(%p, %ones) : (!torch.vtensor<[?,2],f32>, !torch.vtensor<[5,2],f32>) -> !torch.vtensor<[?,2],f32>
  %b = "torch.vtensor.literal"() <{value = dense<[1., 2.]> : tensor<2xf32>}> : () -> !torch.vtensor<[2],f32>
  %int1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %y = "torch.aten.add.Tensor"(%m, %b, %int1) : (!torch.vtensor<[?,2],f32>, !torch.vtensor<[2],f32>, !torch.int) -> !torch.vtensor<[?,2],f32>
  return %y : !torch.vtensor<[?,2],f32>
}

// -----

// Attention has no weight, and says nothing.
// CHECK-LABEL: func.func @attention
// CHECK-NOT: quant_llm
func.func @attention(%q: !torch.vtensor<[4,5,3],f32>, %k: !torch.vtensor<[4,3,5],f32>) -> !torch.vtensor<[4,5,5],f32> {
  %y = "torch.aten.bmm"(%q, %k) : (!torch.vtensor<[4,5,3],f32>, !torch.vtensor<[4,3,5],f32>) -> !torch.vtensor<[4,5,5],f32>
  return %y : !torch.vtensor<[4,5,5],f32>
}
