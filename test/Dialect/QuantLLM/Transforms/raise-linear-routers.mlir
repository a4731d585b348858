// RUN: qk-opt --quant-llm-raise-linear --split-input-file --verify-diagnostics %s | FileCheck %s
// RUN: not qk-opt "--quant-llm-raise-linear=only=adapter.*" --split-input-file %s 2>/dev/null | FileCheck %s --check-prefix=ONLY
// Linear layers that stay in float by custom, known by what is done with their
// results, or by their names; and what only looks like them.

// A low-rank adapter: x·A·B, scaled, is added to a layer of the same x.
// CHECK-LABEL: func.func @adapter
// CHECK-COUNT-1: quant_llm.linear %{{.*}} name("adapter.0")
// CHECK-NOT: quant_llm.linear
// ONLY-LABEL: func.func @adapter
// ONLY-COUNT-3: quant_llm.linear
func.func @adapter(%x: tensor<5x4xf32>) -> tensor<5x3xf32> {
  %w = arith.constant dense<[[-1.0, -1.5, 0.0], [-1.25, 1.75, 1.5], [1.75, 1.0, -0.5], [-1.25, 1.75, -2.0]]> : tensor<4x3xf32>
  %a = arith.constant dense<[[-1.75, -1.5], [-1.5, 0.75], [-0.75, 0.25], [0.0, -0.5]]> : tensor<4x2xf32>
  %b = arith.constant dense<[[-0.25, -1.0, 0.75], [1.75, -1.5, -2.0]]> : tensor<2x3xf32>
  %two = arith.constant dense<2.0> : tensor<5x3xf32>
  %yz = arith.constant dense<0.0> : tensor<5x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<5x4xf32>, tensor<4x3xf32>) outs(%yz : tensor<5x3xf32>) -> tensor<5x3xf32>
  %dz = arith.constant dense<0.0> : tensor<5x2xf32>
  // expected-remark @below {{low-rank adapter 'adapter.1' stays in float; only= with its name raises it}}
  %d = linalg.matmul ins(%x, %a : tensor<5x4xf32>, tensor<4x2xf32>) outs(%dz : tensor<5x2xf32>) -> tensor<5x2xf32>
  %uz = arith.constant dense<0.0> : tensor<5x3xf32>
  // expected-remark @below {{low-rank adapter 'adapter.2' stays in float; only= with its name raises it}}
  %u = linalg.matmul ins(%d, %b : tensor<5x2xf32>, tensor<2x3xf32>) outs(%uz : tensor<5x3xf32>) -> tensor<5x3xf32>
  %s = arith.mulf %u, %two : tensor<5x3xf32>
  %r = arith.addf %y, %s : tensor<5x3xf32>
  return %r : tensor<5x3xf32>
}

// -----

// With an activation between, a bottleneck of its own.
// CHECK-LABEL: func.func @bottleneck
// CHECK-COUNT-3: quant_llm.linear
func.func @bottleneck(%x: tensor<5x4xf32>) -> tensor<5x3xf32> {
  %w = arith.constant dense<[[-1.0, -1.5, 0.0], [-1.25, 1.75, 1.5], [1.75, 1.0, -0.5], [-1.25, 1.75, -2.0]]> : tensor<4x3xf32>
  %a = arith.constant dense<[[-1.75, -1.5], [-1.5, 0.75], [-0.75, 0.25], [0.0, -0.5]]> : tensor<4x2xf32>
  %b = arith.constant dense<[[-0.25, -1.0, 0.75], [1.75, -1.5, -2.0]]> : tensor<2x3xf32>
  %yz = arith.constant dense<0.0> : tensor<5x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<5x4xf32>, tensor<4x3xf32>) outs(%yz : tensor<5x3xf32>) -> tensor<5x3xf32>
  %dz = arith.constant dense<0.0> : tensor<5x2xf32>
  %d = linalg.matmul ins(%x, %a : tensor<5x4xf32>, tensor<4x2xf32>) outs(%dz : tensor<5x2xf32>) -> tensor<5x2xf32>
  %t = math.tanh %d : tensor<5x2xf32>
  %uz = arith.constant dense<0.0> : tensor<5x3xf32>
  %u = linalg.matmul ins(%t, %b : tensor<5x2xf32>, tensor<2x3xf32>) outs(%uz : tensor<5x3xf32>) -> tensor<5x3xf32>
  %r = arith.addf %y, %u : tensor<5x3xf32>
  return %r : tensor<5x3xf32>
}

