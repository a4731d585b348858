// Loss, divergence and perplexity. The module predicts, whatever the tokens,
// probabilities 1/2, 1/4, 1/4: -ln of these is 0.693147 and 1.386294.
// RUN: rm -rf %t && split-file %s %t && cd %t
// RUN: %python %S/Inputs/safetensors.py in.safetensors arg0:I64:2x1x3:0,0,1,2,0,0
// RUN: qk-run -O0 half.mlir --inputs=in.safetensors --loss | FileCheck %s
// CHECK: loss: 0.86643
// CHECK: predictions: 4
// The mask takes the second sample's last token out.
// RUN: %python %S/Inputs/safetensors.py masked.safetensors arg0:I64:2x1x3:0,0,1,2,0,0 mask:I64:2x3:1,1,1,1,1,0
// RUN: qk-run -O0 half.mlir --inputs=masked.safetensors --loss | FileCheck %s --check-prefix=MASK
// MASK: loss: 0.92420
// MASK: predictions: 3
// KL of (1/3,1/3,1/3) to it: ln 2/3 - (ln 1/2 + 2 ln 1/4)/3 - ... = 0.0566330.
// RUN: qk-run -O0 half.mlir --inputs=in.safetensors --loss --reference=third.mlir | FileCheck %s --check-prefix=KL
// KL: loss: 0.86643
// KL-NEXT: kl: 0.056633

// The same of logits that were written once; too few of them.
// RUN: qk-run -O0 third.mlir --inputs=in.safetensors --output=third.npy
// RUN: qk-run -O0 half.mlir --inputs=in.safetensors --loss --reference=third.npy | FileCheck %s --check-prefix=KL
// RUN: %python %S/Inputs/safetensors.py three.safetensors arg0:I64:3x1x3:0,0,1,2,0,0,1,1,1
// RUN: not qk-run -O0 half.mlir --inputs=three.safetensors --loss --reference=third.npy 2>&1 | FileCheck %s --check-prefix=FEWER
// FEWER: error: sample 2: reference: expected logits like F32[1x3x3] of at least 3 sequences, got F32[2x1x3x3]
// RUN: %python %S/Inputs/safetensors.py single.safetensors arg0:I64:1x1x3:0,0,1
// RUN: qk-run -O0 third.mlir --inputs=single.safetensors --output=single.npy
// RUN: qk-run -O0 half.mlir --inputs=single.safetensors --loss --reference=single.npy | FileCheck %s --check-prefix=SINGLE
// SINGLE: kl: 0.056633
// RUN: not qk-run -O0 half.mlir --inputs=in.safetensors --loss --reference=none.npy 2>&1 | FileCheck %s --check-prefix=NOREFERENCE
// NOREFERENCE: error: none.npy: cannot be opened

// RUN: qk-run -O0 text.mlir --output=text.npy
// RUN: qk-run -O0 half.mlir --perplexity=text.npy --window=3 --windows=2 | FileCheck %s --check-prefix=TEXT
// TEXT: perplexity: 2.3784
// TEXT-NEXT: loss: 0.86643
// TEXT-NEXT: predictions: 4

// RUN: %python %S/Inputs/safetensors.py out.safetensors arg0:I64:1x1x2:0,3
// RUN: not qk-run -O0 half.mlir --inputs=out.safetensors --loss 2>&1 | FileCheck %s --check-prefix=OUTSIDE
// OUTSIDE: error: sample 0: token 3 at position 1 is outside the vocabulary of 3
// RUN: %python %S/Inputs/safetensors.py one.safetensors arg0:I64:1x1x1:0
// RUN: not qk-run -O0 half.mlir --inputs=one.safetensors --loss 2>&1 | FileCheck %s --check-prefix=SHORT
// SHORT: error: nothing to predict: every sample has fewer than two tokens that count
// RUN: not qk-run -O0 half.mlir --perplexity=text.npy --window=7 2>&1 | FileCheck %s --check-prefix=WINDOW
// WINDOW: error: text.npy: expected at least one window of 7 tokens, got 6
// RUN: not qk-run -O0 half.mlir --perplexity=text.npy --window=1 2>&1 | FileCheck %s --check-prefix=TINY
// TINY: error: expected --window of at least 2 and --windows of at least 1, got 1 and 16
// RUN: not qk-run -O0 half.mlir --perplexity=in.npy --window=2 2>&1 | FileCheck %s --check-prefix=NOFILE
// NOFILE: error: in.npy: cannot be opened
// RUN: qk-run -O0 real.mlir --output=real.npy
// RUN: not qk-run -O0 half.mlir --perplexity=real.npy --window=2 2>&1 | FileCheck %s --check-prefix=TYPE
// TYPE: error: real.npy: expected tokens as I64[n], got F32[2]
// RUN: not qk-run -O0 float.mlir --perplexity=text.npy --window=2 2>&1 | FileCheck %s --check-prefix=FLOAT
// FLOAT: error: function 'main': expected token ids (I64 or I32) as first argument

