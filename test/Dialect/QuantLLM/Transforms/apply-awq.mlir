// RUN: qk-opt --quant-llm-apply-awq="recipe-only group-size=4" %s | FileCheck %s
// RUN: qk-opt --quant-llm-apply-awq="recipe-only group-size=4 duo layers=norms clip=false" %s | FileCheck %s --check-prefix=NORMS
// RUN: qk-opt --pass-pipeline="builtin.module(quant-llm-apply-awq{recipe-only bits=3 group-size=4}, quant-llm-apply-gptq{inherit=bits,group-size})" %s | FileCheck %s --check-prefix=CHAIN

// RUN: qk-opt --quant-llm-apply-awq="recipe-only group-size=4 clip-sweeps=0" %s | FileCheck %s --check-prefix=PAPER
// PAPER: quant_llm.clip {{.*}} grid = 20 :

// RUN: qk-opt --quant-llm-apply-awq="recipe-only group-size=4 keep=0.01" %s | FileCheck %s --check-prefix=KEEP
// RUN: qk-opt --pass-pipeline="builtin.module(quant-llm-apply-awq{recipe-only group-size=4 keep=0.01}, quant-llm-apply-gptq{inherit=bits,group-size})" %s | FileCheck %s --check-prefix=KEEPCHAIN

// At least one channel; a layer of its own in f16, added. GPTQ rounds the rest.
// KEEP: %[[A:.*]] = quant_llm.statistic absmean of "q"
// KEEP: %[[S:.*]] = quant_llm.salient_columns %[[W:.*]], %[[A]] count = 1 : tensor<4x8xf32>, tensor<8xf32>
// KEEP: %[[R:.*]] = quant_llm.salient_columns %[[W]], %[[A]] count = 1 rest
// KEEP: quant_llm.round_to_nearest %[[R]]
// KEEP: arith.truncf %{{.*}} : tensor<4x8xf32> to tensor<4x8xf16>
// KEEP: %[[Y:[^ ]+]] = quant_llm.matmul %[[X:[^ ,]+]], {{.*}} name("q")
// KEEP: %[[K:[^ ]+]] = quant_llm.linear %[[X]], %{{[^ ]+}} name("q.kept") {quant_llm.kept} : (tensor<5x8xf32>, tensor<4x8xf16>)
// KEEP: linalg.add ins(%[[Y]], %[[K]]
// KEEP-NOT: saliency_factors
// KEEP-NOT: clip
// KEEPCHAIN-COUNT-4: quant_llm.round_compensated
// KEEPCHAIN-NOT: quant_llm.round_compensated
// KEEPCHAIN-NOT: quant_llm.round_to_nearest

#id = affine_map<(d0, d1) -> (d0, d1)>
#last = affine_map<(d0, d1) -> (d1)>

// One head of attention. q and k are compared with each other and not clipped;
// v is, and so is o, whose scale can be folded into v.
//
// CHECK-LABEL: @attention
// CHECK-DAG: %[[H:.*]] = quant_llm.statistic hessian of "q" : tensor<8x8xf32>
// CHECK-DAG: %[[A:.*]] = quant_llm.statistic absmean of "q" : tensor<8xf32>
// CHECK: %[[S:.*]] = quant_llm.saliency_factors %[[A]], %[[H]], (%[[WQ:.*]], %[[WK:.*]], %[[WV:.*]]) scheme(<u4, group = 4, scale = f16>) grid = 20 :
// CHECK-DAG: %[[HS:.*]] = quant_llm.scale_statistic %[[H]] by %[[S]]
// CHECK-DAG: %[[SQ:.*]] = quant_llm.scale_columns %[[WQ]] by %[[S]]
// CHECK-DAG: %[[SK:.*]] = quant_llm.scale_columns %[[WK]] by %[[S]]
// CHECK-DAG: %[[SV:.*]] = quant_llm.scale_columns %[[WV]] by %[[S]]
// CHECK-DAG: quant_llm.round_to_nearest %[[SQ]]
// CHECK-DAG: quant_llm.round_to_nearest %[[SK]]
// CHECK-DAG: %[[CV:.*]] = quant_llm.clip %[[SV]], %[[HS]] scheme(<u4, group = 4, scale = f16>) grid = 20 sweeps = 2 :
// CHECK-DAG: quant_llm.round_to_nearest %[[CV]]
// CHECK: quant_llm.matmul {{.*}} name("o")

