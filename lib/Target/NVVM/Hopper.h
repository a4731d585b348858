//===- Hopper.h - Instructions of sm_90 -------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What kernels for sm_90 and sm_90a write beside Emitter.h: mbarriers, bulk
/// copies and wgmma with A in registers. Text and emulation: PtxAsm.h.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_HOPPER_H
#define QK_LIB_TARGET_NVVM_HOPPER_H

#include "Emitter.h"

namespace qk::nvvm {

struct HopperEmitter {
  using Value = mlir::Value;
  Emitter &e;

  // mbarriers, by their address in shared memory.
  void initBarrier(Value barrier, int64_t arrivals);
  /// For other threads and the copy engine, before a block barrier.
  void fenceBarriers();
  void arrive(Value barrier);
  /// Arrives when the thread's cp.async so far have written.
  void arriveAfterCopies(Value barrier);
  /// Arrives, and the phase also waits for `bytes` of bulk copies.
  void arriveExpecting(Value barrier, Value bytes);
  /// Waits until the phase of that parity has ended.
  void wait(Value barrier, Value parity);

  /// `bytes` (a multiple of 16) from global to shared memory, both 16-byte
  /// aligned.
  void bulkCopy(Value to, Value from, Value bytes, Value barrier);
  /// Makes what this thread wrote to shared memory visible to wgmma and bulk
  /// copies of threads that synchronise with it.
  void fenceProxy();

  /// Registers a thread, for the whole warpgroup; a multiple of 8.
  void moreRegisters(int64_t count);
  void fewerRegisters(int64_t count);
  /// A barrier among `threads` threads of the block.
  void namedBarrier(int number, int64_t threads);

  /// A barrier among all threads of the cluster that have not ended.
  void clusterBarrier();
  /// Four floats to `address` of shared memory, in block `rank` of the cluster;
  /// they are there for its threads after the cluster's next barrier.
  void storeToBlock(Value address, Value rank, llvm::ArrayRef<Value> four);

  /// The thread's number along x, read anew.
  Value threadIdAgain();

  /// The descriptor of a K-major operand in shared memory, rows of 128 bytes,
  /// swizzled, at `address` (1024-byte aligned). Steps of K add 32 bytes.
  Value descriptor(Value address);
  Value advance(Value descriptor, int64_t bytes);
  /// A batch of wgmma m64nN, 32 bytes of K a step, issued and committed: sums
  /// += Σ A · B, or = if `sums` is empty. `a`: four registers a step; `b`: a
  /// descriptor each. `type`: f16, bf16 or e4m3, with sums in f32, or s8, in
  /// i32. The result may be read after waitProducts only.
  mlir::SmallVector<Value> multiply(llvm::ArrayRef<Value> sums, int tokens,
                                    llvm::ArrayRef<Value> a,
                                    llvm::ArrayRef<Value> b,
                                    llvm::StringRef type);
  /// Waits until at most `pending` batches are under way; the products then.
  mlir::SmallVector<Value> waitProducts(int pending,
                                        llvm::ArrayRef<Value> products);
  void waitBatches(int pending);

private:
  mlir::LLVM::InlineAsmOp inlineAsm(llvm::StringRef text,
                                    llvm::StringRef constraints,
                                    mlir::TypeRange results,
                                    mlir::ValueRange operands);
};

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_HOPPER_H
