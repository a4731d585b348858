// RUN: qk-opt --allow-unregistered-dialect --quant-llm-apply-awq="recipe-only group-size=4" --split-input-file %s | FileCheck %s
// One layer makes query, key and value: what is compared is not clipped, by
// whatever ops the parts come to attention's product.

// Parts cut out of all channels.
// CHECK-LABEL: @sliced
// CHECK-NOT: quant_llm.clip
// CHECK: return
func.func @sliced(%x: tensor<5x8xf32>) -> (tensor<2x5x5xf32>, tensor<5x4xf32>) {
  %w = quant_llm.parameter ""::"qkv.weight" : tensor<12x8xf32> = dense<1.0> : tensor<12x8xf32>
  %zero = arith.constant 0.0 : f32
  %a = quant_llm.linear %x, %w name("qkv") : (tensor<5x8xf32>, tensor<12x8xf32>) -> tensor<5x12xf32>
  %y = tensor.expand_shape %a [[0, 1], [2]] output_shape [1, 5, 12] : tensor<5x12xf32> into tensor<1x5x12xf32>
  %q = tensor.extract_slice %y[0, 0, 0] [1, 5, 4] [1, 1, 1] : tensor<1x5x12xf32> to tensor<1x5x4xf32>
  %k = tensor.extract_slice %y[0, 0, 4] [1, 5, 4] [1, 1, 1] : tensor<1x5x12xf32> to tensor<1x5x4xf32>
  %v = tensor.extract_slice %a[0, 8] [5, 4] [1, 1] : tensor<5x12xf32> to tensor<5x4xf32>
  %qh = tensor.expand_shape %q [[0], [1], [2, 3]] output_shape [1, 5, 2, 2] : tensor<1x5x4xf32> into tensor<1x5x2x2xf32>
  %kh = tensor.expand_shape %k [[0], [1], [2, 3]] output_shape [1, 5, 2, 2] : tensor<1x5x4xf32> into tensor<1x5x2x2xf32>
  %eq = tensor.empty() : tensor<1x2x5x2xf32>
  %qt = linalg.transpose ins(%qh : tensor<1x5x2x2xf32>) outs(%eq : tensor<1x2x5x2xf32>) permutation = [0, 2, 1, 3]
  %ek = tensor.empty() : tensor<1x2x2x5xf32>
  %kt = linalg.transpose ins(%kh : tensor<1x5x2x2xf32>) outs(%ek : tensor<1x2x2x5xf32>) permutation = [0, 2, 3, 1]
  %qc = tensor.collapse_shape %qt [[0, 1], [2], [3]] : tensor<1x2x5x2xf32> into tensor<2x5x2xf32>
  %kc = tensor.collapse_shape %kt [[0, 1], [2], [3]] : tensor<1x2x2x5xf32> into tensor<2x2x5xf32>
  %e = tensor.empty() : tensor<2x5x5xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<2x5x5xf32>) -> tensor<2x5x5xf32>
  %s = linalg.batch_matmul ins(%qc, %kc : tensor<2x5x2xf32>, tensor<2x2x5xf32>) outs(%i : tensor<2x5x5xf32>) -> tensor<2x5x5xf32>
  return %s, %v : tensor<2x5x5xf32>, tensor<5x4xf32>
}

// -----

// Of three for each head one is selected; a bias is added to the product.
// CHECK-LABEL: @selected
// CHECK-NOT: quant_llm.clip
// CHECK: return
func.func @selected(%x: tensor<5x8xf32>, %mask: !torch.vtensor<[5,2,2],f32>) -> !torch.vtensor<[5,2,2],f32> {
  %w = quant_llm.parameter ""::"qkv.weight" : tensor<12x8xf32> = dense<1.0> : tensor<12x8xf32>
  %a = quant_llm.linear %x, %w name("qkv") : (tensor<5x8xf32>, tensor<12x8xf32>) -> tensor<5x12xf32>
  %t = "torch_c.from_builtin_tensor"(%a) : (tensor<5x12xf32>) -> !torch.vtensor<[5,12],f32>
  %c0 = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
  %c1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %c2 = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %c3 = "torch.constant.int"() <{value = 3 : i64}> : () -> !torch.int
  %c5 = "torch.constant.int"() <{value = 5 : i64}> : () -> !torch.int
  %shape = "torch.prim.ListConstruct"(%c5, %c2, %c3, %c2) : (!torch.int, !torch.int, !torch.int, !torch.int) -> !torch.list<int>
  %h = "torch.aten.view"(%t, %shape) : (!torch.vtensor<[5,12],f32>, !torch.list<int>) -> !torch.vtensor<[5,2,3,2],f32>
  %q = "torch.aten.select.int"(%h, %c2, %c0) : (!torch.vtensor<[5,2,3,2],f32>, !torch.int, !torch.int) -> !torch.vtensor<[5,2,2],f32>
  %k = "torch.aten.select.int"(%h, %c2, %c1) : (!torch.vtensor<[5,2,3,2],f32>, !torch.int, !torch.int) -> !torch.vtensor<[5,2,2],f32>
  %kt = "torch.aten.transpose.int"(%k, %c1, %c2) : (!torch.vtensor<[5,2,2],f32>, !torch.int, !torch.int) -> !torch.vtensor<[5,2,2],f32>
  %s = "torch.aten.baddbmm"(%mask, %q, %kt, %c1, %c1) : (!torch.vtensor<[5,2,2],f32>, !torch.vtensor<[5,2,2],f32>, !torch.vtensor<[5,2,2],f32>, !torch.int, !torch.int) -> !torch.vtensor<[5,2,2],f32>
  return %s : !torch.vtensor<[5,2,2],f32>
}