// NORMS: quant_llm.saliency_factors %{{.*}} duo :
// NORMS-NOT: quant_llm.saliency_factors
// NORMS-NOT: quant_llm.clip

// Scales stay, clipping does not: it belongs to the rounding.
// CHAIN: quant_llm.saliency_factors {{.*}} scheme(<u3, group = 4, scale = f16>)
// CHAIN-NOT: quant_llm.clip
// CHAIN-COUNT-4: quant_llm.round_compensated {{.*}} scheme(<u3, group = 4, scale = f16>)
// CHAIN-NOT: quant_llm.round_to_nearest
func.func @attention(%x: tensor<5x8xf32>) -> tensor<5x3xf32> {
  %wq = quant_llm.parameter ""::"q.weight" : tensor<4x8xf32> = dense<1.0> : tensor<4x8xf32>
  %wk = quant_llm.parameter ""::"k.weight" : tensor<4x8xf32> = dense<1.0> : tensor<4x8xf32>
  %wv = quant_llm.parameter ""::"v.weight" : tensor<4x8xf32> = dense<1.0> : tensor<4x8xf32>
  %wo = quant_llm.parameter ""::"o.weight" : tensor<3x4xf32> = dense<1.0> : tensor<3x4xf32>
  %gamma = quant_llm.parameter ""::"gamma" : tensor<8xf32> = dense<0.5> : tensor<8xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x8xf32>
  %n = linalg.generic {indexing_maps = [#id, #last, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %gamma : tensor<5x8xf32>, tensor<8xf32>) outs(%e : tensor<5x8xf32>) {
  ^bb0(%a: f32, %g: f32, %o: f32):
    %m = arith.mulf %a, %g : f32
    linalg.yield %m : f32
  } -> tensor<5x8xf32>
  %q = quant_llm.linear %n, %wq name("q") : (tensor<5x8xf32>, tensor<4x8xf32>) -> tensor<5x4xf32>
  %k = quant_llm.linear %n, %wk name("k") : (tensor<5x8xf32>, tensor<4x8xf32>) -> tensor<5x4xf32>
  %v = quant_llm.linear %n, %wv name("v") : (tensor<5x8xf32>, tensor<4x8xf32>) -> tensor<5x4xf32>
  // Half a rotary embedding: the key's halves change places.
  %k0 = tensor.extract_slice %k[0, 0] [5, 2] [1, 1] : tensor<5x4xf32> to tensor<5x2xf32>
  %k1 = tensor.extract_slice %k[0, 2] [5, 2] [1, 1] : tensor<5x4xf32> to tensor<5x2xf32>
  %kr = tensor.concat dim(1) %k1, %k0 : (tensor<5x2xf32>, tensor<5x2xf32>) -> tensor<5x4xf32>
  %ep = tensor.empty() : tensor<5x5xf32>
  %ip = linalg.fill ins(%zero : f32) outs(%ep : tensor<5x5xf32>) -> tensor<5x5xf32>
  %p = linalg.matmul indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>] ins(%q, %kr : tensor<5x4xf32>, tensor<5x4xf32>) outs(%ip : tensor<5x5xf32>) -> tensor<5x5xf32>
  %eo = tensor.empty() : tensor<5x4xf32>
  %io = linalg.fill ins(%zero : f32) outs(%eo : tensor<5x4xf32>) -> tensor<5x4xf32>
  %pv = linalg.matmul ins(%p, %v : tensor<5x5xf32>, tensor<5x4xf32>) outs(%io : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = quant_llm.linear %pv, %wo name("o") : (tensor<5x4xf32>, tensor<3x4xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}
