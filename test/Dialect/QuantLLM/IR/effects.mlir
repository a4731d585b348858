// RUN: qk-opt %s --cse | FileCheck %s --check-prefixes=CSE,BOTH
// RUN: qk-opt %s --canonicalize | FileCheck %s --check-prefixes=DCE,BOTH
// RUN: qk-opt %s --loop-invariant-code-motion | FileCheck %s --check-prefix=LICM
// All ops but observe are pure: equal ones are merged, unused ones dropped.

// CSE-LABEL: func.func @equal(
// CSE-COUNT-1: quant_llm.parameter
// CSE-NOT: quant_llm.parameter
// CSE-COUNT-1: quant_llm.statistic
// CSE-NOT: quant_llm.statistic
// CSE-COUNT-1: quant_llm.round_compensated
// CSE-NOT: quant_llm.round_compensated
// CSE-COUNT-1: quant_llm.matmul
// CSE-NOT: quant_llm.matmul
// CSE: return
func.func @equal(%x: tensor<?x8xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %w0 = quant_llm.parameter "m"::"w" : tensor<4x8xf32>
  %w1 = quant_llm.parameter "m"::"w" : tensor<4x8xf32>
  %h0 = quant_llm.statistic hessian of "fc" : tensor<8x8xf32>
  %h1 = quant_llm.statistic hessian of "fc" : tensor<8x8xf32>
  %c0, %s0, %z0 = quant_llm.round_compensated %w0, %h0 scheme(<u4, group = 4, scale = f16>) static_groups : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xi4>, tensor<4x2xf16>, tensor<4x2xi8>
  %c1, %s1, %z1 = quant_llm.round_compensated %w1, %h1 scheme(<u4, group = 4, scale = f16>) static_groups : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xi4>, tensor<4x2xf16>, tensor<4x2xi8>
  %y0 = quant_llm.matmul %x, %c0, %s0 zero_points(%z0) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x8xf32>, tensor<4x8xi4>, tensor<4x2xf16>, tensor<4x2xi8>) -> tensor<?x4xf32>
  %y1 = quant_llm.matmul %x, %c1, %s1 zero_points(%z1) scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<?x8xf32>, tensor<4x8xi4>, tensor<4x2xf16>, tensor<4x2xi8>) -> tensor<?x4xf32>
  return %y0, %y1 : tensor<?x4xf32>, tensor<?x4xf32>
}

// DCE-LABEL: func.func @unused(
// DCE-NEXT: return
func.func @unused(%x: tensor<4x8xf32>, %v: tensor<8xf32>, %h: tensor<8x8xf32>, %b: tensor<64xi8>) {
  %w = quant_llm.parameter "m"::"w" : tensor<4x8xf32>
  %t = quant_llm.transpose %w : tensor<4x8xf32>
  %l = quant_llm.linear %x, %w name("fc") : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x4xf32>
  %st = quant_llm.statistic absmax of "fc" : tensor<8xf32>
  %ss = quant_llm.scale_statistic %st by %v : tensor<8xf32>, tensor<8xf32>
  %sf = quant_llm.smoothing_factors %ss, (%w) alpha = 0.5 : tensor<8xf32>, (tensor<4x8xf32>)
  %sl = quant_llm.saliency_factors %v, %h, (%w) scheme(<u4, group = 4, scale = f16>) grid = 20 : tensor<8xf32>, tensor<8x8xf32>, (tensor<4x8xf32>)
  %sc = quant_llm.scale_columns %w by %sf : tensor<4x8xf32>, tensor<8xf32>
  %cl = quant_llm.clip %sc, %h scheme(<u4, group = 4, scale = f16>) grid = 20 : tensor<4x8xf32>, tensor<8x8xf32>
  %rt = quant_llm.retarget %cl, %h, %h alpha = 0.5 : tensor<4x8xf32>, tensor<8x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %c, %s = quant_llm.round_to_nearest %rt scheme(<u4, group = 4, scale = f16>) symmetric : tensor<4x8xf32> -> tensor<4x8xi4>, tensor<4x2xf16>
  %d = quant_llm.dequantize %c, %s scheme(<u4, group = 4, scale = f16>) : tensor<4x8xi4>, tensor<4x2xf16> -> tensor<4x8xf32>
  %q, %qs = quant_llm.quantize %x scheme(<8, per_token>) : tensor<4x8xf32> -> tensor<4x8xi8>, tensor<4x1xf32>
  %p = quant_llm.pack %c, %s scheme(<u4, group = 4, scale = f16>) layout("l") : tensor<4x8xi4>, tensor<4x2xf16> -> tensor<64xi8>
  %y = quant_llm.packed_matmul %x, %p scheme(<u4, group = 4, scale = f16>) n = 4 k = 8 layout("l") name("fc") : (tensor<4x8xf32>, tensor<64xi8>) -> tensor<4x4xf32>
  return
}

// What a layer saw is counted each time.
// BOTH-LABEL: func.func @observed(
// BOTH-COUNT-2: quant_llm.observe
func.func @observed(%x: tensor<4x8xf32>) {
  quant_llm.observe %x of "fc" : tensor<4x8xf32>
  quant_llm.observe %x of "fc" : tensor<4x8xf32>
  return
}

// Pure ops leave a loop, observe stays in it.
// LICM-LABEL: func.func @loop(
// LICM: quant_llm.scale_columns
// LICM: scf.for
// LICM: quant_llm.observe
func.func @loop(%x: tensor<4x8xf32>, %s: tensor<8xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %0 = quant_llm.scale_columns %x by %s : tensor<4x8xf32>, tensor<8xf32>
    quant_llm.observe %0 of "fc" : tensor<4x8xf32>
  }
  return
}
