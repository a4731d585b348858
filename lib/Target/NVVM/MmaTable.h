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

/// The cap on registers of such a kernel.
int64_t mmaMaxRegisters(const MmaConfig &config);

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_MMATABLE_H
