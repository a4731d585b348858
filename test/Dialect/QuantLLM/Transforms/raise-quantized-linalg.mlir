// RUN: qk-opt %s -split-input-file --quant-llm-raise-quantized --allow-unregistered-dialect | FileCheck %s

// IREE's expanded groups: codes [N,G,g], scales and zero points [N,G] as
// floats, then a contraction with two reductions. Codes become a parameter
// [N,K] of four bits, zero points integers.
// CHECK-LABEL: func.func @expanded
// CHECK-SAME: (%[[X:.*]]: tensor<?x2x4xf32>)
// CHECK-DAG: %[[F:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0], [1, 2]]
// CHECK-DAG: %[[C:.*]] = quant_llm.parameter "quantized"::"expanded.0.codes" : tensor<2x8xi4> = dense_resource<expanded.0.codes>
// CHECK-DAG: %[[S:.*]] = quant_llm.parameter "quantized"::"expanded.0.scales" : tensor<2x2xf32>
// CHECK-DAG: %[[Z:.*]] = quant_llm.parameter "quantized"::"expanded.0.zero_points" : tensor<2x2xi8>
// CHECK: %[[Y:.*]] = quant_llm.matmul %[[F]], %[[C]], %[[S]] zero_points(%[[Z]]) scheme(<u4, group = 4, scale = f32>) name("expanded.0")
// CHECK-NOT: linalg.generic
// CHECK: return %[[Y]]
// CHECK: expanded.0.codes: "0x{{........}}1032547698BADCFE"
// CHECK: expanded.0.zero_points: "0x{{........}}07080F00"
func.func @expanded(%x: tensor<?x2x4xf32>) -> tensor<?x2xf32> {
  %c = arith.constant dense<[[[0, 1, 2, 3], [4, 5, 6, 7]], [[-8, -7, -6, -5], [-4, -3, -2, -1]]]> : tensor<2x2x4xi4>
  %s = arith.constant dense<[[0.5, 1.0], [2.0, 0.25]]> : tensor<2x2xf32>
  %z = arith.constant dense<[[7.0, 8.0], [15.0, 0.0]]> : tensor<2x2xf32>
  %e = tensor.empty() : tensor<2x2x4xf32>
  %w = linalg.generic {indexing_maps = [affine_map<(n, g, k) -> (n, g, k)>, affine_map<(n, g, k) -> (n, g)>, affine_map<(n, g, k) -> (n, g)>, affine_map<(n, g, k) -> (n, g, k)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%c, %s, %z : tensor<2x2x4xi4>, tensor<2x2xf32>, tensor<2x2xf32>) outs(%e : tensor<2x2x4xf32>) {
  ^bb0(%code: i4, %scale: f32, %zero: f32, %out: f32):
    %0 = arith.extui %code : i4 to i32
    %1 = arith.uitofp %0 : i32 to f32
    %2 = arith.subf %1, %zero : f32
    %3 = arith.mulf %2, %scale : f32
    linalg.yield %3 : f32
  } -> tensor<2x2x4xf32>
  %c0 = arith.constant 0 : index
  %f0 = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : tensor<?x2x4xf32>
  %ye = tensor.empty(%m) : tensor<?x2xf32>
  %yf = linalg.fill ins(%f0 : f32) outs(%ye : tensor<?x2xf32>) -> tensor<?x2xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, g, k) -> (m, g, k)>, affine_map<(m, n, g, k) -> (n, g, k)>, affine_map<(m, n, g, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%x, %w : tensor<?x2x4xf32>, tensor<2x2x4xf32>) outs(%yf : tensor<?x2xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %0, %o : f32
    linalg.yield %1 : f32
  } -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// A floordiv map, codes in bytes, integer zero points subtracted as integers,
// weight transposed for a named matmul; the layer is named after its codes. The
// fewest bits that hold the codes are three.
// CHECK-LABEL: func.func @floordiv
// CHECK: quant_llm.matmul %{{.*}} zero_points(%{{.*}}) scheme(<u3, group = 4, scale = f16>) name("model.layers.0.mlp.up_proj") : (tensor<?x6xf32>, tensor<2x6xi3>, tensor<2x2xf16>, tensor<2x2xi8>) -> tensor<?x2xf32>
// CHECK-NOT: linalg
// CHECK: return
func.func @floordiv(%x: tensor<?x6xf32>) -> tensor<?x2xf32> {
  %c = quant_llm.parameter ""::"model.layers.0.mlp.up_proj.qweight" : tensor<2x6xi8> = dense<[[0, 1, 2, 3, 4, 5], [6, 7, 6, 5, 4, 3]]> : tensor<2x6xi8>
  %s = arith.constant dense<[[0.5, 1.0], [2.0, 0.25]]> : tensor<2x2xf16>
  %z = arith.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi8>
  %e = tensor.empty() : tensor<2x6xf32>
  %w = linalg.generic {indexing_maps = [affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> (n, k floordiv 4)>, affine_map<(n, k) -> (n, k floordiv 4)>, affine_map<(n, k) -> (n, k)>], iterator_types = ["parallel", "parallel"]} ins(%c, %s, %z : tensor<2x6xi8>, tensor<2x2xf16>, tensor<2x2xi8>) outs(%e : tensor<2x6xf32>) {
  ^bb0(%code: i8, %scale: f16, %zero: i8, %out: f32):
    %0 = arith.extui %code : i8 to i32
    %1 = arith.extsi %zero : i8 to i32
    %2 = arith.subi %0, %1 : i32
    %3 = arith.sitofp %2 : i32 to f32
    %4 = arith.extf %scale : f16 to f32
    %5 = arith.mulf %4, %3 : f32
    linalg.yield %5 : f32
  } -> tensor<2x6xf32>
  %te = tensor.empty() : tensor<6x2xf32>
  %t = linalg.transpose ins(%w : tensor<2x6xf32>) outs(%te : tensor<6x2xf32>) permutation = [1, 0]
  %c0 = arith.constant 0 : index
  %f0 = arith.constant 0.0 : f32
  %m = tensor.dim %x, %c0 : tensor<?x6xf32>
  %ye = tensor.empty(%m) : tensor<?x2xf32>
  %yf = linalg.fill ins(%f0 : f32) outs(%ye : tensor<?x2xf32>) -> tensor<?x2xf32>
  %y = linalg.matmul ins(%x, %t : tensor<?x6xf32>, tensor<6x2xf32>) outs(%yf : tensor<?x2xf32>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// -----

// One scale for all, signed codes of eight bits, stored as [K,N]; zero is no
// zero point. A weight that something else reads too stays for that.
// CHECK-LABEL: func.func @tensor
// CHECK: linalg.generic
// CHECK: quant_llm.matmul %{{[^)]*}} scheme(<s8, group = -1, scale = f32>) name("tensor.0") : (tensor<3x4xf32>, tensor<2x4xi8>, tensor<2x1xf32>) -> tensor<3x2xf32>
func.func @tensor(%x: tensor<3x4xf32>) -> (tensor<3x2xf32>, tensor<4x2xf32>) {
  %c = arith.constant dense<[[-128, 1], [2, 3], [4, 127], [6, 7]]> : tensor<4x2xi8>
  %e = tensor.empty() : tensor<4x2xf32>
  %w = linalg.generic {indexing_maps = [affine_map<(k, n) -> (k, n)>, affine_map<(k, n) -> (k, n)>], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<4x2xi8>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%code: i8, %out: f32):
    %scale = arith.constant 0.125 : f32
    %0 = arith.sitofp %code : i8 to f32
    %1 = arith.mulf %0, %scale : f32
    linalg.yield %1 : f32
  } -> tensor<4x2xf32>
  %f0 = arith.constant 0.0 : f32
  %ye = tensor.empty() : tensor<3x2xf32>
  %yf = linalg.fill ins(%f0 : f32) outs(%ye : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = linalg.matmul ins(%x, %w : tensor<3x4xf32>, tensor<4x2xf32>) outs(%yf : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %y, %w : tensor<3x2xf32>, tensor<4x2xf32>
}

// -----

// IREE's own op, as its importer of torch writes it.
// CHECK-LABEL: func.func @iree
// CHECK: quant_llm.matmul %{{.*}} zero_points(%{{.*}}) scheme(<u4, group = 4, scale = f32>) name("iree.0") : (tensor<3x8xf32>, tensor<2x8xi4>, tensor<2x2xf32>, tensor<2x2xi8>) -> tensor<3x2xf32>
// CHECK-NOT: iree_linalg_ext
// CHECK: return
func.func @iree(%x: tensor<3x8xf32>) -> tensor<3x2xf32> {
  %c = arith.constant dense<[[[0, 1, 2, 3], [4, 5, 6, 7]], [[8, 9, 10, 11], [12, 13, 14, 15]]]> : tensor<2x2x4xi8>
  %s = arith.constant dense<[[0.5, 1.0], [2.0, 0.25]]> : tensor<2x2xf32>
  %z = arith.constant dense<[[7, 8], [15, 0]]> : tensor<2x2xi64>
  %e = tensor.empty() : tensor<2x2x4xf32>
  %w = "iree_linalg_ext.dequantize_affine"(%c, %s, %z, %e) <{indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], input_unsigned, quant_max = 15 : i64, quant_min = 0 : i64}> : (tensor<2x2x4xi8>, tensor<2x2xf32>, tensor<2x2xi64>, tensor<2x2x4xf32>) -> tensor<2x2x4xf32>
  %f = tensor.collapse_shape %w [[0], [1, 2]] : tensor<2x2x4xf32> into tensor<2x8xf32>
  %f0 = arith.constant 0.0 : f32
  %ye = tensor.empty() : tensor<3x2xf32>
  %yf = linalg.fill ins(%f0 : f32) outs(%ye : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] ins(%x, %f : tensor<3x8xf32>, tensor<2x8xf32>) outs(%yf : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// -----

// Scales and zero points that are converted before: they are read as they are
// stored. A zero point of 200 is unsigned here; 64 bits are cut to 32, which
// hold it.
// CHECK-LABEL: func.func @converted
// CHECK: quant_llm.matmul %{{.*}} zero_points(%{{.*}}) scheme(<u8, group = 4, scale = f16>) name("converted.0") : (tensor<3x8xf32>, tensor<2x8xi8>, tensor<2x2xf16>, tensor<2x2xi16>) -> tensor<3x2xf32>
// CHECK: quant_llm.matmul %{{.*}} zero_points(%{{.*}}) scheme(<u4, group = 4, scale = f32>) name("converted.1")
// CHECK-NOT: linalg
// CHECK: return
// CHECK-DAG: converted.0.zero_points: "0x{{........}}0700C800FF000000"
// CHECK-DAG: converted.1.zero_points: "0x{{........}}07FD0F00"
#id = affine_map<(n, g) -> (n, g)>
#ng = affine_map<(n, k) -> (n, k floordiv 4)>
#nk = affine_map<(n, k) -> (n, k)>
func.func @converted(%x: tensor<3x8xf32>) -> (tensor<3x2xf32>, tensor<3x2xf32>) {
  %c = arith.constant dense<[[0, 1, 2, 3, 4, 5, 6, 7], [-8, -7, -6, -5, -4, -3, -2, -1]]> : tensor<2x8xi8>
  %s = arith.constant dense<[[0.5, 1.0], [2.0, 0.25]]> : tensor<2x2xf16>
  %z = arith.constant dense<[[7, -56], [-1, 0]]> : tensor<2x2xi8>
  %ge = tensor.empty() : tensor<2x2xf32>
  %sf = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<2x2xf16>) outs(%ge : tensor<2x2xf32>) {
  ^bb0(%in: f16, %out: f32):
    %0 = arith.extf %in : f16 to f32
    linalg.yield %0 : f32
  } -> tensor<2x2xf32>
  %zf = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%z : tensor<2x2xi8>) outs(%ge : tensor<2x2xf32>) {
  ^bb0(%in: i8, %out: f32):
    %0 = arith.uitofp %in : i8 to f32
    linalg.yield %0 : f32
  } -> tensor<2x2xf32>
  %e = tensor.empty() : tensor<2x8xf32>
  %w = linalg.generic {indexing_maps = [#nk, #ng, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%c, %sf, %zf : tensor<2x8xi8>, tensor<2x2xf32>, tensor<2x2xf32>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i8, %scale: f32, %zero: f32, %out: f32):
    %0 = arith.uitofp %code : i8 to f32
    %1 = arith.subf %0, %zero : f32
    %2 = arith.mulf %1, %scale : f32
    linalg.yield %2 : f32
  } -> tensor<2x8xf32>
  %q = arith.constant dense<3> : tensor<2x8xi4>
  %s1 = arith.constant dense<[[0.5, 1.0], [2.0, 0.25]]> : tensor<2x2xf32>
  %z1 = arith.constant dense<[[7, -3], [15, 0]]> : tensor<2x2xi64>
  %v = linalg.generic {indexing_maps = [#nk, #ng, #ng, #nk], iterator_types = ["parallel", "parallel"]} ins(%q, %s1, %z1 : tensor<2x8xi4>, tensor<2x2xf32>, tensor<2x2xi64>) outs(%e : tensor<2x8xf32>) {
  ^bb0(%code: i4, %scale: f32, %zero: i64, %out: f32):
    %0 = arith.extui %code : i4 to i32
    %1 = arith.trunci %zero : i64 to i32
    %2 = arith.subi %0, %1 : i32
    %3 = arith.sitofp %2 : i32 to f32
    %4 = arith.mulf %3, %scale : f32
    linalg.yield %4 : f32
  } -> tensor<2x8xf32>
  %f0 = arith.constant 0.0 : f32
  %ye = tensor.empty() : tensor<3x2xf32>
  %yf = linalg.fill ins(%f0 : f32) outs(%ye : tensor<3x2xf32>) -> tensor<3x2xf32>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] ins(%x, %w : tensor<3x8xf32>, tensor<2x8xf32>) outs(%yf : tensor<3x2xf32>) -> tensor<3x2xf32>
  %u = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] ins(%x, %v : tensor<3x8xf32>, tensor<2x8xf32>) outs(%yf : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %y, %u : tensor<3x2xf32>, tensor<3x2xf32>
}
