// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --emit-bytecode | qk-opt | FileCheck %s
// What the passes leave on a module. (Printed, paths are absolute: the module
// may move away from the files.)

// CHECK: module attributes
// CHECK-SAME: quant_llm.calibration = {inputs = "{{.*}}calib.safetensors"}
// CHECK-SAME: quant_llm.evaluate = {strict}
// CHECK-SAME: quant_llm.externals = [{bytes = 16 : i64, offset = 8 : i64, path = "w.safetensors", symbol = "a"}, {symbol = "b", value = dense<1> : tensor<2xi8>}]
// CHECK-SAME: quant_llm.recipe_only
// CHECK-SAME: quant_llm.weights = {model = "{{.*}}model.safetensors"}
module attributes {
  quant_llm.calibration = {inputs = "calib.safetensors"},
  quant_llm.evaluate = {strict},
  quant_llm.externals = [
    {symbol = "a", path = "w.safetensors", offset = 8, bytes = 16},
    {symbol = "b", value = dense<1> : tensor<2xi8>}],
  quant_llm.recipe_only,
  quant_llm.weights = {model = "model.safetensors"}} {
}
