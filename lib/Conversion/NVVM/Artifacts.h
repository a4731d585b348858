//===- Artifacts.h - Kernels and their description as files -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_NVVM_ARTIFACTS_H
#define QK_LIB_CONVERSION_NVVM_ARTIFACTS_H

#include "qk/Target/NVVM/KernelTable.h"
#include "qk/Target/NVVM/Quantizer.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Location.h"

namespace qk::nvvm {

/// On the kernel module: an array of descriptions of its kernels, and of the
/// functions that call them.
inline constexpr llvm::StringLiteral kKernelsAttr = "qk_kernel.kernels";
inline constexpr llvm::StringLiteral kFunctionsAttr = "qk_kernel.functions";

/// Name, parameters, grid, block, shared memory, layout, and what it is for.
mlir::DictionaryAttr describeKernel(mlir::MLIRContext *context,
                                    const KernelChoice &choice);
mlir::DictionaryAttr describeKernel(mlir::MLIRContext *context,
                                    const QuantizerProblem &problem);

/// `attribute` (dictionaries, arrays, strings, integers, booleans) as JSON.
std::string toJSON(mlir::Attribute attribute);

/// Writes `bytes` to `folder`/`name`: the whole file appears, or an error at
/// `loc` says why not. The folder is made if it is not there.
mlir::LogicalResult writeArtifact(mlir::Location loc, llvm::StringRef folder,
                                  llvm::StringRef name, llvm::StringRef bytes);

} // namespace qk::nvvm

#endif // QK_LIB_CONVERSION_NVVM_ARTIFACTS_H
