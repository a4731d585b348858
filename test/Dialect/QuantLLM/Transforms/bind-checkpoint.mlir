// RUN: rm -rf %t && split-file %s %t
// RUN: %python %S/../../../Inputs/make_safetensors.py %t/m.safetensors b.layers.10.weight=F32[2x3]:1,2,3,4,5,6 b.layers.2.weight=F32[2x3]:1,2,3,4,5,6 lm_head.weight=F32[2x2]:7,8,9,10 embed.weight=F32[2x2]:7,8,9,10 norm.weight=F32[4]:1,2,3,5 half.weight=BF16[2x2]:1.5,2.5,3.5,4.5 single.weight=F32[2x2]:0.1,0.2,0.3,0.4
// RUN: qk-opt --allow-unregistered-dialect --weights=%t/m.safetensors %t/bytes.mlir | FileCheck %t/bytes.mlir
// RUN: qk-opt --allow-unregistered-dialect --weights=%t/m.safetensors %t/bytes.mlir | qk-opt --allow-unregistered-dialect --quant-llm-bind-parameters="weights=%t/m.safetensors" | FileCheck %t/bytes.mlir
// RUN: qk-opt --weights=%t/m.safetensors %t/prefix.mlir | FileCheck %t/prefix.mlir
// RUN: qk-opt --allow-unregistered-dialect --weights=%t/m.safetensors %t/unlinked.mlir | FileCheck %t/unlinked.mlir

//--- bytes.mlir
// Constants are found by their bytes: as they are, transposed, without
// dimensions of size one, twice, and converted. Of equal tensors the first in
// natural order goes to what is used first, heads last; what the checkpoint
// lacks stays.

// CHECK: quant_llm.weights = {model = "{{.*}}m.safetensors"}
// CHECK-LABEL: func.func @main
// CHECK-DAG: %[[HEAD:.*]] = quant_llm.parameter "model"::"lm_head.weight" : tensor<2x2xf32>
// CHECK-DAG: %[[HEADT:.*]] = quant_llm.transpose %[[HEAD]]
// CHECK-DAG: %[[EMBED:.*]] = quant_llm.parameter "model"::"embed.weight" : tensor<2x2xf32>
// CHECK-DAG: %[[L2:.*]] = quant_llm.parameter "model"::"b.layers.2.weight" : tensor<2x3xf32>
// CHECK-DAG: %[[L2T:.*]] = quant_llm.transpose %[[L2]]
// CHECK-DAG: %[[L2E:.*]] = tensor.expand_shape %[[L2T]] {{.*}} into tensor<1x3x2xf32>
// CHECK-DAG: %[[L10:.*]] = quant_llm.parameter "model"::"b.layers.10.weight" : tensor<2x3xf32>
// CHECK-DAG: %[[NORM:.*]] = quant_llm.parameter "model"::"norm.weight" : tensor<4xf32>
// CHECK-DAG: %[[NORME:.*]] = tensor.expand_shape %[[NORM]] {{.*}} into tensor<1x1x4xf32>
// CHECK-DAG: %[[HALF:.*]] = quant_llm.parameter ""::"half.weight" : tensor<2x2xf32> = dense<{{.*}}>
// CHECK-DAG: %[[SINGLE:.*]] = quant_llm.parameter ""::"single.weight" : tensor<2x2xf16> = dense<{{.*}}>
// CHECK-DAG: %[[LACKS:.*]] = arith.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]>
// CHECK-DAG: %[[SPLAT:.*]] = arith.constant dense<7.000000e+00>
// CHECK: "test.use"(%[[L2E]], %[[EMBED]])
// CHECK: "test.use"(%[[L10]], %[[NORME]], %[[HALF]], %[[SINGLE]], %[[HEADT]], %[[LACKS]], %[[SPLAT]], %[[L2E]])
func.func @main() {
  %head = arith.constant dense<[[7., 9.], [8., 10.]]> : tensor<2x2xf32>
  %a = arith.constant dense<[[[1., 4.], [2., 5.], [3., 6.]]]> : tensor<1x3x2xf32>
  %again = arith.constant dense<[[[1., 4.], [2., 5.], [3., 6.]]]> : tensor<1x3x2xf32>
  %b = "tosa.const"() <{values = dense<[[1., 2., 3.], [4., 5., 6.]]> : tensor<2x3xf32>}> : () -> tensor<2x3xf32>
  %embed = arith.constant dense<[[7., 8.], [9., 10.]]> : tensor<2x2xf32>
  %norm = arith.constant dense<[[[1., 2., 3., 5.]]]> : tensor<1x1x4xf32>
  %half = arith.constant dense<[[1.5, 2.5], [3.5, 4.5]]> : tensor<2x2xf32>
  %single = arith.constant dense<[[0.1, 0.2], [0.3, 0.4]]> : tensor<2x2xf16>
  %lacks = arith.constant dense<[1., 2., 3., 4.]> : tensor<4xf32>
  %splat = arith.constant dense<7.> : tensor<2x2xf32>
  "test.use"(%a, %embed) : (tensor<1x3x2xf32>, tensor<2x2xf32>) -> ()
  "test.use"(%b, %norm, %half, %single, %head, %lacks, %splat, %again) : (tensor<2x3xf32>, tensor<1x1x4xf32>, tensor<2x2xf32>, tensor<2x2xf16>, tensor<2x2xf32>, tensor<4xf32>, tensor<2x2xf32>, tensor<1x3x2xf32>) -> ()
  return
}

//--- prefix.mlir
// An exporter's wrapper adds a component in front; a checkpoint of the whole
// model has more where a part was exported.
// CHECK-DAG: quant_llm.parameter "model"::"norm.weight" : tensor<4xf32>
// CHECK-DAG: quant_llm.parameter "model"::"b.layers.10.weight" : tensor<2x3xf32>
func.func @main() -> (tensor<4xf32>, tensor<2x3xf32>) {
  %0 = arith.constant dense_resource<"_m.model.norm.weight"> : tensor<4xf32>
  %1 = arith.constant dense_resource<layers.10.weight> : tensor<2x3xf32>
  return %0, %1 : tensor<4xf32>, tensor<2x3xf32>
}

//--- unlinked.mlir
// What isn't linked stays the op it was, and is told what it is.
// CHECK: %[[A:.*]] = "stablehlo.constant"() <{value = dense<{{.*}}> : tensor<3x2xf32>}> {quant_llm.binding = {name = "b.layers.2.weight", scope = "model", transposed}}
// CHECK: "stablehlo.constant"() <{value = dense<{{.*}}> : tensor<2x2xf16>}> {quant_llm.binding = {keeps_value, name = "single.weight", scope = ""}}
// CHECK: "stablehlo.constant"() <{value = dense<1.000000e+00> : tensor<f32>}> : () -> tensor<f32>
func.func @main() {
  %0 = "stablehlo.constant"() <{value = dense<[[1., 4.], [2., 5.], [3., 6.]]> : tensor<3x2xf32>}> : () -> tensor<3x2xf32>
  %1 = "stablehlo.constant"() <{value = dense<[[0.1, 0.2], [0.3, 0.4]]> : tensor<2x2xf16>}> : () -> tensor<2x2xf16>
  %2 = "stablehlo.constant"() <{value = dense<1.> : tensor<f32>}> : () -> tensor<f32>
  return
}
