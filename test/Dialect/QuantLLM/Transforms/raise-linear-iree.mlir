// RUN: qk-opt --allow-unregistered-dialect --quant-llm-raise-linear --split-input-file %s | FileCheck %s
// IREE's functions and globals, of dialects that are not linked.

"util.global"() <{initial_value = #flow.parameter.named<"model"::"fc.weight"> : tensor<2x3xf32>, sym_name = "__auto.fc.weight", type = tensor<2x3xf32>}> : () -> ()
"util.global"() <{initial_value = dense<[1.0, 2.0]> : tensor<2xf32>, sym_name = "b", type = tensor<2xf32>}> : () -> ()
// CHECK-LABEL: "util.func"
"util.func"() <{function_type = (!hal.buffer_view) -> !hal.buffer_view, sym_name = "main"}> ({
^bb0(%arg0: !hal.buffer_view):
  // CHECK: %[[W:.*]] = quant_llm.parameter "model"::"fc.weight" : tensor<2x3xf32>
  // CHECK: %[[X:.*]] = "hal.tensor.import"
  %x = "hal.tensor.import"(%arg0) : (!hal.buffer_view) -> tensor<5x3xf32>
  %w = "util.global.load"() <{global = @__auto.fc.weight}> : () -> tensor<2x3xf32>
  // CHECK: %[[B:.*]] = "util.global.load"() <{global = @b}>
  %b = "util.global.load"() <{global = @b}> : () -> tensor<2xf32>
  %zero = arith.constant dense<0.0> : tensor<5x2xf32>
  %p = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<5x3xf32>, tensor<2x3xf32>) outs(%zero : tensor<5x2xf32>) -> tensor<5x2xf32>
  // CHECK: quant_llm.linear %[[X]], %[[W]] bias(%[[B]]) name("fc")
  %y = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
    ins(%p, %b : tensor<5x2xf32>, tensor<2xf32>) outs(%zero : tensor<5x2xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<5x2xf32>
  // CHECK-NEXT: "hal.tensor.export"
  %r = "hal.tensor.export"(%y) : (tensor<5x2xf32>) -> !hal.buffer_view
  "util.return"(%r) : (!hal.buffer_view) -> ()
}) : () -> ()

// -----

// One global loaded twice is one weight; the same weight read the other way
// round is another layer. Quotes in a name are as MLIR escapes them.
"util.global"() <{initial_value = #flow.parameter.named<"a \22b\22">  : tensor<3x3xf32>, sym_name = "w", type = tensor<3x3xf32>}> : () -> ()
// CHECK-LABEL: "util.func"
"util.func"() <{function_type = (tensor<5x3xf32>) -> tensor<5x3xf32>, sym_name = "main"}> ({
^bb0(%x: tensor<5x3xf32>):
  // CHECK-DAG: %[[W:.*]] = quant_llm.parameter ""::"a \22b\22" : tensor<3x3xf32>
  // CHECK-DAG: %[[T:.*]] = quant_llm.transpose
  %zero = arith.constant dense<0.0> : tensor<5x3xf32>
  %w0 = "util.global.load"() <{global = @w}> : () -> tensor<3x3xf32>
  // CHECK: %[[Y0:.*]] = quant_llm.linear %{{.*}}, %[[T]] name("main.0")
  %y0 = linalg.matmul ins(%x, %w0 : tensor<5x3xf32>, tensor<3x3xf32>) outs(%zero : tensor<5x3xf32>) -> tensor<5x3xf32>
  %w1 = "util.global.load"() <{global = @w}> : () -> tensor<3x3xf32>
  // CHECK: %[[Y1:.*]] = quant_llm.linear %[[Y0]], %[[T]] name("main.0")
  %y1 = linalg.matmul ins(%y0, %w1 : tensor<5x3xf32>, tensor<3x3xf32>) outs(%zero : tensor<5x3xf32>) -> tensor<5x3xf32>
  // CHECK: quant_llm.linear %[[Y1]], %{{.*}} name("main.1")
  %y2 = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%y1, %w1 : tensor<5x3xf32>, tensor<3x3xf32>) outs(%zero : tensor<5x3xf32>) -> tensor<5x3xf32>
  "util.return"(%y2) : (tensor<5x3xf32>) -> ()
}) : () -> ()

// -----

// A global that can change is no constant.
"util.global"() <{initial_value = dense<1.0> : tensor<3x3xf32>, is_mutable, sym_name = "w", type = tensor<3x3xf32>}> : () -> ()
// CHECK-NOT: quant_llm.linear
"util.func"() <{function_type = (tensor<5x3xf32>) -> tensor<5x3xf32>, sym_name = "main"}> ({
^bb0(%x: tensor<5x3xf32>):
  %zero = arith.constant dense<0.0> : tensor<5x3xf32>
  %w = "util.global.load"() <{global = @w}> : () -> tensor<3x3xf32>
  %y = linalg.matmul ins(%x, %w : tensor<5x3xf32>, tensor<3x3xf32>) outs(%zero : tensor<5x3xf32>) -> tensor<5x3xf32>
  "util.return"(%y) : (tensor<5x3xf32>) -> ()
}) : () -> ()
