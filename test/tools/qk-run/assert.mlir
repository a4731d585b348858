// An assertion of the model that fails is an error that says where it stands,
// also when the loop around it would have run on all cores.
// RUN: rm -rf %t && split-file %s %t && cd %t
// RUN: %python %S/Inputs/safetensors.py good.safetensors arg0:I64:3:0,2,1
// RUN: qk-run -O3 gather.mlir --inputs=good.safetensors | FileCheck %s --check-prefix=GOOD
// GOOD: out0: F32[3x4096], from 1 to 3, mean 2
// RUN: %python %S/Inputs/safetensors.py bad.safetensors arg0:I64:3:0,3,1
// RUN: not qk-run -O3 gather.mlir --inputs=bad.safetensors 2>&1 | FileCheck %s --check-prefix=BAD
// BAD: error: function 'main': assertion of the model failed: index must be smaller than dim size (gather.mlir:14:5): expected 3 < 3

//--- gather.mlir
#row = affine_map<(d0, d1) -> (d0)>
#all = affine_map<(d0, d1) -> (d0, d1)>
func.func @main(%ids: tensor<?xi64>) -> tensor<?x4096xf32> {
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  %zero = arith.constant 0 : i64
  %table = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %n = tensor.dim %ids, %c0 : tensor<?xi64>
  %e = tensor.empty(%n) : tensor<?x4096xf32>
  %0 = linalg.generic {indexing_maps = [#row, #all], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<?xi64>) outs(%e : tensor<?x4096xf32>) {
  ^bb0(%in: i64, %out: f32):
    %i = arith.index_cast %in : i64 to index
    %ok = arith.cmpi slt, %i, %c3 : index
    cf.assert %ok, "index must be smaller than dim size"
    %positive = arith.cmpi sge, %in, %zero : i64
    cf.assert %positive, "index must be larger or equal to 0"
    %v = tensor.extract %table[%i] : tensor<3xf32>
    linalg.yield %v : f32
  } -> tensor<?x4096xf32>
  return %0 : tensor<?x4096xf32>
}