// -----

// Two layers in a row, added to what isn't a layer of the same input: a
// factored weight.
// CHECK-LABEL: func.func @factored
// CHECK-COUNT-2: quant_llm.linear
func.func @factored(%x: tensor<5x4xf32>) -> tensor<5x4xf32> {
  %a = arith.constant dense<[[-1.75, -1.5], [-1.5, 0.75], [-0.75, 0.25], [0.0, -0.5]]> : tensor<4x2xf32>
  %b = arith.constant dense<[[-0.25, -1.0, 0.75, 1.75], [-1.5, -2.0, 1.75, 0.0]]> : tensor<2x4xf32>
  %dz = arith.constant dense<0.0> : tensor<5x2xf32>
  %d = linalg.matmul ins(%x, %a : tensor<5x4xf32>, tensor<4x2xf32>) outs(%dz : tensor<5x2xf32>) -> tensor<5x2xf32>
  %uz = arith.constant dense<0.0> : tensor<5x4xf32>
  %u = linalg.matmul ins(%d, %b : tensor<5x2xf32>, tensor<2x4xf32>) outs(%uz : tensor<5x4xf32>) -> tensor<5x4xf32>
  %r = arith.addf %x, %u : tensor<5x4xf32>
  return %r : tensor<5x4xf32>
}

// -----

// A router: its softmax weighs the rows that the experts compute.
// CHECK-LABEL: func.func @experts
// CHECK-COUNT-2: quant_llm.linear %arg0
// CHECK-NOT: quant_llm.linear
func.func @experts(%x: tensor<5x4xf32>) -> tensor<5x4xf32> {
  %g = arith.constant dense<[[-1.0, -1.5], [0.0, -1.25], [1.75, 1.5], [1.75, 1.0]]> : tensor<4x2xf32>
  %a = arith.constant dense<[[-1.75, -1.5, -1.5, 0.75], [-0.75, 0.25, 0.0, -0.5], [-1.75, -0.75, 1.25, 1.0], [2.0, 0.75, 1.5, 2.0]]> : tensor<4x4xf32>
  %b = arith.constant dense<[[-0.25, -1.0, 0.75, 1.75], [-1.5, -2.0, 1.75, 0.0], [-0.25, -0.5, 1.75, 1.75], [1.0, -1.0, -0.25, -1.0]]> : tensor<4x4xf32>
  %lz = arith.constant dense<0.0> : tensor<5x2xf32>
  // expected-remark @below {{router 'experts.0' stays in float; only= with its name raises it}}
  %l = linalg.matmul ins(%x, %g : tensor<5x4xf32>, tensor<4x2xf32>) outs(%lz : tensor<5x2xf32>) -> tensor<5x2xf32>
  %p = math.exp %l : tensor<5x2xf32>
  %zero = arith.constant dense<0.0> : tensor<5xf32>
  %sum = linalg.reduce { arith.addf } ins(%p : tensor<5x2xf32>) outs(%zero : tensor<5xf32>) dimensions = [1]
  %e2 = tensor.empty() : tensor<5x2xf32>
  %sb = linalg.broadcast ins(%sum : tensor<5xf32>) outs(%e2 : tensor<5x2xf32>) dimensions = [1]
  %q = arith.divf %p, %sb : tensor<5x2xf32>
  %q0 = tensor.extract_slice %q[0, 0] [5, 1] [1, 1] : tensor<5x2xf32> to tensor<5x1xf32>
  %q1 = tensor.extract_slice %q[0, 1] [5, 1] [1, 1] : tensor<5x2xf32> to tensor<5x1xf32>
  %y0z = arith.constant dense<0.0> : tensor<5x4xf32>
  %y0 = linalg.matmul ins(%x, %a : tensor<5x4xf32>, tensor<4x4xf32>) outs(%y0z : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y1z = arith.constant dense<0.0> : tensor<5x4xf32>
  %y1 = linalg.matmul ins(%x, %b : tensor<5x4xf32>, tensor<4x4xf32>) outs(%y1z : tensor<5x4xf32>) -> tensor<5x4xf32>
  %e = tensor.empty() : tensor<5x4xf32>
  %r0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, 0)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%q0, %y0 : tensor<5x1xf32>, tensor<5x4xf32>) outs(%e : tensor<5x4xf32>) {
  ^bb0(%s: f32, %v: f32, %out: f32):
    %m = arith.mulf %s, %v : f32
    linalg.yield %m : f32
  } -> tensor<5x4xf32>
  %r1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, 0)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%q1, %y1 : tensor<5x1xf32>, tensor<5x4xf32>) outs(%e : tensor<5x4xf32>) {
  ^bb0(%s: f32, %v: f32, %out: f32):
    %m = arith.mulf %s, %v : f32
    linalg.yield %m : f32
  } -> tensor<5x4xf32>
  %r = arith.addf %r0, %r1 : tensor<5x4xf32>
  return %r : tensor<5x4xf32>
}

