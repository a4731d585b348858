// RUN: env QK_CUDA_BIN=/nonexistent not qk-opt %s --quant-llm-emit-nvvm-kernels --quant-llm-serialize-nvvm-kernels=format=bin 2>&1 | FileCheck %s
// RUN: env QK_CUDA_BIN=/nonexistent qk-opt %s --quant-llm-emit-nvvm-kernels --quant-llm-serialize-nvvm-kernels=format=isa | FileCheck %s --check-prefix=ISA
// RUN: rm -rf %t && mkdir %t && printf '#!/bin/sh\necho out of registers\nexit 3\n' > %t/ptxas && chmod +x %t/ptxas
// RUN: env QK_CUDA_BIN=%t not qk-opt %s --quant-llm-emit-nvvm-kernels --quant-llm-serialize-nvvm-kernels=format=bin 2>&1 | FileCheck %s --check-prefix=FAILS
// Without NVIDIA's tools cubins are refused, with what to do; PTX is not. A
// tool that fails is quoted.

// CHECK: error: no 'ptxas' found on PATH, in CUDA_HOME, in /usr/local/cuda or in a Python environment (or where QK_CUDA_BIN says); install the CUDA toolkit or PyPI's nvidia-cuda-nvcc, or use format=isa, which needs neither

// ISA: gpu.binary

// FAILS: error: '{{.*}}/ptxas' failed (3): out of registers

func.func @f(%x: tensor<?x10xf32>, %w: tensor<1792xi8>) -> tensor<?x4xf32> {
  %y = quant_llm.packed_matmul %x, %w scheme(<u4, group = 4, scale = f16>) n = 4 k = 10 layout("nvvm-simt") name("a") : (tensor<?x10xf32>, tensor<1792xi8>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
