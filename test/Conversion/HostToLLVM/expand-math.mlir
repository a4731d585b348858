// RUN: qk-opt %s --quant-llm-expand-math | FileCheck %s

// exp is arithmetic, a square a product, a bf16 conversion integer arithmetic;
// the rest stays for the C library, and maxima for the vectorizer.
// CHECK-LABEL: func @all
// CHECK-NOT: math.exp
// CHECK-NOT: math.fpowi
// CHECK-NOT: bf16 to f32
// CHECK: arith.maximumf
// CHECK-NOT: math.log1p
// CHECK-NOT: math.expm1
// CHECK: math.tanh
func.func @all(%x: f32, %b: bf16) -> f32 {
  %c2 = arith.constant 2 : i64
  %0 = math.exp %x : f32
  %1 = math.fpowi %0, %c2 : f32, i64
  %2 = arith.extf %b : bf16 to f32
  %3 = arith.maximumf %1, %2 : f32
  %5 = math.log1p %3 : f32
  %6 = math.expm1 %5 : f32
  %4 = math.tanh %6 : f32
  return %4 : f32
}