// -----

// From a list of parts, the query's halves joined in another order (a rotary
// embedding) by torch's cat.
// CHECK-LABEL: @listed
// CHECK-NOT: quant_llm.clip
// CHECK: return
func.func @listed(%x: tensor<5x8xf32>, %key: !torch.vtensor<[4,5],f32>) -> !torch.vtensor<[5,5],f32> {
  %w = quant_llm.parameter ""::"qv.weight" : tensor<8x8xf32> = dense<1.0> : tensor<8x8xf32>
  %a = quant_llm.linear %x, %w name("qv") : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
  %t = "torch_c.from_builtin_tensor"(%a) : (tensor<5x8xf32>) -> !torch.vtensor<[5,8],f32>
  %c1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %c2 = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %parts = "torch.aten.chunk"(%t, %c2, %c1) : (!torch.vtensor<[5,8],f32>, !torch.int, !torch.int) -> !torch.list<vtensor>
  %p:2 = "torch.prim.ListUnpack"(%parts) : (!torch.list<vtensor>) -> (!torch.vtensor<[5,4],f32>, !torch.vtensor<[5,4],f32>)
  %halves = "torch.aten.split.Tensor"(%p#0, %c2, %c1) : (!torch.vtensor<[5,4],f32>, !torch.int, !torch.int) -> !torch.list<vtensor>
  %h:2 = "torch.prim.ListUnpack"(%halves) : (!torch.list<vtensor>) -> (!torch.vtensor<[5,2],f32>, !torch.vtensor<[5,2],f32>)
  %l = "torch.prim.ListConstruct"(%h#1, %h#0) : (!torch.vtensor<[5,2],f32>, !torch.vtensor<[5,2],f32>) -> !torch.list<vtensor>
  %q = "torch.aten.cat"(%l, %c1) : (!torch.list<vtensor>, !torch.int) -> !torch.vtensor<[5,4],f32>
  %s = "torch.aten.mm"(%q, %key) : (!torch.vtensor<[5,4],f32>, !torch.vtensor<[4,5],f32>) -> !torch.vtensor<[5,5],f32>
  return %s : !torch.vtensor<[5,5],f32>
}

// -----

// Ops that no tool wrote: nothing is followed through them.
// CHECK-LABEL: @malformed
// CHECK: quant_llm.clip
func.func @malformed(%x: tensor<5x8xf32>, %key: !torch.vtensor<[8,5],f32>) -> (tensor<5x4xf32>, !torch.vtensor<[5,5],f32>, !torch.vtensor<[5,5],f32>) {
  %w = quant_llm.parameter ""::"v.weight" : tensor<4x8xf32> = dense<1.0> : tensor<4x8xf32>
  %a = quant_llm.linear %x, %w name("v") : (tensor<5x8xf32>, tensor<4x8xf32>) -> tensor<5x4xf32>
  %c = "torch.aten.cat"() : () -> !torch.vtensor<[5,8],f32>
  %s = "torch.aten.mm"(%c, %key) : (!torch.vtensor<[5,8],f32>, !torch.vtensor<[8,5],f32>) -> !torch.vtensor<[5,5],f32>
  %u = "torch.prim.ListUnpack"() : () -> !torch.vtensor<[5,8],f32>
  %b = "torch.aten.baddbmm"(%u, %key) : (!torch.vtensor<[5,8],f32>, !torch.vtensor<[8,5],f32>) -> !torch.vtensor<[5,5],f32>
  return %a, %s, %b : tensor<5x4xf32>, !torch.vtensor<[5,5],f32>, !torch.vtensor<[5,5],f32>
}
