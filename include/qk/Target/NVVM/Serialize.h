//===- Serialize.h - GPU modules to PTX, cubin and fatbin -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// PTX comes out of LLVM and needs nothing installed. Cubins and fatbins are
/// made of it by NVIDIA's `ptxas` and `fatbinary`, from a CUDA toolkit or from
/// PyPI's nvidia-cuda-nvcc.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TARGET_NVVM_SERIALIZE_H
#define QK_TARGET_NVVM_SERIALIZE_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include <optional>
#include <string>

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace qk::nvvm {

/// What `format=` names.
enum class BinaryFormat { Isa, Bin, Fatbin };

/// `isa`, `bin` or `fatbin`.
std::optional<BinaryFormat> binaryFormatByName(llvm::StringRef name);
/// `ptx`, `cubin` or `fatbin`: the suffix of the file in `artifacts=`.
llvm::StringRef binaryFormatSuffix(BinaryFormat format);

/// What serialisation needs of a context: translation of LLVM and NVVM ops,
/// and the NVVM target. For a pass's getDependentDialects and for tools.
void registerSerialization(mlir::DialectRegistry &registry);

/// The PTX of `module`, whose kernels are in the LLVM and NVVM dialects
/// (buildKernelLoweringPipeline) and which has one NVVM target.
mlir::FailureOr<std::string> generatePTX(mlir::gpu::GPUModuleOp module);

/// `ptx`, which is for `chip`, in `format`. Where a tool is missing or rejects
/// its input, an error at `loc` says so, with the tool's own words.
mlir::FailureOr<std::string> assemble(mlir::Location loc,
                                      const std::string &ptx,
                                      llvm::StringRef chip,
                                      BinaryFormat format);

/// Where one of NVIDIA's tools (`ptxas`, `fatbinary`) is: in the folder that
/// QK_CUDA_BIN names, and only there if it names one; else on PATH, in the
/// toolkit that CUDA_HOME or CUDA_PATH names or /usr/local/cuda, where
/// utils/install-deps puts it, or in a Python environment's nvidia-cuda-nvcc.
std::optional<std::string> findCudaTool(llvm::StringRef name);

} // namespace qk::nvvm

#endif // QK_TARGET_NVVM_SERIALIZE_H