// -----

// The gate of a gated layer weighs each channel by itself; a norm after it
// scales rows of its own result.
// CHECK-LABEL: func.func @gated
// CHECK-COUNT-2: quant_llm.linear %arg0
func.func @gated(%x: tensor<5x4xf32>) -> tensor<5x4xf32> {
  %g = arith.constant dense<[[-1.0, -1.5, 0.0, -1.25], [1.75, 1.5, 1.75, 1.0], [-0.5, -1.25, 1.75, -2.0], [1.0, 1.25, -2.0, 1.5]]> : tensor<4x4xf32>
  %a = arith.constant dense<[[-1.75, -1.5, -1.5, 0.75], [-0.75, 0.25, 0.0, -0.5], [-1.75, -0.75, 1.25, 1.0], [2.0, 0.75, 1.5, 2.0]]> : tensor<4x4xf32>
  %lz = arith.constant dense<0.0> : tensor<5x4xf32>
  %l = linalg.matmul ins(%x, %g : tensor<5x4xf32>, tensor<4x4xf32>) outs(%lz : tensor<5x4xf32>) -> tensor<5x4xf32>
  %yz = arith.constant dense<0.0> : tensor<5x4xf32>
  %y = linalg.matmul ins(%x, %a : tensor<5x4xf32>, tensor<4x4xf32>) outs(%yz : tensor<5x4xf32>) -> tensor<5x4xf32>
  %p = math.exp %l : tensor<5x4xf32>
  %h = arith.mulf %p, %y : tensor<5x4xf32>
  %sq = arith.mulf %h, %h : tensor<5x4xf32>
  %zero = arith.constant dense<0.0> : tensor<5xf32>
  %sum = linalg.reduce { arith.addf } ins(%sq : tensor<5x4xf32>) outs(%zero : tensor<5xf32>) dimensions = [1]
  %n = math.rsqrt %sum : tensor<5xf32>
  %e = tensor.empty() : tensor<5x4xf32>
  %b = linalg.broadcast ins(%n : tensor<5xf32>) outs(%e : tensor<5x4xf32>) dimensions = [1]
  %r = arith.mulf %h, %b : tensor<5x4xf32>
  return %r : tensor<5x4xf32>
}

// -----

