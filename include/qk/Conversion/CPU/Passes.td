//===- Passes.td - Quantised matmuls to CPU kernels --------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_CPU_PASSES_TD
#define QK_CONVERSION_CPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def PackForCPU : Pass<"quant-llm-pack", "mlir::ModuleOp"> {
  let summary = "Choose kernels for quantised matmuls and pack their weights";
  let description = [{
    Every `quant_llm.matmul` becomes a `quant_llm.packed_matmul` that names its
    kernel, which is declared in the module; weights are packed into the
    kernel's layout (qk/Target/CPU/Layout.h) now, as a new inline parameter
    `<layer>.packed`, once where several matmuls read one weight. Around it

    - leading dimensions of x are collapsed into one;
    - x is gathered where the matmul has a permutation;
    - float x is quantised by a visible `quant_llm.quantize` per token and group
      of the weight, unless `activations=float`. x that is quantised already
      stays as it is.

    A `pack` with layout "cpu-tile64" becomes a parameter, and a `packed_matmul`
    with that layout and no kernel is treated alike.

    Preconditions (the pass fails otherwise): the recipe has been evaluated, so
    codes, scales, zero points and permutation are parameters; activation codes
    are per tensor, per token, or in groups as long as the weight's, without
    zero points.

    ```mlir
    %y = quant_llm.matmul %x, %codes, %scales scheme(<u4, group = 64, scale = f16>) name("fc") : (tensor<?x128xf32>, …) -> tensor<?x32xf32>
    // ==>
    %bytes = quant_llm.parameter ""::"fc.packed" : tensor<8448xi8> = dense_resource<…>
    %xq, %xs = quant_llm.quantize %x scheme(<16, per_token_group, group = 64>) : …
    %y = quant_llm.packed_matmul %xq, %bytes x_scales(%xs) scheme(<u4, group = 64, scale = f16>) x_scheme(…) n = 32 k = 128 layout("cpu-tile64") kernel(@qk_matmul_u4_g64_f16_k128_int16_f32) name("fc") : …
    ```
  }];
  let options = [
    Option<"activations", "activations", "std::string", /*default=*/"\"int16\"",
           "what float activations are multiplied as: int16, int8 (per token "
           "and group, by a visible quantize) or float">
  ];
  let dependentDialects = [
    "mlir::arith::ArithDialect", "mlir::func::FuncDialect",
    "mlir::linalg::LinalgDialect", "mlir::memref::MemRefDialect",
    "mlir::tensor::TensorDialect", "qk::quant_llm::QuantLLMDialect"
  ];
}

def EmitCPUKernels : Pass<"quant-llm-emit-cpu-kernels", "mlir::ModuleOp"> {
  let summary = "Build the bodies of the declared CPU kernels";
  let description = [{
    Every private function without body that carries a kernel's specification
    (`qk_kernel.matmul`, `qk_kernel.quantizer`; `quant-llm-pack` declares them)
    gets a body: for each ISA level a function compiled for it, and, where there
    are several, a dispatch on the runtime's `qk_choose_cpu_level`. qk_kernel ops are
    then lowered to the level's instructions.

    Runs after bufferization and buffer deallocation: a kernel frees its own
    workspace. The pass fails for a level it does not know and for a
    specification that can't be read.

    ```mlir
    func.func private @qk_matmul_u4_g64_f16_k4096_float_f32(memref<…>, …)
      attributes {qk_kernel.matmul = array<i64: …>}
    // ==> with isa=avx512-vnni,portable
    func.func private @qk_matmul_u4_g64_f16_k4096_float_f32(…) {
      %level = call @qk_choose_cpu_level(%levels) : (i32) -> i32
      …
    }
    func.func private @qk_matmul_u4_g64_f16_k4096_float_f32.avx512-vnni(…) {…}
    func.func private @qk_matmul_u4_g64_f16_k4096_float_f32.avx512-vnni.tile(…) {…}
    …
    ```
  }];
  let options = [
    ListOption<"isa", "isa", "std::string",
               "ISA levels to compile for: avx512-vnni, avx-vnni, avx2; "
               "neon-i8mm, neon-dotprod; portable (default: all of the "
               "target's, dispatched at run time)">
  ];
  let dependentDialects = [
    "mlir::arith::ArithDialect", "mlir::func::FuncDialect",
    "mlir::LLVM::LLVMDialect", "mlir::math::MathDialect",
    "mlir::memref::MemRefDialect", "mlir::scf::SCFDialect",
    "mlir::vector::VectorDialect", "qk::kernel::QKKernelDialect"
  ];
}

#endif // QK_CONVERSION_CPU_PASSES_TD
