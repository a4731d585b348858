// RUN: qk-opt %s --quant-llm-to-reference \
// RUN:   | sed 's/quant_llm.parameter ""::"[^"]*" : .* = \(.*\)/arith.constant \1/' \
// RUN:   | %run-linalg | FileCheck %s
// Numbers of the reference lowering, against values computed by hand or with
// numpy. (sed plays the part of what binds parameters.)

func.func private @printMemrefF32(tensor<*xf32>) attributes {llvm.emit_c_interface}

func.func @linear_bf16(%x: tensor<1x?x3xbf16>, %w: tensor<2x3xbf16>, %b: tensor<2xbf16>) -> tensor<1x?x2xbf16> {
  %y = quant_llm.linear %x, %w bias(%b) name("fc") : (tensor<1x?x3xbf16>, tensor<2x3xbf16>, tensor<2xbf16>) -> tensor<1x?x2xbf16>
  return %y : tensor<1x?x2xbf16>
}
func.func @linear_vector(%x: tensor<3xf32>, %w: tensor<2x3xf32>) -> tensor<2xf32> {
  %y = quant_llm.linear %x, %w name("fc") : (tensor<3xf32>, tensor<2x3xf32>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}

func.func @main() {
  // Rounded once: 256 + 1 + 1 is 258 in f32 and in bf16; rounding after each
  // step (or before the bias) would give 256, since bf16 has no 257.
  // CHECK: rank = 3 {{.*}} sizes = [1, 2, 2]
  // CHECK: [258, 8.5
  // CHECK: [4, 0.53125]
  %x = arith.constant dense<[[[256.0, 1.0, 0.0], [1.0, 2.0, 0.0]]]> : tensor<1x2x3xbf16>
  %w = arith.constant dense<[[1.0, 1.0, 0.5], [0.03125, 0.0, 7.0]]> : tensor<2x3xbf16>
  %b = arith.constant dense<[1.0, 0.5]> : tensor<2xbf16>
  %xd = tensor.cast %x : tensor<1x2x3xbf16> to tensor<1x?x3xbf16>
  %y = call @linear_bf16(%xd, %w, %b) : (tensor<1x?x3xbf16>, tensor<2x3xbf16>, tensor<2xbf16>) -> tensor<1x?x2xbf16>
  %yf = arith.extf %y : tensor<1x?x2xbf16> to tensor<1x?x2xf32>
  %yu = tensor.cast %yf : tensor<1x?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%yu) : (tensor<*xf32>) -> ()

  // A single token without leading dimensions.
  // CHECK: rank = 1 {{.*}} sizes = [2]
  // CHECK: [14, -5]
  %x1 = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %w1 = arith.constant dense<[[1.0, 2.0, 3.0], [1.0, 0.0, -2.0]]> : tensor<2x3xf32>
  %y1 = call @linear_vector(%x1, %w1) : (tensor<3xf32>, tensor<2x3xf32>) -> tensor<2xf32>
  %y1u = tensor.cast %y1 : tensor<2xf32> to tensor<*xf32>
  call @printMemrefF32(%y1u) : (tensor<*xf32>) -> ()

  // CHECK: sizes = [3, 2]
  // CHECK: [1, 1]
  // CHECK: [2, 0]
  // CHECK: [3, -2]
  %t = quant_llm.transpose %w1 : tensor<2x3xf32>
  %tu = tensor.cast %t : tensor<3x2xf32> to tensor<*xf32>
  call @printMemrefF32(%tu) : (tensor<*xf32>) -> ()

  // The same weight stored as [K,N], and a square one that is not symmetric.
  // CHECK: sizes = [2]
  // CHECK: [14, -5]
  %t1 = quant_llm.transpose %w1 : tensor<2x3xf32>
  %tt = quant_llm.transpose %t1 : tensor<3x2xf32>
  %y2 = quant_llm.linear %x1, %tt name("fc") : (tensor<3xf32>, tensor<2x3xf32>) -> tensor<2xf32>
  %y2u = tensor.cast %y2 : tensor<2xf32> to tensor<*xf32>
  call @printMemrefF32(%y2u) : (tensor<*xf32>) -> ()
  // CHECK: [7, 10]
  %x3 = arith.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
  %square = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %squaret = quant_llm.transpose %square : tensor<2x2xf32>
  %y3 = quant_llm.linear %x3, %squaret name("fc") : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %y3u = tensor.cast %y3 : tensor<1x2xf32> to tensor<*xf32>
  call @printMemrefF32(%y3u) : (tensor<*xf32>) -> ()

  // CHECK: sizes = [2, 3]
  // CHECK: [2, 8, 0.75]
  // CHECK: [2, 0, -0.5]
  %s = arith.constant dense<[2.0, 4.0, 0.25]> : tensor<3xf32>
  %scaled = quant_llm.scale_columns %w1 by %s : tensor<2x3xf32>, tensor<3xf32>
  %scaledu = tensor.cast %scaled : tensor<2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%scaledu) : (tensor<*xf32>) -> ()
  // CHECK: [0.5, 0.5, 12]
  // CHECK: [0.5, 0, -8]
  %divided = quant_llm.scale_columns %w1 by inverse %s : tensor<2x3xf32>, tensor<3xf32>
  %dividedu = tensor.cast %divided : tensor<2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%dividedu) : (tensor<*xf32>) -> ()

  // (w + 1) / s - 1, and rows.
  // CHECK: [0, -0.25, 15]
  // CHECK: [0, -0.75, -5]
  %moved = quant_llm.scale_columns %w1 by inverse %s {offset = 1.0} : tensor<2x3xf32>, tensor<3xf32>
  %movedu = tensor.cast %moved : tensor<2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%movedu) : (tensor<*xf32>) -> ()
  // CHECK: [2, 4, 6]
  // CHECK: [4, 0, -8]
  %s2 = arith.constant dense<[2.0, 4.0]> : tensor<2xf32>
  %rows = quant_llm.scale_rows %w1 by %s2 : tensor<2x3xf32>, tensor<2xf32>
  %rowsu = tensor.cast %rows : tensor<2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%rowsu) : (tensor<*xf32>) -> ()
  // CHECK: [0.5, 1, 1.5]
  // CHECK: [0.25, 0, -0.5]
  %rowsi = quant_llm.scale_rows %w1 by inverse %s2 : tensor<2x3xf32>, tensor<2xf32>
  %rowsiu = tensor.cast %rowsi : tensor<2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%rowsiu) : (tensor<*xf32>) -> ()

  // Packed codes: 0 … 7 and 7 … 0 in 3 bits, rows of 24 bits; 6 and 5 codes.
  // numpy: bits LSB first of [[0,1,2,3,4,5,6,7],[7,6,5,4,3,2,1,0]], packbits
  // with bitorder="little".
  // CHECK: sizes = [2, 8]
  // CHECK: [0, 1, 2, 3, 4, 5, 6, 7]
  // CHECK: [7, 6, 5, 4, 3, 2, 1, 0]
  %c3 = quant_llm.parameter ""::"c3" : tensor<2x8xi3> = dense<[[136, 198, 250], [119, 57, 5]]> : tensor<2x3xi8>
  %one = arith.constant dense<1.0> : tensor<2x1xf32>
  %zero = arith.constant dense<0> : tensor<2x1xi8>
  %w3 = quant_llm.dequantize %c3, %one zero_points(%zero : tensor<2x1xi8>) scheme(<u3, group = -1, scale = f32>) : tensor<2x8xi3>, tensor<2x1xf32> -> tensor<2x8xf32>
  %w3u = tensor.cast %w3 : tensor<2x8xf32> to tensor<*xf32>
  call @printMemrefF32(%w3u) : (tensor<*xf32>) -> ()

  // Rows that end inside a byte: 3 codes of 2 bits, 3 of 4 bits.
  // CHECK: [0, 3, 2]
  // CHECK: [1, 1, 3]
  %c2 = quant_llm.parameter ""::"c2" : tensor<2x3xi2> = dense<[[44], [53]]> : tensor<2x1xi8>
  %w2 = quant_llm.dequantize %c2, %one zero_points(%zero : tensor<2x1xi8>) scheme(<u2, group = -1, scale = f32>) : tensor<2x3xi2>, tensor<2x1xf32> -> tensor<2x3xf32>
  %w2u = tensor.cast %w2 : tensor<2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%w2u) : (tensor<*xf32>) -> ()
  // CHECK: [15, 1, 9]
  // CHECK: [0, 8, 10]
  %c4 = quant_llm.parameter ""::"c4" : tensor<2x3xi4> = dense<[[31, 9], [128, 10]]> : tensor<2x2xi8>
  %w4 = quant_llm.dequantize %c4, %one zero_points(%zero : tensor<2x1xi8>) scheme(<u4, group = -1, scale = f32>) : tensor<2x3xi4>, tensor<2x1xf32> -> tensor<2x3xf32>
  %w4u = tensor.cast %w4 : tensor<2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%w4u) : (tensor<*xf32>) -> ()
  return
}
