// exp as a polynomial against the C library's in f64, over all of its range and
// below: the nearest f32, at most 2^-24 of the value from it and next to half way
// between two a little more; within half of the smallest number (2^-149) where it is
// subnormal.
// RUN: qk-run %s --entry=library --output=%t.npy
// RUN: qk-run %s --entry=polynomial --expect=%t.npy --rtol=5.97e-8 --atol=7.1e-46 | FileCheck %s
// CHECK: out0: largest difference {{.*}}, relative error {{[0-9.]+}}e-0{{[78]$}}

// log1p and expm1 from 1e-8 on, which log(1 + x) and exp(x) - 1 have no place
// of: against series.
// RUN: qk-run %s --entry=near_zero --output=%t.near.npy
// RUN: qk-run %s --entry=series --expect=%t.near.npy --rtol=2e-7

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
// x = 1e-8 · 2^i up to 1.3e-3, of both signs; log1p in the first half.
func.func private @small() -> tensor<72xf32> {
  %e = tensor.empty() : tensor<72xf32>
  %0 = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%e : tensor<72xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %half = arith.constant 36 : index
    %two = arith.constant 2 : index
    %in_half = arith.remui %i, %half : index
    %power = arith.divui %in_half, %two : index
    %sign = arith.remui %in_half, %two : index
    %one = arith.constant 1 : i32
    %p = arith.index_cast %power : index to i32
    %scale = arith.shli %one, %p : i32
    %f = arith.sitofp %scale : i32 to f32
    %least = arith.constant 1.0e-8 : f32
    %x = arith.mulf %f, %least : f32
    %n = arith.negf %x : f32
    %zero = arith.constant 0 : index
    %positive = arith.cmpi eq, %sign, %zero : index
    %r = arith.select %positive, %x, %n : f32
    linalg.yield %r : f32
  } -> tensor<72xf32>
  return %0 : tensor<72xf32>
}
func.func @near_zero() -> tensor<72xf32> {
  %x = call @small() : () -> tensor<72xf32>
  %e = tensor.empty() : tensor<72xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<72xf32>) outs(%e : tensor<72xf32>) {
  ^bb0(%a: f32, %o: f32):
    %i = linalg.index 0 : index
    %half = arith.constant 36 : index
    %first = arith.cmpi ult, %i, %half : index
    %l = math.log1p %a : f32
    %m = math.expm1 %a : f32
    %r = arith.select %first, %l, %m : f32
    linalg.yield %r : f32
  } -> tensor<72xf32>
  return %0 : tensor<72xf32>
}
// x - x²/2 + x³/3 and x + x²/2 + x³/6, in f64.
func.func @series() -> tensor<72xf64> {
  %x = call @small() : () -> tensor<72xf32>
  %e = tensor.empty() : tensor<72xf64>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<72xf32>) outs(%e : tensor<72xf64>) {
  ^bb0(%a: f32, %o: f64):
    %i = linalg.index 0 : index
    %half = arith.constant 36 : index
    %first = arith.cmpi ult, %i, %half : index
    %d = arith.extf %a : f32 to f64
    %c2 = arith.constant 0.5 : f64
    %n2 = arith.constant -0.5 : f64
    %c3 = arith.constant 0.16666666666666666 : f64
    %n3 = arith.constant 0.33333333333333333 : f64
    %second = arith.select %first, %n2, %c2 : f64
    %third = arith.select %first, %n3, %c3 : f64
    %0 = arith.mulf %third, %d : f64
    %1 = arith.addf %0, %second : f64
    %2 = arith.mulf %1, %d : f64
    %3 = arith.mulf %2, %d : f64
    %4 = arith.addf %3, %d : f64
    linalg.yield %4 : f64
  } -> tensor<72xf64>
  return %0 : tensor<72xf64>
}
