//===- Passes.td - Quantised matmuls to GPU kernels --------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_NVVM_PASSES_TD
#define QK_CONVERSION_NVVM_PASSES_TD

include "mlir/Pass/PassBase.td"

defvar chipOption =
  Option<"chip", "chip", "std::string", /*default=*/"\"sm_80\"",
         "GPU to compile for: sm_75, sm_80, sm_86, sm_89, sm_90, sm_90a, "
         "sm_100a or sm_120">;

def PackForNVVM : Pass<"quant-llm-pack-for-nvvm", "mlir::ModuleOp"> {
  let summary = "Choose GPU kernels for quantised matmuls, pack their weights";
  let description = [{
    Every `quant_llm.matmul` becomes a `quant_llm.packed_matmul`; its weight is
    packed into the layout of the kernels that are chosen for it
    (qk/Target/NVVM/Layout.h) now, as a new inline parameter `<layer>.packed`,
    once where several matmuls read one weight. Leading dimensions of x are
    collapsed into one (with `host=keep` in a StableHLO module they stay).
    Permutation and bias stay operands: kernels take them.

    With `host=launch` the matmul names the function that will launch its
    kernels, which is declared in the module on buffers; bufferization makes
    calls of it. With `host=keep` nothing is declared.

    Preconditions (the pass fails otherwise): the recipe has been evaluated, so
    codes, scales and zero points are parameters; x is float.

    ```mlir
    %y = quant_llm.matmul %x, %codes, %scales scheme(<u4, group = 64, scale = f16>) name("fc") : (tensor<?x128xf32>, …) -> tensor<?x32xf32>
    // ==> with host=keep
    %bytes = quant_llm.parameter ""::"fc.packed" : tensor<2176xi8> = dense_resource<…>
    %y = quant_llm.packed_matmul %x, %bytes scheme(<u4, group = 64, scale = f16>) n = 32 k = 128 layout("nvvm-simt") name("fc") : …
    ```
  }];
  let options = [
    chipOption,
    Option<"host", "host", "std::string", /*default=*/"\"launch\"",
           "launch: the host code launches the kernels; keep: each matmul "
           "stays one op">,
    Option<"model", "model", "std::string", /*default=*/"\"host\"",
           "host: the rest of the model runs on the CPU; device: on the GPU">
  ];
  let dependentDialects = [
    "mlir::func::FuncDialect", "mlir::memref::MemRefDialect",
    "mlir::tensor::TensorDialect", "qk::quant_llm::QuantLLMDialect"
  ];
}

def FuseRowQuantizers : Pass<"quant-llm-fuse-row-quantizers", "mlir::ModuleOp"> {
  let summary = "Compute what a quantiser reads in the quantiser's kernel";
  let description = [{
    Where the x of a `quant_llm.quantize` that a kernel computes
    (`quant-llm-pack-for-nvvm` with `model=device`) is made by linalg operations
    that only work within its rows, one kernel does it all, a block a row:
    elementwise operations on [..., K] with operands [..., K], [...], [K] or
    scalars, reductions over K by addition, multiplication, maximum or minimum,
    and reshapes of other dimensions. A norm and its weight, a gated activation,
    whatever it is: nothing is recognised by its name. What lies between the
    operations' sources and the codes is never in memory.

    An operation joins if all its users do: what has another user is written
    anyway and is read as a source. (Fills join always.) The operations become a
    program, a private function on vectors of a row that the declared launcher
    names (qk/Target/NVVM/Quantizer.h); equal programs are one. Sums are added up
    in another order than linalg's; apart from that, every step is done in the
    type that it had.

    Runs on tensors, after elementwise operations are fused and dimensions of
    size one are gone, before bufferization.

    ```mlir
    %s = linalg.generic … ins(%h) … sum of squares over K
    %x = linalg.generic … ins(%h, %s, %w) … h * rsqrt(s / K + eps) * w
    %c, %t = quant_llm.quantize %x … {quant_llm.kernel = @qk_quantize_s8_k64_xf32_launch}
    // ==>
    func.call @qk_quantize_s8_k64_xf32_of_rows0_launch(%h', %w', %c', %t')
    func.func private @rows0(%h: vector<64xf32> {qk_kernel.source = "row"}, %w: vector<64xf32> {qk_kernel.source = "column"}) -> vector<64xf32>
    ```
  }];
  let dependentDialects = [
    "mlir::arith::ArithDialect", "mlir::bufferization::BufferizationDialect",
    "mlir::func::FuncDialect", "mlir::memref::MemRefDialect",
    "mlir::tensor::TensorDialect", "mlir::vector::VectorDialect"
  ];
}

