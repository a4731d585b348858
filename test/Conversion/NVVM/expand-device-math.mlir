// RUN: qk-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(gpu.module(quant-llm-expand-device-math))' | FileCheck %s
// Functions in kernels are arithmetic: NVIDIA's library of them is not needed.

// CHECK-LABEL: gpu.func @functions
gpu.module @kernels {
  gpu.func @functions(%p: !llvm.ptr<1>, %x: f32, %h: f16) kernel {
    // A quarter turn is found in f64.
    // CHECK: %[[WIDE:.*]] = arith.extf %{{.*}} : f32 to f64
    // CHECK: llvm.call_intrinsic "llvm.roundeven"
    // CHECK-NOT: math.sin
    // CHECK-NOT: math.cos
    // CHECK-NOT: math.exp
    // CHECK-NOT: math.tanh
    // CHECK-NOT: math.erf
    // CHECK-NOT: math.powf
    // CHECK: llvm.call_intrinsic "llvm.sqrt"
    // CHECK-NOT: math.rsqrt
    // CHECK: gpu.return
    %0 = math.sin %x : f32
    %1 = math.cos %0 : f32
    %2 = math.exp %1 : f32
    %3 = math.tanh %2 : f32
    %4 = math.erf %3 : f32
    %5 = math.rsqrt %4 : f32
    %6 = math.powf %5, %x : f32
    %7 = math.exp %h : f16
    %8 = arith.extf %7 : f16 to f32
    %9 = arith.addf %6, %8 : f32
    llvm.store %9, %p : f32, !llvm.ptr<1>
    gpu.return
  }
}

// -----

// So are those of f64, which models have where they round to f32 in the end.
// CHECK-LABEL: gpu.func @wide
gpu.module @kernels {
  gpu.func @wide(%p: !llvm.ptr<1>, %x: f64, %h: bf16) kernel {
    // CHECK-NOT: math.exp
    // CHECK-NOT: math.log
    // CHECK-NOT: math.powf
    // CHECK-NOT: math.round{{ }}
    // CHECK: gpu.return
    %0 = math.exp %x : f64
    %1 = math.log %0 : f64
    %two = math.log2 %1 : f64
    %ten = math.log10 %two : f64
    %near = math.log1p %ten : f64
    %less = math.expm1 %near : f64
    %whole = math.round %less : f64
    %2 = math.powf %whole, %x : f64
    %3 = math.powf %h, %h : bf16
    %4 = arith.extf %3 : bf16 to f64
    %5 = arith.addf %2, %4 : f64
    llvm.store %5, %p : f64, !llvm.ptr<1>
    gpu.return
  }
}

// -----

// What the GPU's conversion knows a function of libdevice for, which PTX would
// call and nobody have.
// CHECK-LABEL: gpu.func @calls
gpu.module @kernels {
  gpu.func @calls(%p: !llvm.ptr<1>, %x: f32, %y: f32, %h: bf16) kernel {
    // CHECK-NOT: arith.remf
    // CHECK-NOT: arith.maxnumf
    // CHECK-NOT: arith.minnumf
    // CHECK: gpu.return
    %0 = arith.remf %x, %y : f32
    %1 = arith.maxnumf %0, %y : f32
    %2 = arith.minnumf %1, %x : f32
    %3 = arith.maxnumf %h, %h : bf16
    %4 = arith.extf %3 : bf16 to f32
    %5 = arith.addf %2, %4 : f32
    llvm.store %5, %p : f32, !llvm.ptr<1>
    gpu.return
  }
}

// -----

// Sixteen bits become f32 before a function is written out.
// CHECK-LABEL: gpu.func @short
// CHECK: arith.extf %{{.*}} : bf16 to f32
// CHECK-NOT: {{(addf|mulf|divf).*}} : bf16
// CHECK: arith.truncf %{{.*}} : f32 to bf16
gpu.module @kernels {
  gpu.func @short(%p: !llvm.ptr<1>, %x: bf16) kernel {
    %0 = math.sinh %x : bf16
    llvm.store %0, %p : bf16, !llvm.ptr<1>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @unknown(%p: !llvm.ptr<1>, %x: f64) kernel {
    // expected-error@+1 {{no GPU code for 'math.acos' on 'f64' (model=device); lower with model=host}}
    %0 = math.acos %x : f64
    llvm.store %0, %p : f64, !llvm.ptr<1>
    gpu.return
  }
}
