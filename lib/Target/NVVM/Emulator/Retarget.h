//===- Retarget.h - NVVM IR to code for the emulator ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_EMULATOR_RETARGET_H
#define QK_LIB_TARGET_NVVM_EMULATOR_RETARGET_H

#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace qk::nvvm {

/// A kernel of a retargeted module.
struct RetargetedKernel {
  std::string name;
  /// `void entry(void **arguments)`: each points to an argument's value.
  std::string entry;
  unsigned arguments;
  /// Its threads meet at mbarriers: Order.cpp.
  bool byClock = false;
};

/// What a retargeted module holds.
struct RetargetedModule {
  std::vector<RetargetedKernel> kernels;
  /// Variables of shared memory, external now.
  std::vector<std::pair<std::string, uint64_t>> shared;
};

/// What shared memory whose size is the launch's business has here.
inline constexpr uint64_t kDynamicSharedLimit = 256 << 10;

/// Rewrites `module`, as translated from LLVM and NVVM ops, for this machine:
///   - `llvm.nvvm.*` become calls of `qk_emu_*` (Emulator.cpp defines them),
///     each with a number of its own where threads rendezvous;
///   - every load and store is preceded by a call of `qk_emu_access`;
///   - so are fences and atomic operations of their own calls;
///   - shared variables get an external name, kernels an entry.
/// Fails for an intrinsic that has no emulation, with its name.
llvm::Expected<RetargetedModule> retarget(llvm::Module &module);

/// Replaces inline assembly of sm_90 (PtxAsm.h) by calls; false: it is none.
/// Each rendezvous takes a number of `sites`.
llvm::Expected<bool> rewriteHopperAsm(llvm::CallInst &call, int32_t &sites);
/// Whether inline assembly makes an mbarrier.
bool ordersByMbarriers(const llvm::CallInst &call);

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_EMULATOR_RETARGET_H
