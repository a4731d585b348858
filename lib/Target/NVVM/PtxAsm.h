//===- PtxAsm.h - Instructions that only PTX has ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The inline assembly of kernels. Builders write it (Emitter.h), the emulator
/// reads it (Emulator/Retarget.cpp): each instruction has its text here, and an
/// emulation there.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_PTXASM_H
#define QK_LIB_TARGET_NVVM_PTXASM_H

namespace qk::nvvm {

/// Any function of three words, bit by bit; its truth table follows.
inline constexpr const char *kLop3Asm = "lop3.b32 $0, $1, $2, $3, ";

/// Loads of what is read once, past the first cache, where the last operand
/// is not 0.
inline constexpr const char *kLoadVectorIfAsm =
    "{ .reg .pred p; setp.ne.b32 p, $5, 0; "
    "@p ld.global.nc.L1::no_allocate.v4.b32 {$0, $1, $2, $3}, [$4]; }";
inline constexpr const char *kLoadWordIfAsm =
    "{ .reg .pred p; setp.ne.b32 p, $2, 0; @p ld.global.nc.b32 $0, [$1]; }";

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_PTXASM_H
