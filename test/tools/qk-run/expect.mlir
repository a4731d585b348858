// Comparing with expected results: exit status 1 beyond the tolerance, 2 for
// what can't be compared.
// RUN: rm -rf %t && split-file %s %t && cd %t
// RUN: qk-run -O0 a.mlir --output=a.npy
// RUN: qk-run -O0 a.mlir --expect=a.npy | FileCheck %s --check-prefix=SAME
// SAME: out0: largest difference 0, relative error 0{{$}}

// RUN: not qk-run -O0 b.mlir --expect=a.npy > b.txt
// RUN: FileCheck %s --check-prefix=OTHER --input-file=b.txt
// OTHER: out0: largest difference 0.5 at [1, 0] (got 3.5, expected 3), relative error 0.0913: 1 of 4 elements beyond atol 1e-05 + rtol 1e-05
// RUN: qk-run -O0 b.mlir --expect=a.npy --rtol=0.2 | FileCheck %s --check-prefix=WITHIN
// RUN: qk-run -O0 b.mlir --expect=a.npy --atol=0.5 | FileCheck %s --check-prefix=WITHIN
// WITHIN: relative error 0.0913{{$}}

// NaN is as wrong as can be, whatever the tolerance.
// RUN: not qk-run -O0 nan.mlir --expect=a.npy --atol=1e30 | FileCheck %s --check-prefix=NAN
// NAN: largest difference inf at [0, 1] (got nan, expected 2){{.*}}: 1 of 4 elements beyond

// RUN: not qk-run -O0 c.mlir --expect=a.npy 2>&1 | FileCheck %s --check-prefix=SHAPE
// SHAPE: error: a.npy: out0: expected F32[2x2], got F32[4]
// RUN: %python %S/Inputs/safetensors.py s.safetensors out1:F32:2x2:0
// RUN: not qk-run -O0 a.mlir --expect=s.safetensors 2>&1 | FileCheck %s --check-prefix=NAME
// NAME: error: s.safetensors: no tensor 'out0'
// RUN: %python %S/Inputs/safetensors.py t.safetensors out0:F32:2x2:0 out1:F32:2x2:0
// RUN: not qk-run -O0 a.mlir --expect=t.safetensors 2>&1 | FileCheck %s --check-prefix=COUNT
// COUNT: error: t.safetensors: expected 1 tensors, one for each result, got 2

//--- a.mlir
func.func @main() -> tensor<2x2xf32> {
  %0 = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}
//--- b.mlir
func.func @main() -> tensor<2x2xf32> {
  %0 = arith.constant dense<[[1.0, 2.0], [3.5, 4.0]]> : tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}
//--- nan.mlir
func.func @main() -> tensor<2x2xf32> {
  %0 = arith.constant dense<[[1.0, 0x7FC00000], [3.0, 4.0]]> : tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}
//--- c.mlir
func.func @main() -> tensor<4xf32> {
  %0 = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  return %0 : tensor<4xf32>
}
