// Weights by name, and what is said of files that lie.
// RUN: rm -rf %t && split-file %s %t && cd %t
// RUN: %python %S/Inputs/safetensors.py pad.safetensors pad:U8:3:1 w:F32:2x2:1,2,3,4
// RUN: qk-run -O0 a.mlir --weights=pad.safetensors | FileCheck %s --check-prefix=FOUND
// FOUND: out0: F32[2x2], from 2 to 8, mean 5

// Lowered, the module names file and place; bytes that are not aligned are
// copied, a file that has shrunk or gone is reported.
// RUN: qk-opt a.mlir --quant-llm-host-to-llvm="weights=pad.safetensors" -o low.mlir
// RUN: FileCheck %s --check-prefix=EXTERNAL --input-file=low.mlir
// EXTERNAL: quant_llm.externals = [{bytes = 16 : i64, offset = {{[0-9]+}} : i64, path = "{{.*}}pad.safetensors", symbol = "[[S:.*]]"}]
// EXTERNAL: llvm.mlir.global external constant @[[S]]() {{.*}}: !llvm.array<2 x array<2 x f32>>
// EXTERNAL: llvm.func @main({{.*}} attributes {llvm.emit_c_interface, quant_llm.signature = () -> tensor<2x2xf32>}
// RUN: qk-run -O0 low.mlir | FileCheck %s --check-prefix=FOUND
// RUN: qk-run -O0 low.mlir --weights=x 2>&1 | FileCheck %s --check-prefix=UNUSED
// UNUSED: warning: low.mlir: is lowered and names its weights itself; --weights is not used
// RUN: %python %S/Inputs/safetensors.py pad.safetensors pad:U8:3:1
// RUN: not qk-run -O0 low.mlir 2>&1 | FileCheck %s --check-prefix=SHORT
// SHORT: pad.safetensors: external '{{.*}}': expected bytes {{[0-9]+}} to {{[0-9]+}}, got a file of {{[0-9]+}} bytes
// RUN: rm pad.safetensors
// RUN: not qk-run -O0 low.mlir 2>&1 | FileCheck %s --check-prefix=GONE
// GONE: external '{{.*}}': {{.*}}pad.safetensors: cannot be opened

// RUN: not qk-run -O0 a.mlir 2>&1 | FileCheck %s --check-prefix=NOWHERE
// NOWHERE: error: resource 'w' has no data and no weights are given; use --weights=FILE
// RUN: %python %S/Inputs/safetensors.py v.safetensors v:F32:2x2:1
// RUN: not qk-run -O0 a.mlir --weights=v.safetensors 2>&1 | FileCheck %s --check-prefix=NAME
// NAME: error: v.safetensors: no tensor 'w' among 1 (closest is 'v')
// RUN: %python %S/Inputs/safetensors.py i.safetensors w:I32:2x2:1
// RUN: not qk-run -O0 a.mlir --weights=i.safetensors 2>&1 | FileCheck %s --check-prefix=TYPE
// TYPE: error: i.safetensors: tensor 'w': expected F32[2x2], got I32[2x2]
// RUN: %python %S/Inputs/safetensors.py n.safetensors w:F32:4:1
// RUN: not qk-run -O0 a.mlir --weights=n.safetensors 2>&1 | FileCheck %s --check-prefix=SHAPE
// SHAPE: error: n.safetensors: tensor 'w': expected F32[2x2], got F32[4]
// RUN: echo nonsense > bad.safetensors
// RUN: not qk-run -O0 a.mlir --weights=bad.safetensors 2>&1 | FileCheck %s --check-prefix=BAD
// BAD: error: bad.safetensors: header length {{[0-9]+}} exceeds the limit

// A module that says nothing about a symbol it needs.
// RUN: not qk-run -O0 lost.mlir 2>&1 | FileCheck %s --check-prefix=LOST
// LOST: error: lost.mlir: the module has no data for 'w': expected an entry in quant_llm.externals

//--- a.mlir
func.func @main() -> tensor<2x2xf32> {
  %0 = arith.constant dense_resource<w> : tensor<2x2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %1 = linalg.add ins(%0, %0 : tensor<2x2xf32>, tensor<2x2xf32>) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %1 : tensor<2x2xf32>
}
//--- lost.mlir
llvm.mlir.global external constant @w() : f32
llvm.func @main() attributes {llvm.emit_c_interface, quant_llm.signature = () -> ()} {
  llvm.return
}
