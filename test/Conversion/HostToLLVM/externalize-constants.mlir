// RUN: qk-opt %s --quant-llm-externalize-constants="threshold=8" | FileCheck %s

// CHECK: module attributes {quant_llm.externals = [
// CHECK-SAME: {symbol = "large", value = dense<{{.*}}> : tensor<3xf32>}
// CHECK-SAME: {symbol = "bits", value = dense<[1, 0, 1, 1, 0, 0, 0, 0, 1]> : tensor<9xi8>}
module {
  // CHECK: memref.global constant @large : memref<3xf32>{{$}}
  memref.global "private" constant @large : memref<3xf32> = dense<[1.0, 2.0, 3.0]> {alignment = 64 : i64}
  // Booleans are packed in attributes, and bytes in memory.
  // CHECK: memref.global constant @bits : memref<9xi1>{{$}}
  memref.global "private" constant @bits : memref<9xi1> = dense<[true, false, true, true, false, false, false, false, true]>
  // CHECK: memref.global "private" constant @small : memref<2xf32> = dense
  memref.global "private" constant @small : memref<2xf32> = dense<[1.0, 2.0]>
  // CHECK: memref.global "private" @later : memref<64xf32> = uninitialized
  memref.global "private" @later : memref<64xf32> = uninitialized
}
