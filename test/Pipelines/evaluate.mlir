// RUN: qk-opt --rtn="bits=4 group-size=2 symmetric scale-type=f32 report=%t.json" %s | FileCheck %s
// RUN: FileCheck --check-prefix=REPORT %s < %t.json
// RUN: qk-opt --rtn="bits=4 group-size=2" %s | qk-opt --quant-llm-evaluate | FileCheck %s --check-prefix=TWICE
// RUN: qk-opt --rtn="bits=4 group-size=2 recipe-only" %s | FileCheck %s --check-prefix=RECIPE
// RUN: qk-opt --rtn="bits=4 group-size=2 output-weights=%t.safetensors" %s | FileCheck %s --check-prefix=FILE
// RUN: qk-opt --gptq="group-size=2" %s 2>&1 | FileCheck %s --check-prefix=BARE
// A method evaluates its recipe; the numbers are those of the formula.

// Row 0: max |w| = 7.5 and 0, so scales 2 * 7.5 / 15 = 1 and 1 (zeros); codes 8+7 (7.5 is a tie, 15.5 rounds to 16, clamped), 8-7.
// CHECK: quant_llm.parameter "quantized"::"fc.codes" : tensor<1x4xi4> = dense_resource<fc.codes> : tensor<1x2xi8>
// CHECK: quant_llm.parameter "quantized"::"fc.scales" : tensor<1x2xf32> = dense_resource<fc.scales> : tensor<1x2xf32>
// CHECK-NOT: round_to_nearest
// CHECK: fc.codes: "0x100000001F88"
// CHECK: fc.scales: "0x100000000000803F0000803F"

// REPORT: "layer": "fc"
// REPORT: "n": 1
// REPORT: "k": 4
// REPORT: "scheme": "u4 group 2 scale f32"
// REPORT: "symmetric": true
// REPORT: "method": "rtn"

// TWICE-COUNT-3: quant_llm.parameter "quantized"
// RECIPE: quant_llm.recipe_only
// RECIPE: quant_llm.round_to_nearest
// FILE: module attributes {quant_llm.weights = {quantized = "{{.*}}.safetensors"}}
// FILE: quant_llm.parameter "quantized"::"fc.codes" : tensor<1x4xi4>{{$}}
// BARE: warning: no statistics for any of 1 layers that need them;{{.*}}going on with identity Hessians
// BARE: quant_llm.matmul {{.*}}{quant_llm.uncalibrated}
func.func @main(%x: tensor<?x4xf32>) -> tensor<?x1xf32> {
  %w = quant_llm.parameter ""::"fc.weight" : tensor<1x4xf32> = dense<[[7.5, -7.0, 0.0, 0.0]]> : tensor<1x4xf32>
  %0 = quant_llm.linear %x, %w name("fc") : (tensor<?x4xf32>, tensor<1x4xf32>) -> tensor<?x1xf32>
  return %0 : tensor<?x1xf32>
}
