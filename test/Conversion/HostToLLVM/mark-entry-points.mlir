// RUN: qk-opt %s --quant-llm-mark-entry-points | FileCheck %s

// A public function keeps its signature; its inputs are not to be written to.
// CHECK: func.func @main(%{{.*}}: tensor<?x4xf32> {bufferization.writable = false}) -> tensor<?x4xf32>
// CHECK-SAME: llvm.emit_c_interface, quant_llm.signature = (tensor<?x4xf32>) -> tensor<?x4xf32>
func.func @main(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}

// Private functions and declarations stay as they are.
// CHECK: func.func private @inner(%{{.*}}: tensor<4xf32>) {
func.func private @inner(%x: tensor<4xf32>) {
  return
}
// CHECK: func.func private @extern(tensor<4xf32>){{$}}
func.func private @extern(tensor<4xf32>)

// CHECK: func.func @named
// CHECK-SAME: quant_llm.argument_names = ["tokens", ""]
func.func @named(%x: tensor<4xf32> loc("tokens"), %y: tensor<4xf32>) {
  return
}