// By name. A gate with as many channels as it reads is one of a gated layer.
// CHECK-LABEL: func.func @named
// CHECK-NOT: quant_llm.linear
// CHECK: quant_llm.linear %{{.*}} name("layers.0.mlp.gate_proj")
// CHECK: quant_llm.linear %{{.*}} name("layers.1.mlp.gate")
// CHECK-NOT: quant_llm.linear
func.func @named(%x: tensor<5x4xf32>) -> (tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x4xf32>) {
  %w0 = quant_llm.parameter ""::"layers.0.mlp.gate.weight" : tensor<4x2xf32> = dense<[[1.0, 1.25], [-1.75, 0.0], [2.0, 1.75], [1.0, 0.25]]> : tensor<4x2xf32>
  %w1 = quant_llm.parameter ""::"layers.0.router.classifier.weight" : tensor<4x2xf32> = dense<[[-1.0, -1.5], [0.0, -1.25], [1.75, 1.5], [1.75, 1.0]]> : tensor<4x2xf32>
  %w2 = quant_llm.parameter ""::"layers.0.mlp.shared_expert_gate.weight" : tensor<4x2xf32> = dense<[[-1.75, -1.5], [-1.5, 0.75], [-0.75, 0.25], [0.0, -0.5]]> : tensor<4x2xf32>
  %w3 = quant_llm.parameter ""::"layers.0.q_proj.lora_A.default.weight" : tensor<4x2xf32> = dense<[[-0.25, -1.0], [0.75, 1.75], [-1.5, -2.0], [1.75, 0.0]]> : tensor<4x2xf32>
  %w4 = quant_llm.parameter ""::"layers.0.mlp.gate_proj.weight" : tensor<4x2xf32> = dense<[[-0.25, 0.25], [-1.25, 1.0], [1.75, -1.0], [-1.5, -1.5]]> : tensor<4x2xf32>
  %w5 = quant_llm.parameter ""::"layers.1.mlp.gate.weight" : tensor<4x4xf32> = dense<[[0.0, 0.75, 2.0, -2.0], [1.5, -0.25, -1.75, -0.75], [-1.25, 0.75, 1.75, -0.25], [1.0, -1.25, -0.25, -2.0]]> : tensor<4x4xf32>
  %y0z = arith.constant dense<0.0> : tensor<5x2xf32>
  // expected-remark @below {{router 'layers.0.mlp.gate' stays in float; only= with its name raises it}}
  %y0 = linalg.matmul ins(%x, %w0 : tensor<5x4xf32>, tensor<4x2xf32>) outs(%y0z : tensor<5x2xf32>) -> tensor<5x2xf32>
  %y1z = arith.constant dense<0.0> : tensor<5x2xf32>
  // expected-remark @below {{router 'layers.0.router.classifier' stays in float; only= with its name raises it}}
  %y1 = linalg.matmul ins(%x, %w1 : tensor<5x4xf32>, tensor<4x2xf32>) outs(%y1z : tensor<5x2xf32>) -> tensor<5x2xf32>
  %y2z = arith.constant dense<0.0> : tensor<5x2xf32>
  // expected-remark @below {{router 'layers.0.mlp.shared_expert_gate' stays in float; only= with its name raises it}}
  %y2 = linalg.matmul ins(%x, %w2 : tensor<5x4xf32>, tensor<4x2xf32>) outs(%y2z : tensor<5x2xf32>) -> tensor<5x2xf32>
  %y3z = arith.constant dense<0.0> : tensor<5x2xf32>
  // expected-remark @below {{low-rank adapter 'layers.0.q_proj.lora_A.default' stays in float; only= with its name raises it}}
  %y3 = linalg.matmul ins(%x, %w3 : tensor<5x4xf32>, tensor<4x2xf32>) outs(%y3z : tensor<5x2xf32>) -> tensor<5x2xf32>
  %y4z = arith.constant dense<0.0> : tensor<5x2xf32>
  %y4 = linalg.matmul ins(%x, %w4 : tensor<5x4xf32>, tensor<4x2xf32>) outs(%y4z : tensor<5x2xf32>) -> tensor<5x2xf32>
  %y5z = arith.constant dense<0.0> : tensor<5x4xf32>
  %y5 = linalg.matmul ins(%x, %w5 : tensor<5x4xf32>, tensor<4x4xf32>) outs(%y5z : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y0, %y1, %y2, %y3, %y4, %y5 : tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x2xf32>, tensor<5x4xf32>
}

// -----

// The best expert's row alone is kept: the place of the largest score meets
// what the experts made.
// CHECK-LABEL: func.func @switch
// CHECK-NOT: quant_llm.linear
// CHECK: return
func.func @switch(%x: tensor<5x4xf32>, %experts: tensor<5x3xf32>) -> tensor<5x3xf32> {
  %r = arith.constant dense<[[-1.0, -1.5, 0.0], [-1.25, 1.75, 1.5], [1.75, 1.0, -0.5], [-1.25, 1.75, -2.0]]> : tensor<4x3xf32>
  %z = arith.constant dense<0.0> : tensor<5x3xf32>
  // expected-remark @below {{router 'switch.0' stays in float; only= with its name raises it}}
  %s = linalg.matmul ins(%x, %r : tensor<5x4xf32>, tensor<4x3xf32>) outs(%z : tensor<5x3xf32>) -> tensor<5x3xf32>
  %low = arith.constant dense<0xFF800000> : tensor<5xf32>
  %none = arith.constant dense<0> : tensor<5xi64>
  %best:2 = linalg.generic {indexing_maps = [affine_map<(t, e) -> (t, e)>, affine_map<(t, e) -> (t)>, affine_map<(t, e) -> (t)>], iterator_types = ["parallel", "reduction"]} ins(%s : tensor<5x3xf32>) outs(%low, %none : tensor<5xf32>, tensor<5xi64>) {
  ^bb0(%a: f32, %m: f32, %i: i64):
    %here = linalg.index 1 : index
    %place = arith.index_cast %here : index to i64
    %max = arith.maximumf %a, %m : f32
    %more = arith.cmpf ogt, %a, %m : f32
    %to = arith.select %more, %place, %i : i64
    linalg.yield %max, %to : f32, i64
  } -> (tensor<5xf32>, tensor<5xi64>)
  %e = tensor.empty() : tensor<5x3xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(t, e) -> (t)>, affine_map<(t, e) -> (t, e)>, affine_map<(t, e) -> (t, e)>], iterator_types = ["parallel", "parallel"]} ins(%best#1, %experts : tensor<5xi64>, tensor<5x3xf32>) outs(%e : tensor<5x3xf32>) {
  ^bb0(%i: i64, %v: f32, %o: f32):
    %zero = arith.constant 0.0 : f32
    %here = linalg.index 1 : index
    %place = arith.index_cast %here : index to i64
    %same = arith.cmpi eq, %place, %i : i64
    %kept = arith.select %same, %v, %zero : f32
    linalg.yield %kept : f32
  } -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}

