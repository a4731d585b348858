// exp as a polynomial against the C library's in f64, over all of its range and
// below: the nearest f32, at most 2^-24 of the value from it and next to half way
// between two a little more; within half of the smallest number (2^-149) where it is
// subnormal.
// RUN: qk-run %s --entry=library --output=%t.npy
// RUN: qk-run %s --entry=polynomial --expect=%t.npy --rtol=5.97e-8 --atol=7.1e-46 | FileCheck %s
// CHECK: out0: largest difference {{.*}}, relative error {{[0-9.]+}}e-0{{[78]$}}

#id = affine_map<(d0) -> (d0)>
func.func private @arguments() -> tensor<100000xf32> {
  %e = tensor.empty() : tensor<100000xf32>
  %0 = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%e : tensor<100000xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %j = arith.index_cast %i : index to i64
    %x = arith.sitofp %j : i64 to f32
    %step = arith.constant 0.00207 : f32
    %first = arith.constant -118.4 : f32
    %y = arith.mulf %x, %step : f32
    %z = arith.addf %y, %first : f32
    linalg.yield %z : f32
  } -> tensor<100000xf32>
  return %0 : tensor<100000xf32>
}
func.func @polynomial() -> tensor<100000xf32> {
  %x = call @arguments() : () -> tensor<100000xf32>
  %e = tensor.empty() : tensor<100000xf32>
  %0 = linalg.exp ins(%x : tensor<100000xf32>) outs(%e : tensor<100000xf32>) -> tensor<100000xf32>
  return %0 : tensor<100000xf32>
}
func.func @library() -> tensor<100000xf64> {
  %x = call @arguments() : () -> tensor<100000xf32>
  %e = tensor.empty() : tensor<100000xf64>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<100000xf32>) outs(%e : tensor<100000xf64>) {
  ^bb0(%a: f32, %o: f64):
    %d = arith.extf %a : f32 to f64
    %r = math.exp %d : f64
    linalg.yield %r : f64
  } -> tensor<100000xf64>
  return %0 : tensor<100000xf64>
}
