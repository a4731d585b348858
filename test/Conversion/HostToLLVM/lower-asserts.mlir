// RUN: qk-opt %s --quant-llm-lower-asserts --mlir-print-debuginfo=false | FileCheck %s

// One text per message and place; the module's name for the place is kept.
// CHECK: llvm.mlir.global private constant @[[TEXT:.*]]("too large (model.mlir:3:7)")
// CHECK: func.func private @qk_assert_fail(!llvm.ptr, i64)
// CHECK-LABEL: func @main
// CHECK-SAME: %[[C:.*]]: i1
// CHECK: %[[FAILED:.*]] = arith.xori %[[C]], %true
// CHECK: scf.if %[[FAILED]] {
// CHECK: %[[A:.*]] = llvm.mlir.addressof @[[TEXT]]
// CHECK: call @qk_assert_fail(%[[A]], %c26_i64)
func.func @main(%c: i1) {
  cf.assert %c, "too large" loc("model.mlir":3:7)
  return
}