// -----

// A classifier says which score is the largest, and is a layer.
// CHECK-LABEL: func.func @classifier
// CHECK: quant_llm.linear %{{.*}} name("classifier.0")
func.func @classifier(%x: tensor<1x5x4xf32>) -> tensor<1x5xi32> {
  %r = arith.constant dense<[[[-1.0, -1.5, 0.0], [-1.25, 1.75, 1.5], [1.75, 1.0, -0.5], [-1.25, 1.75, -2.0]]]> : tensor<1x4x3xf32>
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %s = tosa.matmul %x, %r, %zp, %zp : (tensor<1x5x4xf32>, tensor<1x4x3xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x5x3xf32>
  %best = tosa.argmax %s {axis = 2 : i32} : (tensor<1x5x3xf32>) -> tensor<1x5xi32>
  return %best : tensor<1x5xi32>
}

// -----

// The step of a state space: a softplus is a size, no share, though it scales
// rows of what another layer makes.
// CHECK-LABEL: func.func @step
// CHECK-COUNT-2: quant_llm.linear %arg0
func.func @step(%x: tensor<5x4xf32>) -> tensor<5x3x2xf32> {
  %g = arith.constant dense<[[-1.0, -1.5, 0.0], [-1.25, 1.75, 1.5], [1.75, 1.0, -0.5], [-1.25, 1.75, -2.0]]> : tensor<4x3xf32>
  %a = arith.constant dense<[[-1.75, -1.5], [-1.5, 0.75], [-0.75, 0.25], [0.0, -0.5]]> : tensor<4x2xf32>
  %lz = arith.constant dense<0.0> : tensor<5x3xf32>
  %l = linalg.matmul ins(%x, %g : tensor<5x4xf32>, tensor<4x3xf32>) outs(%lz : tensor<5x3xf32>) -> tensor<5x3xf32>
  %yz = arith.constant dense<0.0> : tensor<5x2xf32>
  %y = linalg.matmul ins(%x, %a : tensor<5x4xf32>, tensor<4x2xf32>) outs(%yz : tensor<5x2xf32>) -> tensor<5x2xf32>
  %p = math.exp %l : tensor<5x3xf32>
  %step = math.log1p %p : tensor<5x3xf32>
  %e = tensor.empty() : tensor<5x3x2xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(t, c, s) -> (t, c)>, affine_map<(t, c, s) -> (t, s)>, affine_map<(t, c, s) -> (t, c, s)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%step, %y : tensor<5x3xf32>, tensor<5x2xf32>) outs(%e : tensor<5x3x2xf32>) {
  ^bb0(%s: f32, %v: f32, %out: f32):
    %m = arith.mulf %s, %v : f32
    linalg.yield %m : f32
  } -> tensor<5x3x2xf32>
  return %r : tensor<5x3x2xf32>
}

