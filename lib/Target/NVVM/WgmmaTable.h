//===- WgmmaTable.h - Kernels on wgmma by M ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_WGMMATABLE_H
#define QK_LIB_TARGET_NVVM_WGMMATABLE_H

#include "qk/Target/NVVM/KernelTable.h"

namespace qk::nvvm {

/// Whether `chip` has wgmma and `problem` a kernel on it.
bool hasWgmma(const Chip &chip, const MatmulProblem &problem);

/// From this M on it is chosen: below, mma.sync is as fast (19 us and 20 us for
/// 32 rows of 8192 x 8192 and 4 bits on an H200). With activations of 8 bits it
/// is from 9 on where sums need no more than their scales (16 rows of 8192 x
/// 8192: 18.1 us and 19.3).
int64_t firstWgmmaRow(const MatmulProblem &problem);

/// `wanted` with as many panels as units ask for, and the tokens, stages and
/// split that the row and the chip's shared memory leave.
WgmmaConfig fitWgmma(const Chip &chip, const MatmulProblem &problem,
                     WgmmaConfig wanted);

/// The kernels for M ≥ firstWgmmaRow, by ascending M; before them, where there
/// is one, that for fewer rows and many channels, beside mma.sync's for the
/// same M.
std::vector<KernelChoice> chooseWgmmaKernels(const Chip &chip,
                                             const MatmulProblem &problem);

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_WGMMATABLE_H
