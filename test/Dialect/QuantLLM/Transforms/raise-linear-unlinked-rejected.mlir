// RUN: qk-opt --allow-unregistered-dialect --quant-llm-raise-linear --split-input-file --verify-diagnostics %s
// What looks like a linear layer in a dialect that is not linked and is none, or
// can't be read, with the reason.

// addmm with an alpha that isn't one: StableHLO's product is scaled, not raised
// with its bias; torch's op is one op.
func.func @alpha(%x: !torch.vtensor<[5,3],f32>) -> !torch.vtensor<[5,3],f32> {
  %w = "torch.vtensor.literal"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>}> : () -> !torch.vtensor<[3,3],f32>
  %b = "torch.vtensor.literal"() <{value = dense<[1., 2., 3.]> : tensor<3xf32>}> : () -> !torch.vtensor<[3],f32>
  %one = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %two = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  // expected-remark @below {{not a linear layer: alpha isn't the constant 1}}
  %0 = "torch.aten.addmm"(%b, %x, %w, %one, %two) : (!torch.vtensor<[3],f32>, !torch.vtensor<[5,3],f32>, !torch.vtensor<[3,3],f32>, !torch.int, !torch.int) -> !torch.vtensor<[5,3],f32>
  // expected-remark @below {{not a linear layer: beta isn't the constant 1}}
  %1 = "torch.aten.addmm"(%b, %0, %w, %two, %one) : (!torch.vtensor<[3],f32>, !torch.vtensor<[5,3],f32>, !torch.vtensor<[3,3],f32>, !torch.int, !torch.int) -> !torch.vtensor<[5,3],f32>
  // expected-remark @below {{not a linear layer: the product is added to a computed value; expected a constant bias}}
  %2 = "torch.aten.addmm"(%x, %1, %w, %one, %one) : (!torch.vtensor<[5,3],f32>, !torch.vtensor<[5,3],f32>, !torch.vtensor<[3,3],f32>, !torch.int, !torch.int) -> !torch.vtensor<[5,3],f32>
  return %2 : !torch.vtensor<[5,3],f32>
}

// -----

func.func @gemm(%x: tensor<3x3xf32>) -> tensor<3x3xf32> {
  %w = "onnx.Constant"() {value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>} : () -> tensor<3x3xf32>
  %b = "onnx.Constant"() {value = dense<[1., 2., 3.]> : tensor<3xf32>} : () -> tensor<3xf32>
  // expected-remark @below {{not a linear layer: alpha isn't 1}}
  %0 = "onnx.Gemm"(%x, %w, %b) {alpha = 2.0 : f32} : (tensor<3x3xf32>, tensor<3x3xf32>, tensor<3xf32>) -> tensor<3x3xf32>
  // expected-remark @below {{not a linear layer: beta isn't 1}}
  %1 = "onnx.Gemm"(%x, %w, %b) {beta = 2.0 : f32} : (tensor<3x3xf32>, tensor<3x3xf32>, tensor<3xf32>) -> tensor<3x3xf32>
  // expected-remark @below {{not a linear layer: expected two operands, got 1}}
  %3 = "onnx.MatMul"(%x) : (tensor<3x3xf32>) -> tensor<3x3xf32>
  return %3 : tensor<3x3xf32>
}

// -----

// Types are text, read strictly.
func.func @types(%x: !torch.vtensor<[5,3],f32>, %y: !torch.tensor, %z: !torch.vtensor<[5,three],f32>) {
  %w = "torch.vtensor.literal"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>}> : () -> !torch.vtensor<[3,3],f32>
  // expected-remark @below {{not a linear layer: expected operands of a ranked tensor type, got '!torch.tensor'}}
  %0 = "torch.aten.matmul"(%y, %w) : (!torch.tensor, !torch.vtensor<[3,3],f32>) -> !torch.vtensor<[5,3],f32>
  // expected-remark @below {{not a linear layer: expected operands of a ranked tensor type, got '!torch.vtensor<[5,three],f32>'}}
  %1 = "torch.aten.mm"(%z, %w) : (!torch.vtensor<[5,three],f32>, !torch.vtensor<[3,3],f32>) -> !torch.vtensor<[5,3],f32>
  // expected-remark @below {{not a linear layer: expected one result of a ranked tensor type}}
  %2 = "torch.aten.mm"(%x, %w) : (!torch.vtensor<[5,3],f32>, !torch.vtensor<[3,3],f32>) -> !torch.vtensor<*,f32>
  // expected-remark @below {{not a linear layer: expected 2 operands, got 1}}
  %3 = "torch.aten.mm"(%x) : (!torch.vtensor<[5,3],f32>) -> !torch.vtensor<[5,3],f32>
  // expected-remark @below {{not a linear layer: expected a result with the leading dimensions of its input, got 'tensor<4x3xf32>' from 'tensor<5x3xf32>'}}
  %4 = "torch.aten.mm"(%x, %w) : (!torch.vtensor<[5,3],f32>, !torch.vtensor<[3,3],f32>) -> !torch.vtensor<[4,3],f32>
  return
}