// -----

// One layer makes the query and a gate. The gate's sigmoid doesn't make a router
// of the query, which meets another layer's rows in attention's product.
// CHECK-LABEL: func.func @query_and_gate
// CHECK-COUNT-2: quant_llm.linear %arg0
func.func @query_and_gate(%x: tensor<5x4xf32>) -> (tensor<5x5xf32>, tensor<5x2xf32>) {
  %g = arith.constant dense<[[-1.0, -1.5, 0.0, -1.25], [1.75, 1.5, 1.75, 1.0], [-0.5, -1.25, 1.75, -2.0], [1.0, 1.25, -2.0, 1.5]]> : tensor<4x4xf32>
  %a = arith.constant dense<[[-1.75, -1.5], [-1.5, 0.75], [-0.75, 0.25], [0.0, -0.5]]> : tensor<4x2xf32>
  %lz = arith.constant dense<0.0> : tensor<5x4xf32>
  %l = linalg.matmul ins(%x, %g : tensor<5x4xf32>, tensor<4x4xf32>) outs(%lz : tensor<5x4xf32>) -> tensor<5x4xf32>
  %kz = arith.constant dense<0.0> : tensor<5x2xf32>
  %k = linalg.matmul ins(%x, %a : tensor<5x4xf32>, tensor<4x2xf32>) outs(%kz : tensor<5x2xf32>) -> tensor<5x2xf32>
  %q = tensor.extract_slice %l[0, 0] [5, 2] [1, 1] : tensor<5x4xf32> to tensor<5x2xf32>
  %gate = tensor.extract_slice %l[0, 2] [5, 2] [1, 1] : tensor<5x4xf32> to tensor<5x2xf32>
  %p = math.exp %gate : tensor<5x2xf32>
  %empty = tensor.empty() : tensor<2x5xf32>
  %kt = linalg.transpose ins(%k : tensor<5x2xf32>) outs(%empty : tensor<2x5xf32>) permutation = [1, 0]
  %sz = arith.constant dense<0.0> : tensor<5x5xf32>
  // expected-remark @below {{neither operand is a constant}}
  %s = linalg.matmul ins(%q, %kt : tensor<5x2xf32>, tensor<2x5xf32>) outs(%sz : tensor<5x5xf32>) -> tensor<5x5xf32>
  return %s, %p : tensor<5x5xf32>, tensor<5x2xf32>
}

