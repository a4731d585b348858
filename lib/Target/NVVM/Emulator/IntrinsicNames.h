//===- IntrinsicNames.h - What names of intrinsics say ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_EMULATOR_INTRINSICNAMES_H
#define QK_LIB_TARGET_NVVM_EMULATOR_INTRINSICNAMES_H

#include "BlockRun.h"

#include "llvm/ADT/StringRef.h"

#include <optional>

namespace qk::nvvm {

/// Special registers by what follows `llvm.nvvm.read.ptx.sreg.`.
std::optional<Special> specialRegister(llvm::StringRef name);

/// shfl.sync.<mode>.<type>
std::optional<ShuffleMode> shuffleMode(llvm::StringRef name);

/// <shape>.row.col.<types>
std::optional<MmaKind> mmaKind(llvm::StringRef name);

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_EMULATOR_INTRINSICNAMES_H