// -----

func.func @einsum(%x: !torch.vtensor<[2,5,3],f32>) {
  %w = "torch.vtensor.literal"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>}> : () -> !torch.vtensor<[3,3],f32>
  %none = "torch.constant.none"() : () -> !torch.none
  %list = "torch.prim.ListConstruct"(%x, %w) : (!torch.vtensor<[2,5,3],f32>, !torch.vtensor<[3,3],f32>) -> !torch.list<vtensor>
  %0 = "torch.constant.str"() <{value = "bsk,nk->sn"}> : () -> !torch.str
  // expected-remark @below {{not a linear layer: the output of "bsk,nk->sn" isn't that of a product}}
  %1 = "torch.aten.einsum"(%0, %list, %none) : (!torch.str, !torch.list<vtensor>, !torch.none) -> !torch.vtensor<[5,3],f32>
  %2 = "torch.constant.str"() <{value = "sk,nk->sn"}> : () -> !torch.str
  // expected-remark @below {{not a linear layer: can't read its equation "sk,nk->sn"}}
  %3 = "torch.aten.einsum"(%2, %list, %none) : (!torch.str, !torch.list<vtensor>, !torch.none) -> !torch.vtensor<[5,3],f32>
  // expected-remark @below {{not a linear layer: can't read its equation or operands}}
  %4 = "torch.aten.einsum"(%none, %list, %none) : (!torch.none, !torch.list<vtensor>, !torch.none) -> !torch.vtensor<[5,3],f32>
  return
}

// -----

// Dimension numbers that were lost, as in bytecode read without the dialect.
func.func @dimensions(%x: tensor<5x3xf32>, %y: tensor<2x3x4x?xf32>) {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  // expected-remark @below {{not a linear layer: can't read its dimension numbers, loc(unknown)}}
  %0 = "stablehlo.dot_general"(%x, %w) <{dot_dimension_numbers = loc(unknown)}> : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  // expected-remark @below {{not a linear layer: can't read its dimension numbers, #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]; >}}
  %1 = "stablehlo.dot_general"(%x, %w) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [0]; >}> : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  // expected-remark @below {{not a linear layer: its dimension numbers aren't those of its operands}}
  %2 = "stablehlo.dot_general"(%x, %w) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [2], rhs_contracting_dimensions = [0]>}> : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  // expected-remark @below {{not a linear layer: expected two operands, got 1}}
  %3 = "stablehlo.dot"(%x) : (tensor<5x3xf32>) -> tensor<5x3xf32>
  // expected-remark @below {{not a linear layer: expected the weight to have contracted and output dimensions, got 0 and 2}}
  %4 = "stablehlo.dot_general"(%x, %w) <{dot_dimension_numbers = #stablehlo.dot<>}> : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3x3x3xf32>
  // expected-remark @below {{not a linear layer: both operands are constants}}
  %5 = "stablehlo.dot"(%w, %w) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  return
}

// -----

// A permutation of tensors of dynamic shape isn't made.
func.func @dynamic(%x: tensor<?x3xf32>, %heads: tensor<3x?x3xf32>) {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  // expected-remark @below {{not a linear layer: the constant is the left operand, a product W*x; expected x*W}}
  %0 = "stablehlo.dot_general"(%w, %x) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>}> : (tensor<3x3xf32>, tensor<?x3xf32>) -> tensor<3x?xf32>
  // expected-remark @below {{not a linear layer: the contracted dimension isn't the last one of the activation}}
  %1 = "stablehlo.dot_general"(%heads, %w) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [0], rhs_contracting_dimensions = [0]>}> : (tensor<3x?x3xf32>, tensor<3x3xf32>) -> tensor<?x3x3xf32>
  return
}

