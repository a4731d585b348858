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

/// Sums of four floats $0, four words of A $4, two of B $8, four sums $10; what
/// NVVM has no dense form of. From sm_89 on.
inline constexpr const char *kMmaE4M3Asm =
    "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {$0, $1, $2, $3}, "
    "{$4, $5, $6, $7}, {$8, $9}, {$10, $11, $12, $13};";
/// Two floats to bytes of e4m3: $2 to the low one. From sm_89 on.
inline constexpr const char *kConvertE4M3Asm =
    "cvt.rn.satfinite.e4m3x2.f32 $0, $1, $2;";

/// Loads of what is read once, past the first cache, where the last operand
/// is not 0.
inline constexpr const char *kLoadVectorIfAsm =
    "{ .reg .pred p; setp.ne.b32 p, $5, 0; "
    "@p ld.global.nc.L1::no_allocate.v4.b32 {$0, $1, $2, $3}, [$4]; }";
inline constexpr const char *kLoadWordIfAsm =
    "{ .reg .pred p; setp.ne.b32 p, $2, 0; @p ld.global.nc.b32 $0, [$1]; }";

//===----------------------------------------------------------------------===//
// sm_90: mbarriers, bulk copies, warpgroups
//===----------------------------------------------------------------------===//

/// mbarrier at $0, for $1 arrivals a phase.
inline constexpr const char *kMbarrierInitAsm =
    "mbarrier.init.shared::cta.b64 [$0], $1;";
/// Makes the thread's inits known to other proxies and threads.
inline constexpr const char *kMbarrierInitFenceAsm =
    "fence.mbarrier_init.release.cluster;";
inline constexpr const char *kMbarrierArriveAsm =
    "mbarrier.arrive.shared::cta.b64 _, [$0];";
/// An arrival once the thread's cp.async so far have written; of those that the
/// mbarrier was initialised for.
inline constexpr const char *kMbarrierCopiesAsm =
    "cp.async.mbarrier.arrive.noinc.shared::cta.b64 [$0];";
/// An arrival that also expects $1 bytes of bulk copies.
inline constexpr const char *kMbarrierExpectAsm =
    "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], $1;";
/// Until the phase of parity $1 has ended.
inline constexpr const char *kMbarrierWaitAsm =
    "{ .reg .pred p; again: mbarrier.try_wait.parity.shared::cta.b64 p, [$0], "
    "$1; @!p bra again; }";
/// $2 bytes from global memory ($1) to shared ($0), counted by mbarrier $3.
inline constexpr const char *kBulkCopyAsm =
    "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [$0], "
    "[$1], $2, [$3];";
/// What the thread wrote before, for tensor cores and bulk copies.
inline constexpr const char *kProxyFenceAsm = "fence.proxy.async.shared::cta;";
/// Registers a thread of the warpgroup; a number and ';' follow.
inline constexpr const char *kMoreRegistersAsm =
    "setmaxnreg.inc.sync.aligned.u32 ";
inline constexpr const char *kFewerRegistersAsm =
    "setmaxnreg.dec.sync.aligned.u32 ";
/// All threads of the cluster's blocks that have not ended: what they did
/// before is known after.
inline constexpr const char *kClusterBarrierAsm =
    "barrier.cluster.arrive.release.aligned; "
    "barrier.cluster.wait.acquire.aligned;";
/// The address, in block $2 of the cluster, of shared memory at $1.
inline constexpr const char *kMapSharedAsm =
    "mapa.shared::cluster.u32 $0, $1, $2;";
/// Four floats to a block's shared memory.
inline constexpr const char *kStoreClusterAsm =
    "st.shared::cluster.v4.f32 [$0], {$1, $2, $3, $4};";
/// "<number>, <threads>;" follow.
inline constexpr const char *kNamedBarrierAsm = "bar.sync ";

/// The thread's number, read again: what is computed from it need not stay in
/// registers.
inline constexpr const char *kThreadIdAsm = "mov.u32 $0, %tid.x;";

/// Statements of wgmma, each ended by ';', several in one text.
inline constexpr const char *kWgmmaFenceAsm = "wgmma.fence.sync.aligned";
/// "<N>k16.f32.<type>.<type> {sums}, {A}, B, scale of sums, 1, 1, 0" follow, or
/// "<N>k32.s32.s8.s8 {sums}, {A}, B, scale of sums", or
/// "<N>k32.f32.e4m3.e4m3 {sums}, {A}, B, scale of sums, 1, 1".
inline constexpr const char *kWgmmaAsm = "wgmma.mma_async.sync.aligned.m64n";
inline constexpr const char *kWgmmaCommitAsm =
    "wgmma.commit_group.sync.aligned";
/// The number of groups that may be left follows.
inline constexpr const char *kWgmmaWaitAsm = "wgmma.wait_group.sync.aligned ";

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_PTXASM_H
