//===- WgmmaTable.h - Kernels on wgmma by M ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_WGMMATABLE_H
#define QK_LIB_TARGET_NVVM_WGMMATABLE_H

#include "qk/Target/NVVM/KernelTable.h"

namespace qk::nvvm {

/// From this M on it is chosen: below, mma.sync is as fast (19 us and 20 us for
/// 32 rows of 8192 x 8192 on an H200).
inline constexpr int64_t kWgmmaFrom = 33;

/// Whether `chip` has wgmma and `problem` a kernel on it.
bool hasWgmma(const Chip &chip, const MatmulProblem &problem);

/// `wanted` with as many panels as units ask for, and the tokens, stages and
/// split that the row and the chip's shared memory leave.
WgmmaConfig fitWgmma(const Chip &chip, const MatmulProblem &problem,
                     WgmmaConfig wanted);

/// The kernels for M ≥ kWgmmaFrom, by ascending M.
std::vector<KernelChoice> chooseWgmmaKernels(const Chip &chip,
                                             const MatmulProblem &problem);

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_WGMMATABLE_H