// -----

func.func @weights(%x: tensor<2x5x3xf32>, %one: tensor<5x1xf32>, %heads: tensor<?x2x3xf32>) {
  %w = "stablehlo.constant"() <{value = dense<[[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]], [[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]]> : tensor<2x3x3xf32>}> : () -> tensor<2x3x3xf32>
  // expected-remark @below {{not a linear layer: the weight has a batch dimension; expected one weight for all batches}}
  %0 = "stablehlo.dot_general"(%x, %w) <{dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = [0], rhs_batching_dimensions = [0], lhs_contracting_dimensions = [2], rhs_contracting_dimensions = [1]>}> : (tensor<2x5x3xf32>, tensor<2x3x3xf32>) -> tensor<2x5x3xf32>
  %same = "stablehlo.constant"() <{value = dense<[1., 2., 3.]> : tensor<3xf32>}> : () -> tensor<3xf32>
  %rows = "stablehlo.broadcast_in_dim"(%same) <{broadcast_dimensions = array<i64: 1>}> : (tensor<3xf32>) -> tensor<3x3xf32>
  // expected-remark @below {{not a linear layer: the weight repeats elements of a constant along its channels}}
  %1 = "stablehlo.dot_general"(%x, %rows) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [2], rhs_contracting_dimensions = [1]>}> : (tensor<2x5x3xf32>, tensor<3x3xf32>) -> tensor<2x5x3xf32>
  %row = "stablehlo.constant"() <{value = dense<[[1., 2., 3.]]> : tensor<1x3xf32>}> : () -> tensor<1x3xf32>
  // expected-remark @below {{not a linear layer: it contracts a single element: an outer product}}
  %2 = "stablehlo.dot"(%one, %row) : (tensor<5x1xf32>, tensor<1x3xf32>) -> tensor<5x3xf32>
  // expected-remark @below {{not a linear layer: it contracts or makes several dimensions, of tensors of dynamic shape}}
  %3 = "stablehlo.dot_general"(%heads, %w) <{dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [1, 2], rhs_contracting_dimensions = [0, 1]>}> : (tensor<?x2x3xf32>, tensor<2x3x3xf32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @sizes(%x: !torch.vtensor<[5,?,3],f32>) {
  %w = "torch.vtensor.literal"() <{value = dense<[[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]], [[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]]> : tensor<2x3x3xf32>}> : () -> !torch.vtensor<[2,3,3],f32>
  %none = "torch.constant.none"() : () -> !torch.none
  %list = "torch.prim.ListConstruct"(%x, %w) : (!torch.vtensor<[5,?,3],f32>, !torch.vtensor<[2,3,3],f32>) -> !torch.list<vtensor>
  %0 = "torch.constant.str"() <{value = "thk,hkn->tn"}> : () -> !torch.str
  // expected-remark @below {{not a linear layer: it contracts several dimensions of sizes that its input's type doesn't say, 'tensor<5x?x3xf32>'}}
  %1 = "torch.aten.einsum"(%0, %list, %none) : (!torch.str, !torch.list<vtensor>, !torch.none) -> !torch.vtensor<[5,3],f32>
  return
}

// -----

// A batch of one in the input, of two in the result.
func.func @grows(%x: !torch.vtensor<[1,5,3],f32>) {
  %w = "torch.vtensor.literal"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>}> : () -> !torch.vtensor<[3,3],f32>
  %two = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %r = "torch.aten.expand"(%w, %two, %two) : (!torch.vtensor<[3,3],f32>, !torch.int, !torch.int) -> !torch.vtensor<[2,3,3],f32>
  // expected-remark @below {{not a linear layer: expected a result with the leading dimensions of its input, got 'tensor<2x5x3xf32>' from 'tensor<1x5x3xf32>'}}
  %0 = "torch.aten.matmul"(%x, %r) : (!torch.vtensor<[1,5,3],f32>, !torch.vtensor<[2,3,3],f32>) -> !torch.vtensor<[2,5,3],f32>
  return
}

