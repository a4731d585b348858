// RUN: qk-opt %s --quant-llm-pack-for-nvvm=model=device --quant-llm-fuse-row-quantizers -split-input-file | FileCheck %s
// What computes a quantiser's x within its rows becomes the quantiser's program.

// RMSNorm in f32. The square sum is one op, the rest another. A fill that
// others use, too, is computed again.
// CHECK-LABEL: func.func @rms(
// CHECK-SAME: %[[H:.*]]: tensor<?x96xf32>, %[[W:.*]]: tensor<96xf32>)
// CHECK: %[[HB:.*]] = bufferization.to_buffer %[[H]] read_only : tensor<?x96xf32> to memref<?x96xf32, strided<[?, 1], offset: ?>>
// CHECK: memref.cast %[[HB]] {{.*}} to memref<?x?xf32, strided<[?, 1], offset: ?>>
// CHECK: %[[WB:.*]] = bufferization.to_buffer %[[W]] read_only : tensor<96xf32> to memref<96xf32>
// CHECK: memref.cast %[[WB]] : memref<96xf32> to memref<?xf32>
// CHECK: %[[CODES:.*]] = memref.alloc(%{{.*}}) : memref<?x96xi8>
// CHECK: %[[SCALES:.*]] = memref.alloc(%{{.*}}) : memref<?x1xf32>
// CHECK: call @qk_quantize_s8_k96_xf32_of_rows0_launch(
// CHECK: bufferization.to_tensor %[[CODES]] restrict writable
// CHECK: bufferization.to_tensor %[[SCALES]] restrict writable
// CHECK-NOT: ins(
// CHECK: return

// Where nothing else uses it, the plain quantiser is gone; x comes first.
// CHECK-NOT: @qk_quantize_s8_k96_xf32_launch
// CHECK-LABEL: func.func private @rows0(
// CHECK-SAME: %[[X:.*]]: vector<96xf32> {qk_kernel.source = "row"}, %[[G:.*]]: vector<96xf32> {qk_kernel.source = "column"}) -> vector<96xf32>
// CHECK: %[[SQUARE:.*]] = arith.mulf %[[X]], %[[X]] : vector<96xf32>
// CHECK: %[[SUM:.*]] = vector.reduction <add>, %[[SQUARE]], %{{.*}} fastmath<reassoc> : vector<96xf32> into f32
// CHECK: %[[MEAN:.*]] = arith.divf %[[SUM]], %{{.*}} : f32
// CHECK: %[[R:.*]] = math.rsqrt %{{.*}} : f32
// CHECK: %[[B:.*]] = vector.broadcast %[[R]] : f32 to vector<96xf32>
// CHECK: %[[N:.*]] = arith.mulf %[[X]], %[[B]] : vector<96xf32>
// CHECK: %[[Y:.*]] = arith.mulf %[[N]], %[[G]] : vector<96xf32>
// CHECK: return %[[Y]]
// CHECK: func.func private @qk_quantize_s8_k96_xf32_of_rows0_launch(memref<?x?xf32, strided<[?, 1], offset: ?>>, memref<?xf32>, memref<?x?xi8, strided<[?, 1], offset: ?>>, memref<?x?xf32, strided<[?, 1], offset: ?>>) attributes {qk_kernel.nvvm_quantizer = {element = f32, k = 96 : i64, program = @rows0}}
func.func @rms(%h: tensor<?x96xf32>, %w: tensor<96xf32>) -> (tensor<?x96xi8>, tensor<?x1xf32>, tensor<?xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %k = arith.constant 96.0 : f32
  %eps = arith.constant 1.0e-5 : f32
  %m = tensor.dim %h, %c0 : tensor<?x96xf32>
  %e = tensor.empty(%m) : tensor<?xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%h : tensor<?x96xf32>) outs(%z : tensor<?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.mulf %in, %in : f32
    %1 = arith.addf %0, %out : f32
    linalg.yield %1 : f32
  } -> tensor<?xf32>
  %o = tensor.empty(%m) : tensor<?x96xf32>
  %x = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%h, %s, %w : tensor<?x96xf32>, tensor<?xf32>, tensor<96xf32>) outs(%o : tensor<?x96xf32>) {
  ^bb0(%in: f32, %sum: f32, %g: f32, %out: f32):
    %0 = arith.divf %sum, %k : f32
    %1 = arith.addf %0, %eps : f32
    %2 = math.rsqrt %1 : f32
    %3 = arith.mulf %in, %2 : f32
    %4 = arith.mulf %3, %g : f32
    linalg.yield %4 : f32
  } -> tensor<?x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<?x96xf32> -> tensor<?x96xi8>, tensor<?x1xf32>
  return %c, %t, %z : tensor<?x96xi8>, tensor<?x1xf32>, tensor<?xf32>
}

