//===- Passes.td - Kernel passes ---------------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_KERNEL_PASSES_TD
#define QK_DIALECT_KERNEL_PASSES_TD

include "mlir/Pass/PassBase.td"

def QKKernelLower : Pass<"qk-kernel-lower"> {
  let summary = "Lower qk_kernel ops to what the function's ISA level has";
  let description = [{
    Rewrites every `qk_kernel` op to `arith`, `vector` and LLVM intrinsics for
    the level in the `qk_kernel.level` attribute of the function around it.

    Preconditions: the level is one of portable, avx2, avx-vnni, avx512-vnni,
    neon-dotprod, neon-i8mm, and a dot's vectors have the level's width (4 lanes
    for 128 bits, 8 for 256, 16 for 512), else the op falls back to the portable
    form. The pass fails for a
    level it does not know.

    ```mlir
    func.func @dot(%acc: vector<16xi32>, %u: vector<64xi8>, %s: vector<64xi8>) -> vector<16xi32> attributes {qk_kernel.level = "avx512-vnni"} {
      %r = qk_kernel.dot %acc, %u, %s : vector<16xi32>, vector<64xi8>
      return %r : vector<16xi32>
    }
    ```
    ==>
    ```mlir
    func.func @dot(%acc: vector<16xi32>, %u: vector<64xi8>, %s: vector<64xi8>) -> vector<16xi32> attributes {qk_kernel.level = "avx512-vnni"} {
      %r = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"(%acc, %u, %s) : (vector<16xi32>, vector<64xi8>, vector<64xi8>) -> vector<16xi32>
      return %r : vector<16xi32>
    }
    ```
  }];
  let dependentDialects = ["mlir::arith::ArithDialect",
                           "mlir::vector::VectorDialect",
                           "mlir::LLVM::LLVMDialect"];
}

#endif // QK_DIALECT_KERNEL_PASSES_TD
