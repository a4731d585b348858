//===- KernelBuilder.h - GPU kernels as IR ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Builds the kernels that KernelTable.h chooses, as `gpu.func`s in gpu,
/// arith, vector, scf, memref and (for pointers) llvm ops.
///
/// Kernel ABI, the same for every family (all arrays contiguous, row-major):
///
///   kernel(x, weight, [permutation,] [bias,] [x_scales,] y, [workspace,] m, n)
///     x       T or i8 [M,K]  pointer to global memory, 16-byte aligned
///     weight  bytes          in the kernel's layout, 16-byte aligned
///     permutation  i32 [K]   only where the problem has one
///     bias    [N]            only where the problem has one, of its type
///     x_scales  f32 [M]      only where x is i8
///     y       T [M,N]        pointer to global memory
///     workspace  bytes       not for SIMT: workspaceBytes(), 128-byte aligned,
///                            all 0 before the first launch; a kernel leaves
///                            its counters 0 again. Launches that may run at
///                            the same time need one each
///     m, n    i32            rows of x; channels
///
/// The grid, block and dynamic shared memory are launchShape()'s: tokens along
/// x (up to 2³¹ blocks), channels along y (up to 65535 blocks, a million
/// channels), shares of K along z.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TARGET_NVVM_KERNELBUILDER_H
#define QK_TARGET_NVVM_KERNELBUILDER_H

#include "qk/Target/NVVM/KernelTable.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Builders.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace qk::nvvm {

/// Creates an empty `gpu.module @name` for `chip` at the builder's insertion
/// point, with its NVVM target attached.
mlir::gpu::GPUModuleOp createKernelModule(mlir::OpBuilder &builder,
                                          mlir::Location loc,
                                          llvm::StringRef name,
                                          const Chip &chip);

/// Adds the kernel `choice` to `module` (or returns the one already there).
mlir::gpu::GPUFuncOp buildKernel(mlir::gpu::GPUModuleOp module,
                                 mlir::Location loc,
                                 const KernelChoice &choice);

/// Lowers kernels to the LLVM and NVVM dialects; runs on `gpu.module`.
void buildKernelLoweringPipeline(mlir::OpPassManager &pm);

} // namespace qk::nvvm

#endif // QK_TARGET_NVVM_KERNELBUILDER_H
