//===- MmaTable.h - Kernels on mma.sync by M --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_MMATABLE_H
#define QK_LIB_TARGET_NVVM_MMATABLE_H

#include "qk/Target/NVVM/KernelTable.h"

namespace qk::nvvm {

/// chooseKernels for the layouts of mma.sync.
std::vector<KernelChoice> chooseMmaKernels(const Chip &chip,
                                           const MatmulProblem &problem);

/// `wanted` cut to a problem and a chip: fewer warps or units where K is short,
/// less of everything where shared memory is; with `wave` and as many splits
/// as there are slices for.
MmaConfig fitMma(const Chip &chip, const MatmulProblem &problem,
                 MmaConfig wanted);

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_MMATABLE_H