// -----

// Weights that are not known yet, or can't be.
func.func @main(%x: tensor<5x3xf32>, %w: tensor<3x3xf32> loc("p['fc']"), %i: tensor<i32>, %bare: tensor<3x3xf32>) {
  // expected-remark @below {{not a linear layer: the weight is argument 1 ("p['fc']") of function 'main'; --weights=FILE.safetensors binds such arguments to tensors}}
  %0 = "stablehlo.dot"(%x, %w) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  %stack = "stablehlo.constant"() <{value = dense<[[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]], [[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]]> : tensor<2x3x3xf32>}> : () -> tensor<2x3x3xf32>
  %c0 = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %cut = "stablehlo.dynamic_slice"(%stack, %i, %c0, %c0) <{slice_sizes = array<i64: 1, 3, 3>}> : (tensor<2x3x3xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x3x3xf32>
  %layer = "stablehlo.reshape"(%cut) : (tensor<1x3x3xf32>) -> tensor<3x3xf32>
  // expected-remark @below {{not a linear layer: the weight is cut out of a stack of tensors by a computed index ('stablehlo.dynamic_slice'), as in a loop over layers; unroll the loop}}
  %1 = "stablehlo.dot"(%x, %layer) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  %rows6 = "stablehlo.reshape"(%stack) : (tensor<2x3x3xf32>) -> tensor<6x3xf32>
  %first = "stablehlo.slice"(%rows6) <{start_indices = array<i64: 0, 0>, limit_indices = array<i64: 5, 3>, strides = array<i64: 2, 1>}> : (tensor<6x3xf32>) -> tensor<3x3xf32>
  // expected-remark @below {{not a linear layer: the weight is a part of a larger tensor ('stablehlo.slice'); store it as a tensor of its own}}
  %2 = "stablehlo.dot"(%x, %first) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  %exp = "stablehlo.exponential"(%x) : (tensor<5x3xf32>) -> tensor<5x3xf32>
  %rows = "stablehlo.slice"(%exp) <{start_indices = array<i64: 0, 0>, limit_indices = array<i64: 3, 3>, strides = array<i64: 1, 1>}> : (tensor<5x3xf32>) -> tensor<3x3xf32>
  // expected-remark @below {{not a linear layer: the weight is computed by 'stablehlo.exponential'; it must be known when the model is compiled}}
  %self = "stablehlo.dot"(%x, %rows) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  %sum = "stablehlo.add"(%layer, %first) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  // expected-remark @below {{not a linear layer: the weight is computed by 'stablehlo.add'; it must be known when the model is compiled}}
  %3 = "stablehlo.dot"(%x, %sum) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  "test.loop"(%w) ({
  ^bb0(%carried: tensor<3x3xf32>):
    // expected-remark @below {{not a linear layer: the weight is argument 0 of a region of 'test.loop', which changes as the region is repeated; unroll the loop}}
    %4 = "stablehlo.dot"(%x, %carried) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  }) : (tensor<3x3xf32>) -> ()
  return
}

// -----

// One of two callers computes the weight.
func.func @main(%x: tensor<3x3xf32>) -> tensor<3x3xf32> {
  %v = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  %y = call @helper(%x, %v) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  %z = call @helper(%y, %x) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  return %z : tensor<3x3xf32>
}
func.func private @helper(%x: tensor<3x3xf32>, %w: tensor<3x3xf32>) -> tensor<3x3xf32> {
  // expected-remark @below {{not a linear layer: the weight is argument 0 of function 'main'; --weights=FILE.safetensors binds such arguments to tensors, given --weight-names=MAP.json with "arg0", as its location doesn't say which}}
  %y = "stablehlo.dot"(%x, %w) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  return %y : tensor<3x3xf32>
}

// -----

func.func private @helper(%x: tensor<3x3xf32>, %w: tensor<3x3xf32>) -> tensor<3x3xf32> {
  // expected-remark @below {{not a linear layer: the weight is argument 1 of function 'helper', which calls itself}}
  %y = "stablehlo.dot"(%x, %w) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  %z = call @helper(%y, %w) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  return %z : tensor<3x3xf32>
}

// -----

// JAX's loop over layers: a helper cuts the weight, another one uses it.
func.func @main(%x: tensor<5x3xf32>, %i: tensor<i32>) -> tensor<5x3xf32> {
  %stack = "stablehlo.constant"() <{value = dense<[[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]], [[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]]> : tensor<2x3x3xf32>}> : () -> tensor<2x3x3xf32>
  %w = call @cut(%stack, %i) : (tensor<2x3x3xf32>, tensor<i32>) -> tensor<3x3xf32>
  %y = call @dense(%x, %w) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}
func.func private @cut(%stack: tensor<2x3x3xf32>, %i: tensor<i32>) -> tensor<3x3xf32> {
  %c0 = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %cut = "stablehlo.dynamic_slice"(%stack, %i, %c0, %c0) <{slice_sizes = array<i64: 1, 3, 3>}> : (tensor<2x3x3xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x3x3xf32>
  %layer = "stablehlo.reshape"(%cut) : (tensor<1x3x3xf32>) -> tensor<3x3xf32>
  return %layer : tensor<3x3xf32>
}
func.func private @dense(%x: tensor<5x3xf32>, %w: tensor<3x3xf32>) -> tensor<5x3xf32> {
  // expected-remark @below {{not a linear layer: the weight is cut out of a stack of tensors by a computed index ('stablehlo.dynamic_slice'), as in a loop over layers; unroll the loop}}
  %y = "stablehlo.dot"(%x, %w) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}

// -----

// A compiler may know the composite by name and never look at this.
func.func @main(%x: tensor<3x3xf32>) -> tensor<3x3xf32> {
  %v = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  %y = "stablehlo.composite"(%x, %v) <{decomposition = @linear, name = "aten.linear"}> : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  return %y : tensor<3x3xf32>
}
func.func private @linear(%x: tensor<3x3xf32>, %w: tensor<3x3xf32>) -> tensor<3x3xf32> {
  // expected-remark @below {{not a linear layer: the weight is argument 1 of function 'linear', which says what composite 'aten.linear' is; turn composites into calls first}}
  %y = "stablehlo.dot"(%x, %w) : (tensor<3x3xf32>, tensor<3x3xf32>) -> tensor<3x3xf32>
  return %y : tensor<3x3xf32>
}

// -----

// A resource without data is a tensor of a file.
func.func @no_file(%x: tensor<5x3xf32>) -> tensor<5x3xf32> {
  // expected-error @below {{resource 'fc.weight' has no data; name the file that holds it with --weights=FILE.safetensors}}
  %w = "stablehlo.constant"() <{value = dense_resource<fc.weight> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  %y = "stablehlo.dot"(%x, %w) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}

// -----

// jax.nn.one_hot(ids) @ table: an embedding.
func.func @one_hot(%same: tensor<5x3xi1>) {
  %w = "stablehlo.constant"() <{value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf32>}> : () -> tensor<3x3xf32>
  %codes = func.call @codes(%same) : (tensor<5x3xi1>) -> tensor<5x3xf32>
  // expected-remark @below {{not a linear layer: its input is converted from integers: positions, or one-hot codes that look up rows of a table}}
  %0 = "stablehlo.dot"(%codes, %w) : (tensor<5x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  return
}
func.func private @codes(%same: tensor<5x3xi1>) -> tensor<5x3xf32> {
  %0 = "stablehlo.convert"(%same) : (tensor<5x3xi1>) -> tensor<5x3xf32>
  return %0 : tensor<5x3xf32>
}

// -----

// Convolutions of size 1, which other forms raise; a larger one is none.
func.func @convolutions(%x: tensor<1x3x5xf32>, %t: !torch.vtensor<[1,3,5],f32>) {
  %w = "stablehlo.constant"() <{value = dense<[[[1.], [2.], [3.]], [[4.], [5.], [6.]]]> : tensor<2x3x1xf32>}> : () -> tensor<2x3x1xf32>
  // expected-remark @below {{not a linear layer: a convolution of size 1 ('stablehlo.convolution'); export it as a product, or lower the module to linalg or TOSA, where it is raised}}
  %0 = "stablehlo.convolution"(%x, %w) <{batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, f, 0]x[o, i, 0]->[b, f, 0]>, feature_group_count = 1 : i64}> : (tensor<1x3x5xf32>, tensor<2x3x1xf32>) -> tensor<1x2x5xf32>
  %wide = "stablehlo.constant"() <{value = dense<[[[1., 2.], [3., 4.], [5., 6.]], [[1., 2.], [3., 4.], [5., 6.]]]> : tensor<2x3x2xf32>}> : () -> tensor<2x3x2xf32>
  %1 = "stablehlo.convolution"(%x, %wide) <{batch_group_count = 1 : i64, dimension_numbers = #stablehlo.conv<[b, f, 0]x[o, i, 0]->[b, f, 0]>, feature_group_count = 1 : i64}> : (tensor<1x3x5xf32>, tensor<2x3x2xf32>) -> tensor<1x2x4xf32>
  %tw = "torch.vtensor.literal"() <{value = dense<[[[1.], [2.], [3.]], [[4.], [5.], [6.]]]> : tensor<2x3x1xf32>}> : () -> !torch.vtensor<[2,3,1],f32>
  %none = "torch.constant.none"() : () -> !torch.none
  // expected-remark @below {{not a linear layer: a convolution of size 1 ('torch.aten.convolution')}}
  %2 = "torch.aten.convolution"(%t, %tw, %none) : (!torch.vtensor<[1,3,5],f32>, !torch.vtensor<[2,3,1],f32>, !torch.none) -> !torch.vtensor<[1,2,5],f32>
  // expected-remark @below {{not a linear layer: a convolution of size 1 ('onnx.Conv')}}
  %3 = "torch.operator"(%t, %tw) <{name = "onnx.Conv"}> : (!torch.vtensor<[1,3,5],f32>, !torch.vtensor<[2,3,1],f32>) -> !torch.vtensor<[1,2,5],f32>
  return
}

// -----

func.func @doubles(%x: tensor<5x3xf64>) -> tensor<5x3xf64> {
  %w = "onnx.Constant"() {value = dense<[[1., 2., 3.], [4., 5., 6.], [7., 8., 9.]]> : tensor<3x3xf64>} : () -> tensor<3x3xf64>
  // expected-remark @below {{not a linear layer: it is computed in f64; expected f32, f16 or bf16: export the model in one of them}}
  %0 = "onnx.MatMul"(%x, %w) : (tensor<5x3xf64>, tensor<3x3xf64>) -> tensor<5x3xf64>
  return %0 : tensor<5x3xf64>
}

// -----

// Merged, then taken apart elsewhere than where the parts meet: that weight is
// stored, but not as it is read.
func.func @recut(%x: !torch.vtensor<[1,5,4],f32>) -> !torch.vtensor<[1,5,3],f32> {
  %w = "torch.vtensor.literal"() <{value = dense<[[[1., 2., 3.], [4., 5., 6.]], [[7., 8., 9.], [10., 11., 12.]]]> : tensor<2x2x3xf32>}> : () -> !torch.vtensor<[2,2,3],f32>
  %c0 = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
  %c1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %c2 = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %c3 = "torch.constant.int"() <{value = 3 : i64}> : () -> !torch.int
  %c4 = "torch.constant.int"() <{value = 4 : i64}> : () -> !torch.int
  %p = "torch.prim.ListConstruct"(%c2, %c0, %c1) : (!torch.int, !torch.int, !torch.int) -> !torch.list<int>
  %t = "torch.aten.permute"(%w, %p) : (!torch.vtensor<[2,2,3],f32>, !torch.list<int>) -> !torch.vtensor<[3,2,2],f32>
  %s = "torch.prim.ListConstruct"(%c1, %c4, %c3) : (!torch.int, !torch.int, !torch.int) -> !torch.list<int>
  %v = "torch.aten.view"(%t, %s) : (!torch.vtensor<[3,2,2],f32>, !torch.list<int>) -> !torch.vtensor<[1,4,3],f32>
  // expected-remark @below {{not a linear layer: the weight is computed by 'torch.aten.view'; it must be known when the model is compiled}}
  %y = "torch.aten.bmm"(%x, %v) : (!torch.vtensor<[1,5,4],f32>, !torch.vtensor<[1,4,3],f32>) -> !torch.vtensor<[1,5,3],f32>
  return %y : !torch.vtensor<[1,5,3],f32>
}
