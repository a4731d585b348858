//===- Quantizer.h - The GPU kernel that quantises activations --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The kernel for `quant_llm.quantize` with 8 bits per token, which the W8A8
/// matmuls read: of each row of x, divided by factors first where there are
/// some,
///
///   s = max |x| / 127 (all zeros: 1);  c = clamp(round(x / s), -127, 127)
///
/// in f32, divisions correctly rounded, ties to even: bit by bit what the
/// reference lowering gives. A NaN makes its row's scale NaN.
///
/// Kernel ABI (arrays contiguous, row-major, 16-byte aligned, in global
/// memory):
///
///   kernel(x, [factors,] codes, scales)
///     x        T [M,K]
///     factors  f32 [K]   only where the problem has some
///     codes    i8 [M,K]
///     scales   f32 [M]
///
/// launched as launchShape() says: a block a row.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TARGET_NVVM_QUANTIZER_H
#define QK_TARGET_NVVM_QUANTIZER_H

#include "qk/Target/NVVM/KernelTable.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace qk::nvvm {

/// All that is fixed when the kernel is compiled.
struct QuantizerProblem {
  int64_t k = 0;
  /// T, of x.
  ElementType type = ElementType::F32;
  bool hasFactors = false;

  /// Elements that a thread reads at once: 16 bytes, or what divides K.
  int64_t vector() const;
  /// Threads of a block: whole warps, enough for one vector each, at most 256.
  int64_t threads() const;
  int64_t sharedBytes() const;
  std::string name() const;
  LaunchShape launchShape(int64_t m) const {
    return {{m, 1, 1}, {threads(), 1, 1}, 0};
  }
};

/// Adds the kernel to `module` (or returns the one already there).
mlir::gpu::GPUFuncOp buildQuantizer(mlir::gpu::GPUModuleOp module,
                                    mlir::Location loc,
                                    const QuantizerProblem &problem);

} // namespace qk::nvvm

#endif // QK_TARGET_NVVM_QUANTIZER_H
