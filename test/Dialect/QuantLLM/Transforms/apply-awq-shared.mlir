// RUN: qk-opt --quant-llm-apply-awq="recipe-only group-size=4" --quant-llm-fold-scales --split-input-file %s | FileCheck %s
// Weights that two blocks share. The layers that read the same tensor in each
// have factors in common, which go into what makes that tensor, in each.

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>

// CHECK-LABEL: @blocks
// CHECK-DAG: [[Q:%.+]] = quant_llm.parameter ""::"q.weight"
// CHECK-DAG: [[K:%.+]] = quant_llm.parameter ""::"k.weight"
// CHECK: [[F:%.+]] = quant_llm.saliency_factors {{.*}}, ([[Q]], [[K]]) scheme
// CHECK-NOT: quant_llm.saliency_factors
// CHECK-DAG: quant_llm.scale_columns [[Q]] by [[F]]
// CHECK-DAG: quant_llm.scale_columns [[K]] by [[F]]
// CHECK: [[G:%.+]] = quant_llm.scale_columns {{.*}} by inverse [[F]] {{.*}}tensor<4xf32>
// CHECK-NOT: quant_llm.scale_columns
// CHECK: [[N1:%.+]] = linalg.generic {{.*}} ins(%{{.*}}, [[G]] :
// CHECK: quant_llm.matmul [[N1]], [[QC:%[^,]+]], {{.*}} name("q")
// CHECK: quant_llm.matmul [[N1]], [[KC:%[^,]+]], {{.*}} name("k")
// CHECK-NOT: quant_llm.scale_columns
// CHECK: [[N2:%.+]] = linalg.generic {{.*}} ins(%{{.*}}, [[G]] :
// CHECK: quant_llm.matmul [[N2]], [[QC]], {{.*}} name("q")
// CHECK: quant_llm.matmul [[N2]], [[KC]], {{.*}} name("k")
func.func @blocks(%x: tensor<5x4xf32>) -> tensor<5x4xf32> {
  %q = quant_llm.parameter ""::"q.weight" : tensor<4x4xf32> = dense<1.0> : tensor<4x4xf32>
  %k = quant_llm.parameter ""::"k.weight" : tensor<4x4xf32> = dense<2.0> : tensor<4x4xf32>
  %g = quant_llm.parameter ""::"norm.weight" : tensor<4xf32> = dense<2.0> : tensor<4xf32>
  %e = tensor.empty() : tensor<5x4xf32>
  %n1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %g : tensor<5x4xf32>, tensor<4xf32>) outs(%e : tensor<5x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<5x4xf32>
  %q1 = quant_llm.linear %n1, %q name("q") : (tensor<5x4xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  %k1 = quant_llm.linear %n1, %k name("k") : (tensor<5x4xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  %y1 = arith.mulf %q1, %k1 : tensor<5x4xf32>
  %n2 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%y1, %g : tensor<5x4xf32>, tensor<4xf32>) outs(%e : tensor<5x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<5x4xf32>
  %q2 = quant_llm.linear %n2, %q name("q") : (tensor<5x4xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  %k2 = quant_llm.linear %n2, %k name("k") : (tensor<5x4xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  %y2 = arith.mulf %q2, %k2 : tensor<5x4xf32>
  return %y2 : tensor<5x4xf32>
}

// -----

// One is used in a block that the other isn't: each has factors of its own.
// CHECK-LABEL: @once
// CHECK-COUNT-2: quant_llm.saliency_factors
func.func @once(%x: tensor<5x4xf32>) -> tensor<5x4xf32> {
  %q = quant_llm.parameter ""::"q.weight" : tensor<4x4xf32> = dense<1.0> : tensor<4x4xf32>
  %k = quant_llm.parameter ""::"k.weight" : tensor<4x4xf32> = dense<2.0> : tensor<4x4xf32>
  %q1 = quant_llm.linear %x, %q name("q") : (tensor<5x4xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  %k1 = quant_llm.linear %x, %k name("k") : (tensor<5x4xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  %y1 = arith.mulf %q1, %k1 : tensor<5x4xf32>
  %q2 = quant_llm.linear %y1, %q name("q") : (tensor<5x4xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
  return %q2 : tensor<5x4xf32>
}