// -----

// A norm of f16 that works in f32, on three dimensions, with factors, and the
// mean kept as [..., 1] by reshapes. Each conversion stays.
// CHECK-LABEL: func.func @layernorm(
// CHECK: %[[ROWS:.*]] = tensor.collapse_shape %arg0 {{\[\[}}0, 1], [2]] : tensor<2x?x96xf16> into tensor<?x96xf16>
// CHECK: bufferization.to_buffer %[[ROWS]] read_only
// CHECK: call @qk_quantize_s8_k96_xf16_divided_of_rows0_launch(
// CHECK-LABEL: func.func private @rows0(
// CHECK-SAME: vector<96xf16> {qk_kernel.source = "row"}, %{{.*}}: vector<96xf16> {qk_kernel.source = "column"}) -> vector<96xf16>
// CHECK: %[[WIDE:.*]] = arith.extf %{{.*}} : vector<96xf16> to vector<96xf32>
// CHECK: %[[SUM:.*]] = vector.reduction <add>, %[[WIDE]], %{{.*}} fastmath<reassoc>
// CHECK: %[[MEAN:.*]] = arith.divf %[[SUM]], %{{.*}} : f32
// CHECK: %[[ALL:.*]] = vector.broadcast %[[MEAN]] : f32 to vector<96xf32>
// CHECK: %[[D:.*]] = arith.subf %[[WIDE]], %[[ALL]] : vector<96xf32>
// CHECK: arith.truncf %[[D]] : vector<96xf32> to vector<96xf16>
// CHECK: arith.addf %{{.*}} : vector<96xf16>
func.func @layernorm(%h: tensor<2x?x96xf16>, %b: tensor<96xf16>, %f: tensor<96xf32>) -> (tensor<2x?x96xi8>, tensor<2x?x1xf32>) {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %k = arith.constant 96.0 : f32
  %m = tensor.dim %h, %c1 : tensor<2x?x96xf16>
  %ew = tensor.empty(%m) : tensor<2x?x96xf32>
  %wide = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%h : tensor<2x?x96xf16>) outs(%ew : tensor<2x?x96xf32>) {
  ^bb0(%in: f16, %out: f32):
    %0 = arith.extf %in : f16 to f32
    linalg.yield %0 : f32
  } -> tensor<2x?x96xf32>
  %e = tensor.empty(%m) : tensor<2x?xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x?xf32>) -> tensor<2x?xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%wide : tensor<2x?x96xf32>) outs(%z : tensor<2x?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %out : f32
    linalg.yield %0 : f32
  } -> tensor<2x?xf32>
  %s1 = tensor.expand_shape %s [[0], [1, 2]] output_shape [2, %m, 1] : tensor<2x?xf32> into tensor<2x?x1xf32>
  %em = tensor.empty(%m) : tensor<2x?x1xf32>
  %mean = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, 0)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s1 : tensor<2x?x1xf32>) outs(%em : tensor<2x?x1xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.divf %in, %k : f32
    linalg.yield %0 : f32
  } -> tensor<2x?x1xf32>
  %eo = tensor.empty(%m) : tensor<2x?x96xf16>
  %x = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, 0)>, affine_map<(d0, d1, d2) -> (d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%wide, %mean, %b : tensor<2x?x96xf32>, tensor<2x?x1xf32>, tensor<96xf16>) outs(%eo : tensor<2x?x96xf16>) {
  ^bb0(%in: f32, %mu: f32, %bias: f16, %out: f16):
    %0 = arith.subf %in, %mu : f32
    %1 = arith.truncf %0 : f32 to f16
    %2 = arith.addf %1, %bias : f16
    linalg.yield %2 : f16
  } -> tensor<2x?x96xf16>
  %c, %t = quant_llm.quantize %x divided_by(%f : tensor<96xf32>) scheme(<8, per_token>) : tensor<2x?x96xf16> -> tensor<2x?x96xi8>, tensor<2x?x1xf32>
  return %c, %t : tensor<2x?x96xi8>, tensor<2x?x1xf32>
}