// -----

// A gate of heads: each by its own sigmoid, which are no shares of a whole.
// CHECK-LABEL: func.func @heads
// CHECK-COUNT-2: quant_llm.linear %arg0
func.func @heads(%x: tensor<5x4xf32>) -> tensor<5x2x2xf32> {
  %g = arith.constant dense<[[-1.75, -1.5], [-1.5, 0.75], [-0.75, 0.25], [0.0, -0.5]]> : tensor<4x2xf32>
  %a = arith.constant dense<[[-1.0, -1.5, 0.0, -1.25], [1.75, 1.5, 1.75, 1.0], [-0.5, -1.25, 1.75, -2.0], [1.0, 1.25, -2.0, 1.5]]> : tensor<4x4xf32>
  %one = arith.constant dense<1.0> : tensor<5x2xf32>
  %lz = arith.constant dense<0.0> : tensor<5x2xf32>
  %l = linalg.matmul ins(%x, %g : tensor<5x4xf32>, tensor<4x2xf32>) outs(%lz : tensor<5x2xf32>) -> tensor<5x2xf32>
  %yz = arith.constant dense<0.0> : tensor<5x4xf32>
  %y = linalg.matmul ins(%x, %a : tensor<5x4xf32>, tensor<4x4xf32>) outs(%yz : tensor<5x4xf32>) -> tensor<5x4xf32>
  %v = tensor.expand_shape %y [[0], [1, 2]] output_shape [5, 2, 2] : tensor<5x4xf32> into tensor<5x2x2xf32>
  %n = arith.negf %l : tensor<5x2xf32>
  %p = math.exp %n : tensor<5x2xf32>
  %q = arith.addf %p, %one : tensor<5x2xf32>
  %s = arith.divf %one, %q : tensor<5x2xf32>
  %e = tensor.empty() : tensor<5x2x2xf32>
  %b = linalg.broadcast ins(%s : tensor<5x2xf32>) outs(%e : tensor<5x2x2xf32>) dimensions = [2]
  %r = arith.mulf %v, %b : tensor<5x2x2xf32>
  return %r : tensor<5x2x2xf32>
}

// -----

// One channel's sigmoid weighs a whole result: a shared expert's gate.
// CHECK-LABEL: func.func @shared
// CHECK-COUNT-1: quant_llm.linear %arg0
// CHECK-NOT: quant_llm.linear
func.func @shared(%x: tensor<1x5x4xf32>) -> tensor<1x5x4xf32> {
  %g = arith.constant dense<[[[-1.75], [-1.5], [-0.75], [0.25]]]> : tensor<1x4x1xf32>
  %a = arith.constant dense<[[[-1.0, -1.5, 0.0, -1.25], [1.75, 1.5, 1.75, 1.0], [-0.5, -1.25, 1.75, -2.0], [1.0, 1.25, -2.0, 1.5]]]> : tensor<1x4x4xf32>
  %zp = "tosa.const"() <{values = dense<0.0> : tensor<1xf32>}> : () -> tensor<1xf32>
  %shift = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  // expected-remark @below {{router 'shared.0' stays in float; only= with its name raises it}}
  %l = tosa.matmul %x, %g, %zp, %zp : (tensor<1x5x4xf32>, tensor<1x4x1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x5x1xf32>
  %y = tosa.matmul %x, %a, %zp, %zp : (tensor<1x5x4xf32>, tensor<1x4x4xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x5x4xf32>
  %s = tosa.sigmoid %l : (tensor<1x5x1xf32>) -> tensor<1x5x1xf32>
  %r = tosa.mul %y, %s, %shift : (tensor<1x5x4xf32>, tensor<1x5x1xf32>, tensor<1xi8>) -> tensor<1x5x4xf32>
  return %r : tensor<1x5x4xf32>
}
