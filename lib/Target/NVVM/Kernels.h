//===- Kernels.h - One body builder a kernel family -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_KERNELS_H
#define QK_LIB_TARGET_NVVM_KERNELS_H

#include "Emitter.h"
#include "qk/Target/NVVM/KernelTable.h"

namespace qk::nvvm {

/// The arguments of a kernel, as its ABI orders them.
struct KernelArguments {
  mlir::Value x;
  mlir::Value weight;
  /// Null where the problem has none.
  mlir::Value permutation;
  mlir::Value bias;
  mlir::Value xScales;
  mlir::Value y;
  /// Null for SIMT.
  mlir::Value workspace;
  mlir::Value m;
  mlir::Value n;
};

/// What y's row `row` is multiplied by: x's scale, f32. Only where x has one.
inline mlir::Value loadXScale(Emitter &e, const MatmulProblem &problem,
                              const KernelArguments &args, mlir::Value row) {
  mlir::Value at = args.xScales;
  if (!problem.hasTensorScale)
    at = e.at(at, e.mul(e.wide(row), e.i64(4)));
  return e.loadConst(e.getF32Type(), at, 4);
}

/// The MLIR type.
mlir::Type mlirType(mlir::MLIRContext *context, ElementType type);

/// Emits the body of `choice`, a SIMT kernel, up to but without its return.
void emitSimtKernel(Emitter &e, mlir::gpu::GPUFuncOp kernel,
                    const KernelChoice &choice, const KernelArguments &args);

/// The same for the families on mma.sync, with shared memory of their own.
void emitMmaKernel(Emitter &e, mlir::gpu::GPUFuncOp kernel,
                   const KernelChoice &choice, const KernelArguments &args);

/// The same for the family on wgmma.
void emitWgmmaKernel(Emitter &e, mlir::gpu::GPUFuncOp kernel,
                     const KernelChoice &choice, const KernelArguments &args);

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_KERNELS_H
