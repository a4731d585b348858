// LLVM 23 and later print boolean literals with a byte an element; LLVM 22 with
// a bit. Both are read, and places in messages stay those of the file.

// RUN: split-file %s %t
// RUN: qk-opt %t/good.mlir | FileCheck %s
// RUN: not qk-opt %t/place.mlir 2>&1 | FileCheck %s --check-prefix=PLACE

//--- good.mlir
// CHECK-LABEL: @bytes
// CHECK{LITERAL}: dense<[[true, false, false], [true, true, false], [true, true, true]]> : tensor<3x3xi1>
// CHECK{LITERAL}: dense<[[true, false, false, true, true, false, true, true, true, true]]> : vector<1x10xi1>
func.func @bytes() -> (tensor<3x3xi1>, vector<1x10xi1>) {
  %0 = arith.constant dense<"0x010000010100010101"> : tensor<3x3xi1>
  %1 = arith.constant dense<"0x01000001010001010101"> : vector<1x10xi1>
  return %0, %1 : tensor<3x3xi1>, vector<1x10xi1>
}

// CHECK-LABEL: @bits
// CHECK{LITERAL}: dense<[[true, false, false], [true, true, false], [true, true, true]]> : tensor<3x3xi1>
func.func @bits() -> tensor<3x3xi1> {
  %0 = arith.constant dense<"0xD901"> : tensor<3x3xi1>
  return %0 : tensor<3x3xi1>
}

// CHECK-LABEL: @others
// CHECK: dense<true> : tensor<1xi1>
// CHECK{LITERAL}: dense<[1, 0, 0, 1]> : tensor<4xi8>
func.func @others() -> (tensor<1xi1>, tensor<4xi8>) {
  %0 = arith.constant dense<"0x01"> : tensor<1xi1>
  %1 = arith.constant dense<"0x01000001"> : tensor<4xi8>
  return %0, %1 : tensor<1xi1>, tensor<4xi8>
}

//--- place.mlir
// The column after a rewritten literal is the file's.
// PLACE: place.mlir:4:59: error: 'arith.addi'
func.func private @place() {
  %0 = arith.constant dense<"0x0100"> : tensor<2xi1> %1 = "arith.addi"() : () -> i32
  return
}
