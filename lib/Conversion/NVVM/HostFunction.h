//===- HostFunction.h - What launches kernels -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_NVVM_HOSTFUNCTION_H
#define QK_LIB_CONVERSION_NVVM_HOSTFUNCTION_H

#include "qk/Target/NVVM/KernelTable.h"
#include "qk/Target/NVVM/Quantizer.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace qk::nvvm {

/// Gives a function that declareLauncher declared its body: it picks one of
/// `choices` (ascending ranges of M, and by N where several have the same one,
/// as chooseKernels returns them) and launches it through the runtime's
/// `qk_cuda_*`, which are declared where they are missing, as is the constant
/// with the compiled kernels.
void buildLauncher(mlir::func::FuncOp declaration,
                   llvm::ArrayRef<KernelChoice> choices);

/// The same for a function that declareQuantizer declared.
void buildLauncher(mlir::func::FuncOp declaration,
                   const QuantizerProblem &problem);

} // namespace qk::nvvm

#endif // QK_LIB_CONVERSION_NVVM_HOSTFUNCTION_H