// Logits of other float types are the same numbers, rounded; others are none.
// RUN: sed 's/f32/f16/g' half.mlir > half16.mlir
// RUN: qk-run -O0 half16.mlir --inputs=in.safetensors --loss --reference=half.mlir | FileCheck %s --check-prefix=SMALL
// RUN: sed 's/f32/bf16/g' half.mlir > halfb16.mlir
// RUN: qk-run -O0 halfb16.mlir --inputs=in.safetensors --loss --reference=half.mlir | FileCheck %s --check-prefix=SMALL
// SMALL: loss: 0.866
// SMALL: kl: {{[-.0-9]+e-0[6-9]}}
// RUN: sed 's/f32/f64/g' half.mlir > half64.mlir
// RUN: qk-run -O0 half64.mlir --inputs=in.safetensors --loss | FileCheck %s
// RUN: not qk-run -O0 whole.mlir --inputs=in.safetensors --loss 2>&1 | FileCheck %s --check-prefix=WHOLE
// WHOLE: error: sample 0: expected logits of a float type, got I64[1x3x3]
// RUN: not qk-run -O0 half.mlir --inputs=in.safetensors --loss --reference=whole.mlir 2>&1 | FileCheck %s --check-prefix=REFERENCE
// REFERENCE: error: sample 0: expected the reference's logits of a float type, got I64[1x3x3]

//--- whole.mlir
func.func @main(%ids: tensor<1x?xi64>) -> tensor<1x3x3xi64> {
  %0 = arith.constant dense<1> : tensor<1x3x3xi64>
  return %0 : tensor<1x3x3xi64>
}
//--- half.mlir
#v = affine_map<(d0, d1, d2) -> (d2)>
#all = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
func.func @main(%ids: tensor<1x?xi64>) -> tensor<1x?x3xf32> {
  %c1 = arith.constant 1 : index
  %p = arith.constant dense<[0.69314718, 0.0, 0.0]> : tensor<3xf32>
  %n = tensor.dim %ids, %c1 : tensor<1x?xi64>
  %e = tensor.empty(%n) : tensor<1x?x3xf32>
  %0 = linalg.generic {indexing_maps = [#v, #all], iterator_types = ["parallel", "parallel", "parallel"]} ins(%p : tensor<3xf32>) outs(%e : tensor<1x?x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<1x?x3xf32>
  return %0 : tensor<1x?x3xf32>
}
//--- third.mlir
func.func @main(%ids: tensor<1x?xi64>) -> tensor<1x?x3xf32> {
  %c1 = arith.constant 1 : index
  %p = arith.constant 5.0 : f32
  %n = tensor.dim %ids, %c1 : tensor<1x?xi64>
  %e = tensor.empty(%n) : tensor<1x?x3xf32>
  %0 = linalg.fill ins(%p : f32) outs(%e : tensor<1x?x3xf32>) -> tensor<1x?x3xf32>
  return %0 : tensor<1x?x3xf32>
}
//--- text.mlir
func.func @main() -> tensor<6xi64> {
  %0 = arith.constant dense<[0, 0, 1, 2, 0, 0]> : tensor<6xi64>
  return %0 : tensor<6xi64>
}
//--- real.mlir
func.func @main() -> tensor<2xf32> {
  %0 = arith.constant dense<1.0> : tensor<2xf32>
  return %0 : tensor<2xf32>
}
//--- float.mlir
func.func @main(%x: tensor<1x?xf32>) -> tensor<1x?xf32> {
  return %x : tensor<1x?xf32>
}
