//===- Passes.td - Quantised matmuls to CPU kernels --------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_CPU_PASSES_TD
#define QK_CONVERSION_CPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def EmitCPUKernels : Pass<"quant-llm-emit-cpu-kernels", "mlir::ModuleOp"> {
  let summary = "Build the bodies of the declared CPU kernels";
  let description = [{
    Every private function without body that carries a kernel's specification
    (`qk_kernel.matmul`, `qk_kernel.quantizer`; `quant-llm-pack` declares them)
    gets a body: for each ISA level a function compiled for it, and, where there
    are several, a dispatch on the runtime's `qk_cpu_level`. qk_kernel ops are
    then lowered to the level's instructions.

    Runs after bufferization and buffer deallocation: a kernel frees its own
    workspace. The pass fails for a level it does not know and for a
    specification that can't be read.

    ```mlir
    func.func private @qk_matmul_u4_g64_f16_k4096_float_f32(memref<…>, …)
      attributes {qk_kernel.matmul = array<i64: …>}
    // ==> with isa=avx512-vnni,portable
    func.func private @qk_matmul_u4_g64_f16_k4096_float_f32(…) {
      %level = call @qk_cpu_level() : () -> i32
      …
    }
    func.func private @qk_matmul_u4_g64_f16_k4096_float_f32.avx512-vnni(…) {…}
    func.func private @qk_matmul_u4_g64_f16_k4096_float_f32.avx512-vnni.tile(…) {…}
    …
    ```
  }];
  let options = [
    ListOption<"isa", "isa", "std::string",
               "ISA levels to compile for: avx512-vnni, avx-vnni, avx2, "
               "portable (default: all, dispatched at run time)">
  ];
  let dependentDialects = [
    "mlir::arith::ArithDialect", "mlir::func::FuncDialect",
    "mlir::LLVM::LLVMDialect", "mlir::math::MathDialect",
    "mlir::memref::MemRefDialect", "mlir::scf::SCFDialect",
    "mlir::vector::VectorDialect", "qk::kernel::QKKernelDialect"
  ];
}

#endif // QK_CONVERSION_CPU_PASSES_TD
