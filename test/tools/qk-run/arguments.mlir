// Inputs, results and what is said about those that do not fit.
// RUN: rm -rf %t && split-file %s %t && cd %t

// Results can be written and read again as inputs.
// RUN: qk-run -O0 make.mlir --output=x.npy
// RUN: qk-run -O0 add.mlir --input=x.npy --input=x.npy --output=y.npy
// RUN: qk-run -O0 add.mlir --input=y.npy --input=x.npy | FileCheck %s --check-prefix=SUM
// SUM: out0: F32[2x3], from 3 to 18, mean 10.5

// An entry is chosen by name where there are several.
// RUN: qk-run -O0 two.mlir --entry=b | FileCheck %s --check-prefix=ENTRY
// ENTRY: out0: I64[], from 7 to 7
// ENTRY: out1: BOOL[2], from 0 to 1
// RUN: not qk-run -O0 two.mlir 2>&1 | FileCheck %s --check-prefix=SEVERAL
// SEVERAL: error: two.mlir: the module has several functions to run (a, b); choose one with --entry
// RUN: not qk-run -O0 two.mlir --entry=c 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: two.mlir: no function 'c' to run; there is a, b

// RUN: not qk-run -O0 private.mlir 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: private.mlir: the module has no public function
// RUN: not qk-run -O0 scalar.mlir 2>&1 | FileCheck %s --check-prefix=SCALAR
// SCALAR: function 'main': type f32 in its signature is not supported (expected ranked tensors

// RUN: not qk-run -O0 add.mlir --input=x.npy 2>&1 | FileCheck %s --check-prefix=COUNT
// COUNT: error: function 'add': expected 2 inputs, got 1
// RUN: qk-run -O0 two.mlir --entry=a --output=z.npy
// RUN: not qk-run -O0 add.mlir --input=x.npy --input=z.npy 2>&1 | FileCheck %s --check-prefix=SHAPE
// SHAPE: error: z.npy: argument 1 of 'add': expected F32[?x3], got I64[2]
// RUN: not qk-run -O0 add.mlir --input=missing.npy 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: error: missing.npy: cannot be opened

// RUN: not qk-run -O0 missing.mlir 2>&1 | FileCheck %s --check-prefix=NOFILE
// NOFILE: missing.mlir
// RUN: not qk-run -O0 broken.mlir 2>&1 | FileCheck %s --check-prefix=BROKEN
// BROKEN: broken.mlir:1:{{.*}}: error:
// BROKEN: error: broken.mlir: is not a valid module

// RUN: not qk-run -O0 make.mlir --output=x.txt 2>&1 | FileCheck %s --check-prefix=SUFFIX
// SUFFIX: error: x.txt: expected a name that ends in .npy or .safetensors
// RUN: not qk-run -O0 two.mlir --entry=b --output=x2.npy 2>&1 | FileCheck %s --check-prefix=ONE
// ONE: error: x2.npy: an .npy file holds one tensor, got 2; name a .safetensors file instead
// RUN: not qk-run -O0 make.mlir --output=no/such/x.npy 2>&1 | FileCheck %s --check-prefix=FOLDER
// FOLDER: error: no/such/x.npy: cannot be written

// RUN: not qk-run -O4 make.mlir 2>&1 | FileCheck %s --check-prefix=LEVEL
// LEVEL: error: expected an optimisation level from 0 to 3, got 4
// RUN: not qk-run -O0 add.mlir --input=x.npy --inputs=y 2>&1 | FileCheck %s --check-prefix=BOTH
// BOTH: error: --input and --inputs exclude each other
// RUN: not qk-run -O0 add.mlir --loss 2>&1 | FileCheck %s --check-prefix=LOSS
// LOSS: error: --loss needs --inputs
// RUN: not qk-run -O0 add.mlir --reference=add.mlir 2>&1 | FileCheck %s --check-prefix=REFERENCE
// REFERENCE: error: --reference needs --loss or --perplexity

// Inputs by the arguments' own names.
// RUN: %python %S/Inputs/safetensors.py named.safetensors left:F32:1x1x3:1 arg1:F32:1x1x3:2
// RUN: qk-run -O0 named.mlir --inputs=named.safetensors | FileCheck %s --check-prefix=NAMED
// NAMED: out0: F32[1x3], from 3 to 3

//--- make.mlir
func.func @make() -> tensor<2x3xf32> {
  %0 = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}
//--- add.mlir
// The input is not written to: it is a mapped file.
func.func @add(%a: tensor<?x3xf32>, %b: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %0 = linalg.add ins(%a, %b : tensor<?x3xf32>, tensor<?x3xf32>) outs(%a : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}
//--- named.mlir
func.func @add(%a: tensor<?x3xf32> loc("left"), %b: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %0 = linalg.add ins(%a, %b : tensor<?x3xf32>, tensor<?x3xf32>) outs(%a : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}
//--- two.mlir
func.func @a() -> tensor<2xi64> {
  %0 = arith.constant dense<[1, 2]> : tensor<2xi64>
  return %0 : tensor<2xi64>
}
func.func @b() -> (tensor<i64>, tensor<2xi1>) {
  %0 = arith.constant dense<7> : tensor<i64>
  %1 = arith.constant dense<[false, true]> : tensor<2xi1>
  return %0, %1 : tensor<i64>, tensor<2xi1>
}
//--- private.mlir
func.func private @a() {
  return
}
//--- scalar.mlir
func.func @main(%x: f32) {
  return
}
//--- broken.mlir
func.func @main( {
