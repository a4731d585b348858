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

func.func @constant_left(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x2xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  // expected-remark @below {{not a linear layer: the constant is the left operand, a product W*x; expected x*W}}
  %y = linalg.matmul ins(%w, %x : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

func.func @batched_weight(%x: tensor<1x2x2xf32>) -> tensor<1x2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<1x2x2xf32>
  %w = arith.constant dense<[[[1., 2.], [3., 4.]]]> : tensor<1x2x2xf32>
  // expected-remark @below {{not a linear layer: the weight has a batch dimension; expected one weight for all batches}}
  %y = linalg.batch_matmul ins(%x, %w : tensor<1x2x2xf32>, tensor<1x2x2xf32>) outs(%zero : tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  return %y : tensor<1x2x2xf32>
}

// -----

func.func @computed_sum(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  // expected-remark @below {{not a linear layer: the product is added to a computed value; expected zeros or a constant bias}}
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%x : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

func.func @kept_in_f32(%x: tensor<2x2xf16>) -> tensor<2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x2xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf16>
  // expected-remark @below {{not a linear layer: input and result have different element types}}
  %y = linalg.matmul ins(%x, %w : tensor<2x2xf16>, tensor<2x2xf16>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

func.func @contracts_the_wrong_dimension(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x2xf32>
  %w = arith.constant dense<[[1., 2.], [3., 4.]]> : tensor<2x2xf32>
  // expected-remark @below {{not a linear layer: the contracted dimension isn't the last one of the activation}}
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%zero : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
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
