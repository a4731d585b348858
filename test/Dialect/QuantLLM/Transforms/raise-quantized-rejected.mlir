// RUN: qk-opt %s -split-input-file -verify-diagnostics --quant-llm-raise-quantized --allow-unregistered-dialect -o /dev/null

#ng = affine_map<(n, k) -> (n, k floordiv 4)>
#nk = affine_map<(n, k) -> (n, k)>
func.func @real_zero_points(%x: tensor<3x8xf32>) -> tensor<3x2xf32> {
  %c = arith.constant dense<3> : tensor<2x8xi4>
  %s = arith.constant dense<0.5> : tensor<2x2xf32>
  %z = arith.constant dense<[[1.0, 2.5], [3.0, 4.0]]> : tensor<2x2xf32>
  %e = tensor.empty() : tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised weight: it has a zero point of 2.500000e+00; expected integers, which real-valued ones are not}}
  %w = linalg.generic {indexing_maps = [#nk, #ng, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %s, %z : tensor<2x8xi4>, tensor<2x2xf32>, tensor<2x2xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %scale: f32, %zero: f32, %out: f32):
    %0 = arith.extui %code : i4 to i32
    %1 = arith.uitofp %0 : i32 to f32
    %2 = arith.subf %1, %zero : f32
    %3 = arith.mulf %2, %scale : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  %f0 = arith.constant 0.0 : f32
  %ye = tensor.empty() : tensor<3x2xf32>
  %yf = linalg.fill ins(%f0 : f32) outs(%ye : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] ins(%x, %w : tensor<3x8xf32>, tensor<2x8xf32>) outs(%yf : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// -----

// One scale an input channel is what no scheme has.
#k = affine_map<(n, k) -> (k)>
#nk = affine_map<(n, k) -> (n, k)>
func.func @by_column(%x: tensor<3x8xf32>) -> tensor<3x2xf32> {
  %c = arith.constant dense<3> : tensor<2x8xi4>
  %s = arith.constant dense<0.5> : tensor<8xf32>
  %e = tensor.empty() : tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised matmul: its scales change from input channel to input channel; expected groups of them to share one}}
  %w = linalg.generic {indexing_maps = [#nk, #k, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %s : tensor<2x8xi4>, tensor<8xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %scale: f32, %out: f32):
    %1 = arith.sitofp %code : i4 to f32
    %3 = arith.mulf %1, %scale : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  %f0 = arith.constant 0.0 : f32
  %ye = tensor.empty() : tensor<3x2xf32>
  %yf = linalg.fill ins(%f0 : f32) outs(%ye : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] ins(%x, %w : tensor<3x8xf32>, tensor<2x8xf32>) outs(%yf : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// -----

// Scales that the module computes; a weight that no layer reads; activations
// are nobody's weight.
#nk = affine_map<(n, k) -> (n, k)>
#n = affine_map<(n, k) -> (n)>
func.func @computed(%s: tensor<2xf32>, %a: tensor<2x8xi8>, %one: tensor<2xf32>) -> (tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>) {
  %c = arith.constant dense<3> : tensor<2x8xi4>
  %t = arith.constant dense<0.5> : tensor<2xf32>
  %e = tensor.empty() : tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised weight: its scales are no constant of floats that can be read}}
  %w = linalg.generic {indexing_maps = [#nk, #n, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %s : tensor<2x8xi4>, tensor<2xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %scale: f32, %out: f32):
    %1 = arith.sitofp %code : i4 to f32
    %3 = arith.mulf %1, %scale : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised matmul: no linear layer reads the dequantised weight}}
  %v = linalg.generic {indexing_maps = [#nk, #n, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %t : tensor<2x8xi4>, tensor<2xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %scale: f32, %out: f32):
    %1 = arith.sitofp %code : i4 to f32
    %3 = arith.mulf %1, %scale : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  %x = linalg.generic {indexing_maps = [#nk, #n, #nk], iterator_types = ["parallel", "parallel"]} ins(%a, %one : tensor<2x8xi8>, tensor<2xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i8, %scale: f32, %out: f32):
    %1 = arith.sitofp %code : i8 to f32
    %3 = arith.mulf %1, %scale : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  return %w, %v, %x : tensor<2x8xf32>, tensor<2x8xf32>, tensor<2x8xf32>
}

// -----

// Where the result or the codes are not in order; bodies that compute scales and
// zero points; numbers that no scheme has.
#ng = affine_map<(n, k) -> (n, k floordiv 4)>
#nk = affine_map<(n, k) -> (n, k)>
#kn = affine_map<(n, k) -> (k, n)>
#k = affine_map<(n, k) -> (k)>
func.func @numbers(%x: tensor<3x8xf32>, %zs: tensor<2x2xi8>) -> (tensor<8x2xf32>, tensor<2x8xf32>) {
  %c = arith.constant dense<3> : tensor<2x8xi4>
  %row = arith.constant dense<3> : tensor<8xi4>
  %s = arith.constant dense<0.5> : tensor<2x2xf32>
  %et = tensor.empty() : tensor<8x2xf32>
  %e = tensor.empty() : tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised weight: its result isn't written in order}}
  %w0 = linalg.generic {indexing_maps = [#nk, #ng, #kn], iterator_types = ["parallel", "parallel"]} ins(%c, %s : tensor<2x8xi4>, tensor<2x2xf32>) outs(%et : tensor<8x2xf32>) {
  ^bb0(%code: i4, %scale: f32, %out: f32):
    %0 = arith.sitofp %code : i4 to f32
    %1 = arith.mulf %0, %scale : f32
    linalg.yield %1 : f32
  } -> tensor<8x2xf32>
  // expected-remark @+1 {{not a quantised weight: its codes are not indexed by all dimensions once}}
  %w1 = linalg.generic {indexing_maps = [#k, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%row, %s : tensor<8xi4>, tensor<2x2xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %scale: f32, %out: f32):
    %0 = arith.sitofp %code : i4 to f32
    %1 = arith.mulf %0, %scale : f32
    linalg.yield %1 : f32
  } -> tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised weight: its scale is computed}}
  %w2 = linalg.generic {indexing_maps = [#nk, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %s : tensor<2x8xi4>, tensor<2x2xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %a0: f32, %out: f32):
    %0 = arith.sitofp %code : i4 to f32
    %1 = arith.addf %a0, %a0 : f32
    %2 = arith.mulf %0, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised weight: its zero point is computed}}
  %w3 = linalg.generic {indexing_maps = [#nk, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %s : tensor<2x8xi4>, tensor<2x2xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %a0: f32, %out: f32):
    %0 = arith.sitofp %code : i4 to f32
    %1 = arith.addf %a0, %a0 : f32
    %2 = arith.subf %0, %1 : f32
    %3 = arith.mulf %2, %a0 : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised weight: it has a zero point of 2.500000; expected integers}}
  %w4 = linalg.generic {indexing_maps = [#nk, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %s : tensor<2x8xi4>, tensor<2x2xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %a0: f32, %out: f32):
    %z = arith.constant 2.5 : f32
    %0 = arith.sitofp %code : i4 to f32
    %2 = arith.subf %0, %z : f32
    %3 = arith.mulf %2, %a0 : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  %far = arith.constant dense<40000> : tensor<2x2xi32>
  // expected-remark @+1 {{not a quantised weight: it has a zero point of 40000; expected at most 32767 in magnitude}}
  %w5 = linalg.generic {indexing_maps = [#nk, #ng, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %s, %far : tensor<2x8xi4>, tensor<2x2xf32>, tensor<2x2xi32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %a0: f32, %a1: i32, %out: f32):
    %0 = arith.extui %code : i4 to i32
    %1 = arith.subi %0, %a1 : i32
    %2 = arith.sitofp %1 : i32 to f32
    %3 = arith.mulf %2, %a0 : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  %double = arith.constant dense<0.1> : tensor<2x2xf64>
  // expected-remark @+1 {{not a quantised weight: its scales are no constant of floats that can be read: its values are not exact in f32}}
  %w6 = linalg.generic {indexing_maps = [#nk, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %double : tensor<2x8xi4>, tensor<2x2xf64>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %a0: f64, %out: f32):
    %0 = arith.sitofp %code : i4 to f32
    %1 = arith.truncf %a0 : f64 to f32
    %3 = arith.mulf %0, %1 : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised weight: its zero points are no constant}}
  %w7 = linalg.generic {indexing_maps = [#nk, #ng, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %s, %zs : tensor<2x8xi4>, tensor<2x2xf32>, tensor<2x2xi8>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %a0: f32, %a1: i8, %out: f32):
    %0 = arith.extui %code : i4 to i32
    %z = arith.extsi %a1 : i8 to i32
    %1 = arith.subi %0, %z : i32
    %2 = arith.sitofp %1 : i32 to f32
    %3 = arith.mulf %2, %a0 : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  %doublez = arith.constant dense<0.1> : tensor<2x2xf64>
  // expected-remark @+1 {{not a quantised weight: its zero points: its values are not exact in f32}}
  %w8 = linalg.generic {indexing_maps = [#nk, #ng, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %s, %doublez : tensor<2x8xi4>, tensor<2x2xf32>, tensor<2x2xf64>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %a0: f32, %a1: f64, %out: f32):
    %0 = arith.sitofp %code : i4 to f32
    %1 = arith.truncf %a1 : f64 to f32
    %2 = arith.subf %0, %1 : f32
    %3 = arith.mulf %2, %a0 : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  %nowhere = quant_llm.parameter "nowhere"::"scales" : tensor<2x2xf32>
  // expected-remark @+1 {{not a quantised weight: its scales are no constant of floats that can be read: its data can't be read: }}
  %w9 = linalg.generic {indexing_maps = [#nk, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %nowhere : tensor<2x8xi4>, tensor<2x2xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %a0: f32, %out: f32):
    %0 = arith.sitofp %code : i4 to f32
    %3 = arith.mulf %0, %a0 : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  // Negative codes become large numbers here, a difference wraps, codes lose bits:
  // something else is computed.
  %w10 = linalg.generic {indexing_maps = [#nk, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %s : tensor<2x8xi4>, tensor<2x2xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %a0: f32, %out: f32):
    %0 = arith.extsi %code : i4 to i32
    %1 = arith.uitofp %0 : i32 to f32
    %3 = arith.mulf %1, %a0 : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  %z4 = arith.constant dense<1> : tensor<2x2xi4>
  %w11 = linalg.generic {indexing_maps = [#nk, #ng, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %s, %z4 : tensor<2x8xi4>, tensor<2x2xf32>, tensor<2x2xi4>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %a0: f32, %a1: i4, %out: f32):
    %0 = arith.subi %code, %a1 : i4
    %1 = arith.sitofp %0 : i4 to f32
    %3 = arith.mulf %1, %a0 : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  %w12 = linalg.generic {indexing_maps = [#nk, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %s : tensor<2x8xi4>, tensor<2x2xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %a0: f32, %out: f32):
    %0 = arith.trunci %code : i4 to i2
    %1 = arith.sitofp %0 : i2 to f32
    %3 = arith.mulf %1, %a0 : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  return %w0, %w1 : tensor<8x2xf32>, tensor<2x8xf32>
}

// -----

#ng = affine_map<(n, k) -> (n, k floordiv 4)>
#nk = affine_map<(n, k) -> (n, k)>
func.func @infinite(%x: tensor<3x8xf32>) -> (tensor<3x2xf32>, tensor<3x2xf32>) {
  %c = arith.constant dense<3> : tensor<2x8xi4>
  %inf = arith.constant dense<0x7F800000> : tensor<2x2xf32>
  %s = arith.constant dense<0.5> : tensor<2x2xf32>
  %z = arith.constant dense<-200> : tensor<2x2xi32>
  %e = tensor.empty() : tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised matmul: it has a scale of INF; expected finite ones}}
  %w = linalg.generic {indexing_maps = [#nk, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %inf : tensor<2x8xi4>, tensor<2x2xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %scale: f32, %out: f32):
    %0 = arith.sitofp %code : i4 to f32
    %1 = arith.mulf %0, %scale : f32
    linalg.yield %1 : f32
  } -> tensor<2x8xf32>
  // expected-remark @+1 {{not a quantised matmul: it has a zero point of -200, which its codes' type can't have}}
  %v = linalg.generic {indexing_maps = [#nk, #ng, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %s, %z : tensor<2x8xi4>, tensor<2x2xf32>, tensor<2x2xi32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %scale: f32, %zero: i32, %out: f32):
    %0 = arith.extui %code : i4 to i32
    %1 = arith.subi %0, %zero : i32
    %2 = arith.sitofp %1 : i32 to f32
    %3 = arith.mulf %2, %scale : f32
    linalg.yield %3 : f32
  } -> tensor<2x8xf32>
  %f0 = arith.constant 0.0 : f32
  %ye = tensor.empty() : tensor<3x2xf32>
  %yf = linalg.fill ins(%f0 : f32) outs(%ye : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] ins(%x, %w : tensor<3x8xf32>, tensor<2x8xf32>) outs(%yf : tensor<3x2xf32>) -> tensor<3x2xf32>
  %u = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] ins(%x, %v : tensor<3x8xf32>, tensor<2x8xf32>) outs(%yf : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %y, %u : tensor<3x2xf32>, tensor<3x2xf32>
}
