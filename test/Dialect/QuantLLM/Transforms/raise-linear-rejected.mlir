// RUN: qk-opt --quant-llm-raise-linear --split-input-file --verify-diagnostics %s
// What looks like a linear layer and is none, with the reason.

func.func @dynamic_weight(%x: tensor<2x2xf32>, %w: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x2xf32>
  // expected-remark @below {{not a linear layer: neither operand is a constant: a weight must be known when the model is compiled}}
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

func.func @both_constant() -> tensor<2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x2xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  // expected-remark @below {{not a linear layer: both operands are constants}}
  %y = linalg.matmul ins(%w, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

// W*x itself is one, x*W of transposes; a sum with it is not along the last dimension.
func.func @added_to_constant_left(%x: tensor<2x2xf32>, %sum: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  // expected-remark @below {{not a linear layer: the product is added to a computed value; expected zeros or a constant bias}}
  %y = linalg.matmul ins(%w, %x : tensor<2x2xf32>, tensor<2x2xf32>) outs(%sum : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

func.func @batched_weight(%x: tensor<2x2x2xf32>) -> tensor<2x2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x2x2xf32>
  %w = arith.constant dense<[[[1., 2.], [3., 4.]], [[5., 6.], [7., 8.]]]> : tensor<2x2x2xf32>
  // expected-remark @below {{not a linear layer: the weight has a batch dimension; expected one weight for all batches}}
  %y = linalg.batch_matmul ins(%x, %w : tensor<2x2x2xf32>, tensor<2x2x2xf32>) outs(%zero : tensor<2x2x2xf32>) -> tensor<2x2x2xf32>
  return %y : tensor<2x2x2xf32>
}

// -----

func.func @computed_sum(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  // expected-remark @below {{not a linear layer: the product is added to a computed value; expected zeros or a constant bias}}
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%x : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

func.func @of_two_types(%x: tensor<2x2xf16>) -> tensor<2x2xbf16> {
  %zero = arith.constant dense<0.0> : tensor<2x2xbf16>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xbf16>
  // expected-remark @below {{not a linear layer: input and result have element types of which neither holds the other's values}}
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<2x2xf16>, tensor<2x2xbf16>) outs(%zero : tensor<2x2xbf16>) {
  ^bb0(%a: f16, %c: bf16, %out: bf16):
    %aw = arith.extf %a : f16 to f32
    %cw = arith.extf %c : bf16 to f32
    %ow = arith.extf %out : bf16 to f32
    %m = arith.mulf %aw, %cw : f32
    %s = arith.addf %ow, %m : f32
    %r = arith.truncf %s : f32 to bf16
    linalg.yield %r : bf16
  } -> tensor<2x2xbf16>
  return %y : tensor<2x2xbf16>
}

// -----

// The head shares its weight with an embedding.
func.func @tied_head(%x: tensor<2x2xf32>, %i: index) -> (tensor<2x2xf32>, f32) {
  %zero = arith.constant dense<0.0> : tensor<2x2xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  // expected-remark @below {{head 'tied_head.0' stays in float; only= with its name raises it}}
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  %e = tensor.extract %w[%i, %i] : tensor<2x2xf32>
  return %y, %e : tensor<2x2xf32>, f32
}

// -----

// Rotary angles: positions times frequencies.
func.func @outer_product(%x: tensor<4x1xf32>) -> tensor<4x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<4x2xf32>
  %w = arith.constant dense<[[1.0, 0.01]]> : tensor<1x2xf32>
  // expected-remark @below {{not a linear layer: one channel is contracted: an outer product, such as that of positions and rotary frequencies}}
  %y = linalg.matmul ins(%x, %w : tensor<4x1xf32>, tensor<1x2xf32>) outs(%zero : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

// The same with the constant first, as rotary embeddings write it.
func.func @outer_product_left(%x: tensor<1x1x4xf32>) -> tensor<1x2x4xf32> {
  %zero = arith.constant dense<0.0> : tensor<1x2x4xf32>
  %w = arith.constant dense<[[[1.0], [0.01]]]> : tensor<1x2x1xf32>
  // expected-remark @below {{not a linear layer: one channel is contracted: an outer product}}
  %y = linalg.batch_matmul ins(%w, %x : tensor<1x2x1xf32>, tensor<1x1x4xf32>) outs(%zero : tensor<1x2x4xf32>) -> tensor<1x2x4xf32>
  return %y : tensor<1x2x4xf32>
}

// -----

// Rows of a table by one-hot codes.
func.func @one_hot(%ids: tensor<4x2xi1>) -> tensor<4x3xf32> {
  %zero = arith.constant dense<0.0> : tensor<4x3xf32>
  %w = arith.constant dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>
  %x = arith.uitofp %ids : tensor<4x2xi1> to tensor<4x2xf32>
  // expected-remark @below {{not a linear layer: its input is converted from integers: positions, or one-hot codes that look up rows of a table}}
  %y = linalg.matmul ins(%x, %w : tensor<4x2xf32>, tensor<2x3xf32>) outs(%zero : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}

// -----

func.func @dot(%x: tensor<3xf32>) -> tensor<f32> {
  %zero = arith.constant dense<0.0> : tensor<f32>
  %w = arith.constant dense<[1., 2., 3.]> : tensor<3xf32>
  // expected-remark @below {{not a linear layer: the product has no output channels}}
  %y = linalg.dot ins(%x, %w : tensor<3xf32>, tensor<3xf32>) outs(%zero : tensor<f32>) -> tensor<f32>
  return %y : tensor<f32>
}

// -----

// A vector repeated for every output channel.
func.func @repeated_channels(%x: tensor<4x3xf32>) -> tensor<4x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<4x2xf32>
  %v = arith.constant dense<[1., 2., 3.]> : tensor<3xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %w = linalg.broadcast ins(%v : tensor<3xf32>) outs(%e : tensor<3x2xf32>) dimensions = [1]
  // expected-remark @below {{not a linear layer: the weight repeats elements of a constant along its channels}}
  %y = linalg.matmul ins(%x, %w : tensor<4x3xf32>, tensor<3x2xf32>) outs(%zero : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @unknown_channels(%x: tensor<4x?xf32>) -> tensor<4x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<4x2xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  // expected-remark @below {{not a linear layer: the number of input or output channels is unknown in the types of the product}}
  %y = linalg.matmul ins(%x, %w : tensor<4x?xf32>, tensor<2x2xf32>) outs(%zero : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

// A stack of layers' weights, one taken by the loop's counter.
func.func @cut_from_stack(%x: tensor<4x2xf32>, %layer: index) -> tensor<4x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<4x2xf32>
  %w = arith.constant dense<[[[1., 2.], [3., 4.]], [[5., 6.], [7., 8.]]]> : tensor<2x2x2xf32>
  %s = tensor.extract_slice %w[%layer, 0, 0] [1, 2, 2] [1, 1, 1] : tensor<2x2x2xf32> to tensor<2x2xf32>
  // expected-remark @below {{not a linear layer: its weight is cut out of a stack of weights at a place known only at run time; expected the loop over layers unrolled when the model is exported}}
  %y = linalg.matmul ins(%x, %s : tensor<4x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

// Every other row.
func.func @slice_of_constant(%x: tensor<4x2xf32>) -> tensor<4x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<4x2xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.], [5., 6.]]> : tensor<3x2xf32>
  %s = tensor.extract_slice %w[0, 0] [2, 2] [2, 1] : tensor<3x2xf32> to tensor<2x2xf32>
  // expected-remark @below {{not a linear layer: its weight is every other element of a larger constant, or a slice of a reshaped one; expected each weight as a constant of its own}}
  %y = linalg.matmul ins(%x, %s : tensor<4x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y : tensor<4x2xf32>
}

// -----

func.func @strided_convolution(%x: tensor<1x4x4x2xf32>) -> tensor<1x2x2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<1x2x2x2xf32>
  %w = arith.constant dense<[[[[1., 2.], [3., 4.]]]]> : tensor<1x1x2x2xf32>
  // expected-remark @below {{not a linear layer: a convolution of size 1 with stride; expected stride 1}}
  %y = linalg.conv_2d_nhwc_hwcf {strides = dense<2> : tensor<2xi64>} ins(%x, %w : tensor<1x4x4x2xf32>, tensor<1x1x2x2xf32>) outs(%zero : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  return %y : tensor<1x2x2x2xf32>
}

// -----

// A patch embedding looks at windows and is nothing like a linear layer.
func.func @patches(%x: tensor<1x4x4x2xf32>) -> tensor<1x2x2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<1x2x2x2xf32>
  %w = arith.constant dense<[[[[1., 2.], [3., 4.]], [[1., 2.], [3., 4.]]], [[[1., 2.], [3., 4.]], [[1., 2.], [3., 4.]]]]> : tensor<2x2x2x2xf32>
  %y = linalg.conv_2d_nhwc_hwcf {strides = dense<2> : tensor<2xi64>} ins(%x, %w : tensor<1x4x4x2xf32>, tensor<2x2x2x2xf32>) outs(%zero : tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  return %y : tensor<1x2x2x2xf32>
}

// -----

func.func @tosa_constant_left(%x: tensor<1x2x4xf32>) -> tensor<1x2x4xf32> {
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<[[[1., 2.], [3., 4.]]]> : tensor<1x2x2xf32>}> : () -> tensor<1x2x2xf32>
  // expected-remark @below {{not a linear layer: the constant is the left operand, a product W*x; expected x*W}}
  %y = tosa.matmul %w, %x, %zp, %zp : (tensor<1x2x2xf32>, tensor<1x2x4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x4xf32>
  return %y : tensor<1x2x4xf32>
}

// -----

func.func @tosa_zero_point(%x: tensor<1x4x2xf32>, %zp: tensor<1xf32>) -> tensor<1x4x2xf32> {
  %w = "tosa.const"() <{values = dense<[[[1., 2.], [3., 4.]]]> : tensor<1x2x2xf32>}> : () -> tensor<1x2x2xf32>
  // expected-remark @below {{not a linear layer: expected zero points that are constants of value zero in a product of floats}}
  %y = tosa.matmul %x, %w, %zp, %zp : (tensor<1x4x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  return %y : tensor<1x4x2xf32>
}

// -----

func.func @tosa_both(%x: tensor<1x4x2xf32>) -> tensor<1x2x2xf32> {
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<[[[1., 2.], [3., 4.]]]> : tensor<1x2x2xf32>}> : () -> tensor<1x2x2xf32>
  // expected-remark @below {{not a linear layer: both operands are constants}}
  %y = tosa.matmul %w, %w, %zp, %zp : (tensor<1x2x2xf32>, tensor<1x2x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x2xf32>
  return %y : tensor<1x2x2xf32>
}

// -----

func.func @tosa_strided(%x: tensor<1x3x3x2xf32>) -> tensor<1x2x2x2xf32> {
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<[[[[1., 2.]]], [[[3., 4.]]]]> : tensor<2x1x1x2xf32>}> : () -> tensor<2x1x1x2xf32>
  // expected-remark @below {{not a linear layer: a convolution of size 1x1 with stride or padding; expected stride 1 and no padding}}
  %y = tosa.conv2d %x, %w, %zp, %zp, %zp {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 2, 2>} : (tensor<1x3x3x2xf32>, tensor<2x1x1x2xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x2x2x2xf32>
  return %y : tensor<1x2x2x2xf32>
}

// -----

func.func @tosa_one_bias(%x: tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32> {
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %b = "tosa.const"() <{values = dense<0.5> : tensor<1xf32>}> : () -> tensor<1xf32>
  %w = "tosa.const"() <{values = dense<[[[[1., 2.]]], [[[3., 4.]]]]> : tensor<2x1x1x2xf32>}> : () -> tensor<2x1x1x2xf32>
  // expected-remark @below {{not a linear layer: one bias for all channels; expected one each, or zero}}
  %y = tosa.conv2d %x, %w, %b, %zp, %zp {acc_type = f32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x2xf32>, tensor<2x1x1x2xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x4x2xf32>
  return %y : tensor<1x4x4x2xf32>
}

// -----

// A head whose transpose was folded has a copy of the embedding's elements.
func.func @tosa_tied_head(%x: tensor<1x4x3xf32>, %ids: tensor<1x4xi32>) -> (tensor<1x4x2xf32>, tensor<1x4x3xf32>) {
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %e = "tosa.const"() <{values = dense<[[[1., 2., 3.], [4., 5., 6.]]]> : tensor<1x2x3xf32>}> : () -> tensor<1x2x3xf32>
  %w = "tosa.const"() <{values = dense<[[[1., 4.], [2., 5.], [3., 6.]]]> : tensor<1x3x2xf32>}> : () -> tensor<1x3x2xf32>
  // expected-remark @below {{head 'tosa_tied_head.0' stays in float; only= with its name raises it}}
  %y = tosa.matmul %x, %w, %zp, %zp : (tensor<1x4x3xf32>, tensor<1x3x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x4x2xf32>
  %r = tosa.gather %e, %ids : (tensor<1x2x3xf32>, tensor<1x4xi32>) -> tensor<1x4x3xf32>
  return %y, %r : tensor<1x4x2xf32>, tensor<1x4x3xf32>
}

// -----

// JAX looks rows up, and makes one-hot codes, in helper functions.
func.func private @_take(%table: tensor<2x2xf32>, %i: index) -> f32 {
  %e = tensor.extract %table[%i, %i] : tensor<2x2xf32>
  return %e : f32
}
func.func private @_one_hot(%ids: tensor<4x2xi1>) -> tensor<4x2xf32> {
  %x = arith.uitofp %ids : tensor<4x2xi1> to tensor<4x2xf32>
  return %x : tensor<4x2xf32>
}
func.func @helpers(%x: tensor<2x2xf32>, %ids: tensor<4x2xi1>, %i: index) -> (tensor<2x2xf32>, f32, tensor<4x3xf32>) {
  %zero = arith.constant dense<0.0> : tensor<2x2xf32>
  %zero1 = arith.constant dense<0.0> : tensor<4x3xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  %v = arith.constant dense<[[1., 2., 3.], [3., 4., 5.]]> : tensor<2x3xf32>
  // expected-remark @below {{head 'helpers.0' stays in float}}
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  %e = call @_take(%w, %i) : (tensor<2x2xf32>, index) -> f32
  %h = call @_one_hot(%ids) : (tensor<4x2xi1>) -> tensor<4x2xf32>
  // expected-remark @below {{not a linear layer: its input is converted from integers}}
  %z = linalg.matmul ins(%h, %v : tensor<4x2xf32>, tensor<2x3xf32>) outs(%zero1 : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %y, %e, %z : tensor<2x2xf32>, f32, tensor<4x3xf32>
}

// -----

func.func @calls(%x: tensor<3x3xf32>) -> tensor<3x3xf32> {
  %w = arith.constant dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>
  %y = call @helper(%x, %w) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  return %y : tensor<3x3xf32>
}
func.func private @helper(%x: tensor<3x3xf32>, %w: tensor<3x3xf32>) -> tensor<3x3xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<3x3xf32>) -> tensor<3x3xf32>
  // expected-remark @below {{not a linear layer: neither operand is a constant in function 'helper'; if its callers pass the weight, inline the calls first (--inline)}}
  %y = linalg.matmul ins(%x, %w : tensor<3x3xf32>, tensor<3x3xf32>) outs(%f : tensor<3x3xf32>) -> tensor<3x3xf32>
  return %y : tensor<3x3xf32>
}

// -----

func.func @doubles(%x: tensor<3x4xf64>) -> tensor<3x2xf64> {
  %zero = arith.constant dense<0.0> : tensor<3x2xf64>
  %w = arith.constant dense<[[1., 2.], [3., 4.], [5., 6.], [7., 8.]]> : tensor<4x2xf64>
  // expected-remark @below {{not a linear layer: it is computed in f64; expected f32, f16 or bf16: export the model in one of them}}
  %y = linalg.matmul ins(%x, %w : tensor<3x4xf64>, tensor<4x2xf64>) outs(%zero : tensor<3x2xf64>) -> tensor<3x2xf64>
  return %y : tensor<3x2xf64>
}

// -----

func.func @scaled_weight(%x: tensor<1x3x4xf32>) -> tensor<1x3x2xf32> {
  %w = "tosa.const"() <{values = dense<[[[1., 2.], [3., 4.], [5., 6.], [7., 8.]]]> : tensor<1x4x2xf32>}> : () -> tensor<1x4x2xf32>
  %s = "tosa.const"() <{values = dense<[[[2., 3.]]]> : tensor<1x1x2xf32>}> : () -> tensor<1x1x2xf32>
  %z = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %m = tosa.mul %w, %s, %shift : (tensor<1x4x2xf32>, tensor<1x1x2xf32>, tensor<1xi8>) -> tensor<1x4x2xf32>
  // expected-remark @below {{not a linear layer: its weight is computed from constants; expected a constant: fold it before the export}}
  %y = tosa.matmul %x, %m, %z, %z : (tensor<1x3x4xf32>, tensor<1x4x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x3x2xf32>
  return %y : tensor<1x3x2xf32>
}

// -----

// What a body reads of the function's inputs is no constant: a product of two
// computed values, and no remark.
func.func @captured(%x: tensor<2x3x4xf32>, %i: tensor<4xindex>) -> tensor<2x3x2xf32> {
  %zero = arith.constant 0.0 : f32
  %t = arith.constant dense<[[1., 2.], [3., 4.], [5., 6.], [7., 8.]]> : tensor<4x2xf32>
  %ew = tensor.empty() : tensor<2x4x2xf32>
  %w = linalg.generic {indexing_maps = [affine_map<(b, k, n) -> (k, n)>, affine_map<(b, k, n) -> (b, k, n)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%t : tensor<4x2xf32>) outs(%ew : tensor<2x4x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %k = linalg.index 1 : index
    %j = tensor.extract %i[%k] : tensor<4xindex>
    %c0 = arith.constant 0 : index
    %v = tensor.extract %t[%j, %c0] : tensor<4x2xf32>
    %p = arith.mulf %a, %v : f32
    linalg.yield %p : f32
  } -> tensor<2x4x2xf32>
  %e = tensor.empty() : tensor<2x3x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  %y = linalg.batch_matmul ins(%x, %w : tensor<2x3x4xf32>, tensor<2x4x2xf32>) outs(%f : tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  return %y : tensor<2x3x2xf32>
}