// -----

// One row, whose dimension is gone; a scalar of the host; a value of each row.
// Two equal programs are one.
// CHECK-LABEL: func.func @one_row(
// CHECK: tensor.from_elements %arg1 : tensor<1xf32>
// CHECK-COUNT-2: call @qk_quantize_s8_k96_xf32_of_rows0_launch(
// CHECK-LABEL: func.func @tokens(
// CHECK: call @qk_quantize_s8_k96_xf32_of_rows1_launch(
// CHECK: func.func private @rows0(%{{.*}}: vector<96xf32> {qk_kernel.source = "row"}, %{{.*}}: f32 {qk_kernel.source = "scalar"}) -> vector<96xf32>
// CHECK: vector.reduction <maximumf>
// CHECK: func.func private @rows1(%{{.*}}: vector<96xf32> {qk_kernel.source = "row"}, %{{.*}}: f32 {qk_kernel.source = "token"}) -> vector<96xf32>
func.func @one_row(%h: tensor<96xf32>, %a: f32, %h2: tensor<96xf32>) -> (tensor<1x96xi8>, tensor<1x96xi8>) {
  %low = arith.constant dense<0xFF800000> : tensor<f32>
  %o = tensor.empty() : tensor<96xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%h : tensor<96xf32>) outs(%low : tensor<f32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.maximumf %in, %out : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  %x = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%h, %s : tensor<96xf32>, tensor<f32>) outs(%o : tensor<96xf32>) {
  ^bb0(%in: f32, %largest: f32, %out: f32):
    %0 = arith.divf %in, %largest : f32
    %1 = arith.mulf %0, %a : f32
    linalg.yield %1 : f32
  } -> tensor<96xf32>
  %r = tensor.expand_shape %x [[0, 1]] output_shape [1, 96] : tensor<96xf32> into tensor<1x96xf32>
  %c, %t = quant_llm.quantize %r scheme(<8, per_token>) : tensor<1x96xf32> -> tensor<1x96xi8>, tensor<1x1xf32>
  %s2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%h2 : tensor<96xf32>) outs(%low : tensor<f32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.maximumf %in, %out : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  %x2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%h2, %s2 : tensor<96xf32>, tensor<f32>) outs(%o : tensor<96xf32>) {
  ^bb0(%in: f32, %largest: f32, %out: f32):
    %0 = arith.divf %in, %largest : f32
    %1 = arith.mulf %0, %a : f32
    linalg.yield %1 : f32
  } -> tensor<96xf32>
  %r2 = tensor.expand_shape %x2 [[0, 1]] output_shape [1, 96] : tensor<96xf32> into tensor<1x96xf32>
  %c2, %t2 = quant_llm.quantize %r2 scheme(<8, per_token>) : tensor<1x96xf32> -> tensor<1x96xi8>, tensor<1x1xf32>
  return %c, %c2 : tensor<1x96xi8>, tensor<1x96xi8>
}
func.func @tokens(%h: tensor<5x96xf32>, %v: tensor<5x1xf32>) -> tensor<5x96xi8> {
  %o = tensor.empty() : tensor<5x96xf32>
  %x = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, 0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%h, %v : tensor<5x96xf32>, tensor<5x1xf32>) outs(%o : tensor<5x96xf32>) {
  ^bb0(%in: f32, %value: f32, %out: f32):
    %0 = arith.mulf %in, %value : f32
    linalg.yield %0 : f32
  } -> tensor<5x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<5x96xf32> -> tensor<5x96xi8>, tensor<5x1xf32>
  return %c : tensor<5x96xi8>
}