def EmitNVVMKernels : Pass<"quant-llm-emit-nvvm-kernels", "mlir::ModuleOp"> {
  let summary = "Build the GPU kernels of packed matmuls, and what calls them";
  let description = [{
    Kernels are built into `gpu.module @qk_kernels`, one for each range of M of
    a (scheme, K, types, operands), shared by all layers. What calls them:

    - `quant_llm.packed_matmul` on tensors in one of the NVVM layouts
      (`host=keep`) becomes a call of a declared private function on tensors,
      one for each problem and N: `@<problem>_n<N>(x, weight, [permutation,]
      [bias]) -> y`; in a StableHLO module a `stablehlo.custom_call` of that
      target, with x and y of any number of leading dimensions.
    - A function that `quant-llm-pack-for-nvvm` declared on buffers
      (`host=launch`) gets a body that picks the kernel for its M and launches
      it through the runtime (qk/Runtime/Cuda.h). Runs after bufferization and
      buffer deallocation.

    The array attribute `qk_kernel.kernels` of the kernel module describes each
    kernel; with `artifacts=` it becomes kernels.json.

    The pass fails for a chip it does not know, and for a specification that
    can't be read.
  }];
  let options = [chipOption];
  let dependentDialects = [
    "mlir::arith::ArithDialect", "mlir::func::FuncDialect",
    "mlir::gpu::GPUDialect", "mlir::LLVM::LLVMDialect",
    "mlir::memref::MemRefDialect", "mlir::NVVM::NVVMDialect",
    "mlir::scf::SCFDialect", "mlir::tensor::TensorDialect",
    "mlir::vector::VectorDialect"
  ];
}

def SerializeNVVMKernels
    : Pass<"quant-llm-serialize-nvvm-kernels", "mlir::ModuleOp"> {
  let summary = "Compile the kernel module to PTX, a cubin or a fatbin";
  let description = [{
    `gpu.module @qk_kernels` is lowered to the LLVM and NVVM dialects and
    compiled. Its place takes the constant `@qk_kernels_image`, where host code
    launches kernels of it, else a `gpu.binary` of the module's name.

    `artifacts` names a folder (made if it is not there) for `kernels.ptx`,
    `.cubin` or `.fatbin`, and `kernels.json`, which names each kernel, its
    parameters, grid, block, shared memory and layout. Files appear whole or
    not at all.

    `format=isa` is PTX and needs nothing installed; `bin` and `fatbin` need
    NVIDIA's ptxas (and fatbinary) from a CUDA toolkit or PyPI's
    nvidia-cuda-nvcc. A module without kernels is left as it is.
  }];
  let options = [
    Option<"format", "format", "std::string", /*default=*/"\"isa\"",
           "isa (PTX), bin (cubin) or fatbin">,
    Option<"artifacts", "artifacts", "std::string", /*default=*/"\"\"",
           "Folder to write the kernels and kernels.json to">
  ];
}

def OutlineDeviceLoops : Pass<"quant-llm-outline-device-loops", "mlir::ModuleOp"> {
  let summary = "Make GPU kernels of everything but quantised matmuls";
  let description = [{
    Every linalg operation and copy on buffers becomes a kernel of
    `gpu.module @qk_kernels` and its launch through the runtime
    (qk/Runtime/Cuda.h): one thread an element of the parallel loops, loops of
    reductions inside it. Equal operations share a kernel. What the host
    computes for them (sizes, strides, scalars) is passed by value.

    An assertion in a body that fails leaves its number in a cell of the GPU's
    memory; the public function ends with the assertion on the host.

    Runs after bufferization and `quant-llm-emit-nvvm-kernels`, before
    `quant-llm-buffers-to-device`. Fails where a body has side effects other
    than these.
  }];
  let options = [chipOption];
  let dependentDialects = [
    "mlir::affine::AffineDialect", "mlir::arith::ArithDialect",
    "mlir::cf::ControlFlowDialect", "mlir::func::FuncDialect",
    "mlir::gpu::GPUDialect", "mlir::linalg::LinalgDialect",
    "mlir::LLVM::LLVMDialect", "mlir::memref::MemRefDialect",
    "mlir::NVVM::NVVMDialect", "mlir::scf::SCFDialect"
  ];
}

def ExpandDeviceMath : Pass<"quant-llm-expand-device-math", "mlir::gpu::GPUModuleOp"> {
  let summary = "Write functions of kernels as arithmetic";
  let description = [{
    exp, tanh, erf, … become polynomials, sin, cos and powers f64 arithmetic, as
    do exp and log of f64: NVIDIA's library of such functions (libdevice) comes
    with CUDA, which making PTX does not need. Fails for a function that has no such form.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect",
                           "mlir::LLVM::LLVMDialect",
                           "mlir::math::MathDialect",
                           "mlir::vector::VectorDialect"];
}

def BuffersToDevice : Pass<"quant-llm-buffers-to-device", "mlir::ModuleOp"> {
  let summary = "Keep a module's buffers in the GPU's memory";
  let description = [{
    Allocations become the runtime's (qk/Runtime/Cuda.h), constants are copied
    to the GPU once, arguments of public functions where they begin, results
    back where they end. Elements that the host itself reads or writes go over
    one by one.

    Preconditions (the pass fails otherwise): all loops are kernels
    (`quant-llm-outline-device-loops`); arguments and results are contiguous;
    no public function is called within the module.
  }];
  let dependentDialects = [
    "mlir::arith::ArithDialect", "mlir::func::FuncDialect",
    "mlir::LLVM::LLVMDialect", "mlir::memref::MemRefDialect"
  ];
}

#endif // QK_CONVERSION_NVVM_PASSES_TD
