// RUN: qk-opt %s --quant-llm-lower-asserts --mlir-print-debuginfo=false | FileCheck %s

// One text per message and place; the module's name for the place is kept.
// CHECK-DAG: llvm.mlir.global private constant @[[TEXT:.*]]("too large (model.mlir:3:7)")
// CHECK-DAG: func.func private @qk_assert_fail(!llvm.ptr, i64)
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

// What was compared is told: the text, two numbers and arith's number for how.
// CHECK-LABEL: func @compares
// CHECK-SAME: %[[I:.*]]: index, %[[N:.*]]: i32
// CHECK: scf.if
// CHECK: %[[L:.*]] = arith.index_cast %[[I]] : index to i64
// CHECK: %[[P:.*]] = arith.constant 6 : i32
// CHECK: call @qk_assert_compare_fail(%{{.*}}, %{{.*}}, %[[L]], %[[P]], %{{.*}}) : (!llvm.ptr, i64, i64, i32, i64) -> ()
// CHECK: scf.if
// CHECK: %[[M:.*]] = arith.extsi %[[N]] : i32 to i64
// CHECK: call @qk_assert_compare_fail(%{{.*}}, %{{.*}}, %[[M]], %{{.*}}, %{{.*}})
// CHECK: call @qk_assert_fail
func.func @compares(%i: index, %n: i32, %b: i1) {
  %c9 = arith.constant 9 : index
  %0 = arith.cmpi ult, %i, %c9 : index
  cf.assert %0, "index"
  %1 = arith.cmpi eq, %n, %n : i32
  cf.assert %1, "equal"
  %2 = arith.cmpi eq, %b, %b : i1
  cf.assert %2, "truth"
  return
}
