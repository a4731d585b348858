//===- StandaloneKernel.h - A CPU kernel for C programs ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// One kernel with an interface of plain C: pointers, strides, packed weights
/// and a workspace. It allocates nothing, calls nothing of qk's runtime, and
/// finds out by itself which of its ISA levels the machine has. The header that
/// goes with the object says all of it to who calls it, and packs weights.
///
///   int NAME(m, n, x, x_stride, [x_scales,] packed, [bias,] y, y_stride,
///            workspace)
///
//===----------------------------------------------------------------------===//

#ifndef QK_TARGET_CPU_STANDALONEKERNEL_H
#define QK_TARGET_CPU_STANDALONEKERNEL_H

#include "qk/Target/CPU/KernelTable.h"

#include <string>
#include <vector>

namespace llvm {
class Triple;
} // namespace llvm

namespace mlir {
class MLIRContext;
class ModuleOp;
template <typename> class OwningOpRef;
} // namespace mlir

namespace qk::cpu {

struct StandaloneKernel {
  KernelSpec spec;
  /// ISA levels in the object; at least one.
  std::vector<Level> levels;
  /// The C function; a C identifier. Others of the header begin with it.
  std::string name = "qk_matmul";
  /// Whether x comes as codes and scales rather than float. With sharing by
  /// tensor it must: the scale is known beforehand.
  bool quantizedInput = false;
  /// Whether the kernel runs on OpenMP's threads (LLVM's libomp).
  bool threads = true;

  /// Bytes a row of x of each buffer in the workspace, in order; every buffer
  /// begins at a multiple of 64: codes and scales of x where the kernel
  /// quantises it, then what it packs x into.
  std::vector<int64_t> workspaceBytesPerRow() const;
};

/// The levels that such a kernel can choose from on a target, best first. It
/// asks the processor on x86-64 and the C library on AArch64 with Linux; on
/// others portable code is all.
std::vector<Level> standaloneLevels(const llvm::Triple &target);

/// A module that declares the kernel and defines the C function around it. What
/// `buildKernelsToLLVMPipeline` takes.
mlir::OwningOpRef<mlir::ModuleOp>
buildStandaloneKernel(mlir::MLIRContext *context,
                      const StandaloneKernel &kernel);

/// The C header of the object.
std::string writeKernelHeader(const StandaloneKernel &kernel);

} // namespace qk::cpu

#endif // QK_TARGET_CPU_STANDALONEKERNEL_H