// -----

// Only part of it: the sum of h and r has another user and is a source.
// CHECK-LABEL: func.func @residual(
// CHECK: %[[SUM:.*]] = linalg.add
// CHECK: bufferization.to_buffer %[[SUM]]
// CHECK: call @qk_quantize_s8_k96_xf32_of_rows0_launch(
// CHECK: return %{{.*}}, %[[SUM]]
func.func @residual(%h: tensor<5x96xf32>, %r: tensor<5x96xf32>) -> (tensor<5x96xi8>, tensor<5x96xf32>) {
  %e = tensor.empty() : tensor<5x96xf32>
  %s = linalg.add ins(%h, %r : tensor<5x96xf32>, tensor<5x96xf32>) outs(%e : tensor<5x96xf32>) -> tensor<5x96xf32>
  %x = linalg.negf ins(%s : tensor<5x96xf32>) outs(%e : tensor<5x96xf32>) -> tensor<5x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<5x96xf32> -> tensor<5x96xi8>, tensor<5x1xf32>
  return %c, %s : tensor<5x96xi8>, tensor<5x96xf32>
}

// -----

// Nothing of these: x with another user; 16 bits; per tensor; nothing before x.
// CHECK-LABEL: func.func @other_user(
// CHECK: quant_llm.quantize
// CHECK-LABEL: func.func @other_schemes(
// CHECK-COUNT-2: quant_llm.quantize
// CHECK-LABEL: func.func @nothing(
// CHECK: quant_llm.quantize
// CHECK-NOT: program
func.func @other_user(%h: tensor<5x96xf32>) -> (tensor<5x96xi8>, tensor<5x96xf32>) {
  %e = tensor.empty() : tensor<5x96xf32>
  %x = linalg.negf ins(%h : tensor<5x96xf32>) outs(%e : tensor<5x96xf32>) -> tensor<5x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<5x96xf32> -> tensor<5x96xi8>, tensor<5x1xf32>
  return %c, %x : tensor<5x96xi8>, tensor<5x96xf32>
}
func.func @other_schemes(%h: tensor<5x96xf32>) -> (tensor<5x96xi16>, tensor<5x96xi8>) {
  %e = tensor.empty() : tensor<5x96xf32>
  %x = linalg.negf ins(%h : tensor<5x96xf32>) outs(%e : tensor<5x96xf32>) -> tensor<5x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<16, per_token>) : tensor<5x96xf32> -> tensor<5x96xi16>, tensor<5x1xf32>
  %y = linalg.exp ins(%h : tensor<5x96xf32>) outs(%e : tensor<5x96xf32>) -> tensor<5x96xf32>
  %d, %u = quant_llm.quantize %y scheme(<8, per_tensor>) : tensor<5x96xf32> -> tensor<5x96xi8>, tensor<1x1xf32>
  return %c, %d : tensor<5x96xi16>, tensor<5x96xi8>
}
func.func @nothing(%h: tensor<2x3x96xf32>) -> tensor<2x3x96xi8> {
  %c, %t = quant_llm.quantize %h scheme(<8, per_token>) : tensor<2x3x96xf32> -> tensor<2x3x96xi8>, tensor<2x3x1xf32>
  return %c : tensor<2x3x96xi8>
}

// -----

// Sums over tokens, K that is not known, rows in another order, columns of heads,
// a gather, positions, bytes: what a row is made of must be the row's own.
// CHECK-LABEL: func.func @over_tokens(
// CHECK: ["reduction", "parallel"]
// CHECK: call @qk_quantize_s8_k96_xf32_of_rows0_launch(
func.func @over_tokens(%h: tensor<5x96xf32>) -> tensor<5x96xi8> {
  %zero = arith.constant dense<0.0> : tensor<96xf32>
  %e = tensor.empty() : tensor<5x96xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>], iterator_types = ["reduction", "parallel"]} ins(%h : tensor<5x96xf32>) outs(%zero : tensor<96xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %in, %out : f32
    linalg.yield %0 : f32
  } -> tensor<96xf32>
  %x = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%h, %s : tensor<5x96xf32>, tensor<96xf32>) outs(%e : tensor<5x96xf32>) {
  ^bb0(%in: f32, %sum: f32, %out: f32):
    %0 = arith.divf %in, %sum : f32
    linalg.yield %0 : f32
  } -> tensor<5x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<5x96xf32> -> tensor<5x96xi8>, tensor<5x1xf32>
  return %c : tensor<5x96xi8>
}
// CHECK-LABEL: func.func @unknown_k(
// CHECK: linalg.negf
// CHECK: quant_llm.quantize
func.func @unknown_k(%h: tensor<5x?xf32>) -> tensor<5x96xi8> {
  %c1 = arith.constant 1 : index
  %k = tensor.dim %h, %c1 : tensor<5x?xf32>
  %e = tensor.empty(%k) : tensor<5x?xf32>
  %n = linalg.negf ins(%h : tensor<5x?xf32>) outs(%e : tensor<5x?xf32>) -> tensor<5x?xf32>
  %x = tensor.cast %n : tensor<5x?xf32> to tensor<5x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<5x96xf32> -> tensor<5x96xi8>, tensor<5x1xf32>
  return %c : tensor<5x96xi8>
}
// CHECK-LABEL: func.func @transposed(
// CHECK: linalg.generic
// CHECK: quant_llm.quantize
func.func @transposed(%h: tensor<96x5xf32>) -> tensor<5x96xi8> {
  %e = tensor.empty() : tensor<5x96xf32>
  %x = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%h : tensor<96x5xf32>) outs(%e : tensor<5x96xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<5x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<5x96xf32> -> tensor<5x96xi8>, tensor<5x1xf32>
  return %c : tensor<5x96xi8>
}
// CHECK-LABEL: func.func @heads(
// CHECK: linalg.generic
// CHECK: quant_llm.quantize
func.func @heads(%h: tensor<4x5x24xf32>) -> tensor<5x96xi8> {
  %e = tensor.empty() : tensor<5x4x24xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1, d0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%h : tensor<4x5x24xf32>) outs(%e : tensor<5x4x24xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<5x4x24xf32>
  %x = tensor.collapse_shape %y [[0], [1, 2]] : tensor<5x4x24xf32> into tensor<5x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<5x96xf32> -> tensor<5x96xi8>, tensor<5x1xf32>
  return %c : tensor<5x96xi8>
}
// Every second element: its rows don't lie in memory as a kernel reads them. A
// half does.
// CHECK-LABEL: func.func @by_turns(
// CHECK: linalg.mul
// CHECK: quant_llm.quantize
func.func @by_turns(%h: tensor<?x192xf32>, %n: index) -> tensor<?x96xi8> {
  %a = tensor.extract_slice %h[0, 0] [%n, 96] [1, 2] : tensor<?x192xf32> to tensor<?x96xf32>
  %b = tensor.extract_slice %h[0, 1] [%n, 96] [1, 2] : tensor<?x192xf32> to tensor<?x96xf32>
  %e = tensor.empty(%n) : tensor<?x96xf32>
  %x = linalg.mul ins(%a, %b : tensor<?x96xf32>, tensor<?x96xf32>) outs(%e : tensor<?x96xf32>) -> tensor<?x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<?x96xf32> -> tensor<?x96xi8>, tensor<?x1xf32>
  return %c : tensor<?x96xi8>
}
// CHECK-LABEL: func.func @columns(
// CHECK: linalg.negf
// CHECK: quant_llm.quantize
func.func @columns(%h: tensor<?x96x2xf32>, %n: index) -> tensor<?x96xi8> {
  %s = tensor.extract_slice %h[0, 0, 1] [%n, 96, 1] [1, 1, 1] : tensor<?x96x2xf32> to tensor<?x96x1xf32>
  %a = tensor.collapse_shape %s [[0], [1, 2]] : tensor<?x96x1xf32> into tensor<?x96xf32>
  %e = tensor.empty(%n) : tensor<?x96xf32>
  %x = linalg.negf ins(%a : tensor<?x96xf32>) outs(%e : tensor<?x96xf32>) -> tensor<?x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<?x96xf32> -> tensor<?x96xi8>, tensor<?x1xf32>
  return %c : tensor<?x96xi8>
}
// CHECK-LABEL: func.func @half(
// CHECK: call @qk_quantize_s8_k96_xf32_of_
func.func @half(%h: tensor<?x192xf32>, %n: index) -> tensor<?x96xi8> {
  %a = tensor.extract_slice %h[0, 96] [%n, 96] [1, 1] : tensor<?x192xf32> to tensor<?x96xf32>
  %e = tensor.empty(%n) : tensor<?x96xf32>
  %x = linalg.negf ins(%a : tensor<?x96xf32>) outs(%e : tensor<?x96xf32>) -> tensor<?x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<?x96xf32> -> tensor<?x96xi8>, tensor<?x1xf32>
  return %c : tensor<?x96xi8>
}
// CHECK-LABEL: func.func @gather(
// CHECK: tensor.extract
// CHECK: quant_llm.quantize
func.func @gather(%h: tensor<5x96xf32>) -> tensor<5x96xi8> {
  %c95 = arith.constant 95 : index
  %e = tensor.empty() : tensor<5x96xf32>
  %x = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<5x96xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %k = arith.subi %c95, %j : index
    %0 = tensor.extract %h[%i, %k] : tensor<5x96xf32>
    linalg.yield %0 : f32
  } -> tensor<5x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<5x96xf32> -> tensor<5x96xi8>, tensor<5x1xf32>
  return %c : tensor<5x96xi8>
}
// CHECK-LABEL: func.func @positions(
// CHECK: linalg.generic
// CHECK: quant_llm.quantize
func.func @positions(%h: tensor<2x5x96xf32>, %p: tensor<5x96xf32>) -> tensor<2x5x96xi8> {
  %e = tensor.empty() : tensor<2x5x96xf32>
  %x = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%h, %p : tensor<2x5x96xf32>, tensor<5x96xf32>) outs(%e : tensor<2x5x96xf32>) {
  ^bb0(%in: f32, %position: f32, %out: f32):
    %0 = arith.addf %in, %position : f32
    linalg.yield %0 : f32
  } -> tensor<2x5x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<2x5x96xf32> -> tensor<2x5x96xi8>, tensor<2x5x1xf32>
  return %c : tensor<2x5x96xi8>
}
// CHECK-LABEL: func.func @bytes(
// CHECK: arith.sitofp
// CHECK: call @qk_quantize_s8_k96_xf32_of_
func.func @bytes(%h: tensor<5x96xi8>) -> tensor<5x96xi8> {
  %e = tensor.empty() : tensor<5x96xf32>
  %f = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%h : tensor<5x96xi8>) outs(%e : tensor<5x96xf32>) {
  ^bb0(%in: i8, %out: f32):
    %0 = arith.sitofp %in : i8 to f32
    linalg.yield %0 : f32
  } -> tensor<5x96xf32>
  %x = linalg.negf ins(%f : tensor<5x96xf32>) outs(%e : tensor<5x96xf32>) -> tensor<5x96xf32>
  %c, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<5x96xf32> -> tensor<5x96xi8>, tensor<5x1xf32>
  return %c : tensor<5x96xi8>
}
